package secrets_test

import (
	"math/rand/v2"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pelletier/go-toml/v2"
	"github.com/zricethezav/gitleaks/v8/config"

	"github.com/lintel-policy/lintel/secrets"
)

func newTokens(t testing.TB) secrets.Tokens {
	t.Helper()
	found, err := secrets.NewTokens()
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// rulesIn returns what is found in text under key, by rule.
func rulesIn(tokens secrets.Tokens, key, text string) map[string]string {
	found := map[string]string{}
	tokens.Find(key, text, func(rule string, start, end int) { found[rule] = text[start:end] })
	return found
}

// TestEachPatternCompiles is why compiling one later cannot fail.
func TestEachPatternCompiles(t *testing.T) {
	tokens := newTokens(t)
	if n := tokens.CompileAll(); n < 250 {
		t.Errorf("there are %d patterns: the table of gitleaks alone has 200", n)
	}
}

// TestOurFormats finds a token of each of our formats under a name that says
// nothing, alone and in a text, and not once its last character is missing.
func TestOurFormats(t *testing.T) {
	tokens := newTokens(t)
	for _, f := range secrets.OurFormats() {
		t.Run(f.ID, func(t *testing.T) {
			token := samples[f.ID][0] + samples[f.ID][1]
			if !strings.HasPrefix(f.Source, "https://") {
				t.Errorf("source is %q, not a page of the provider", f.Source)
			}
			if _, ok := rulesIn(tokens, "VALUE", token)[f.ID]; !ok {
				t.Errorf("not found in %q", token)
			}
			if _, ok := rulesIn(tokens, "", "see \""+token+"\", or not")[f.ID]; !ok {
				t.Errorf("not found in a text with %q", token)
			}
			if _, ok := rulesIn(tokens, "VALUE", token[:len(token)-1])[f.ID]; ok {
				t.Errorf("found in %q, which is too short", token[:len(token)-1])
			}
		})
	}
}

// TestOurFormatsAreMissing holds the table of ours to what gitleaks lacks: each of
// its patterns, those that are not taken too, is run on our samples.
func TestOurFormatsAreMissing(t *testing.T) {
	var table struct {
		Rules []struct {
			ID, Regex string
			Keywords  []string
		}
	}
	if err := toml.Unmarshal([]byte(config.DefaultConfig), &table); err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, r := range table.Rules {
		pattern := regexp.MustCompile(r.Regex)
		for id, sample := range samples {
			token := sample[0] + sample[1]
			has := func(word string) bool { return strings.Contains(strings.ToLower(token), strings.ToLower(word)) }
			if slices.ContainsFunc(r.Keywords, has) && r.Regex != "" && pattern.MatchString(`VALUE = "`+token+"\"\n") {
				t.Logf("%s is found by %s of gitleaks too", id, r.ID)
				known[id] = true
			}
		}
	}
	if missing := len(samples) - len(known); missing < 100 {
		t.Errorf("gitleaks lacks %d of our formats, want 100 at least", missing)
	}
}

var chance = rand.New(rand.NewPCG(1, 2))

// tokenOf makes up a match of a format, and returns it and the token in it.
func tokenOf(f secrets.Format) (text, token string) {
	pattern := regexp.MustCompile(f.Pattern)
	for {
		text = sample(f.Pattern, chance)
		groups := pattern.FindStringSubmatch(text)
		if groups == nil {
			continue
		}
		if f.Group > 0 {
			return text, groups[f.Group]
		}
		for _, group := range append(groups[1:], text) {
			if group != "" {
				return text, group
			}
		}
	}
}

// TestGitleaksFormats finds a made-up token of each format that is taken from
// gitleaks under a name that says whose it is.
func TestGitleaksFormats(t *testing.T) {
	tokens := newTokens(t)
	formats, err := secrets.GitleaksFormats()
	if err != nil {
		t.Fatal(err)
	}
	const tries = 10
	telling, neutral := 0, 0
	for _, f := range formats {
		if f.ID == "nuget-config-password" {
			continue // its value is any text, of which none can be made up
		}
		for range tries {
			text, token := tokenOf(f)
			if strings.Contains(f.Pattern, "https?") || f.ID == "microsoft-teams-webhook" {
				token = text // what is around the token is not its name but part of the format
			}
			name := strings.ToUpper(strings.ReplaceAll(f.ID, "-", "_")) + "_TOKEN"
			if len(rulesIn(tokens, name, token)) > 0 {
				telling++
			} else {
				t.Logf("%s is not found in %s=%s", f.ID, name, token)
			}
			if len(rulesIn(tokens, "VALUE", token)) > 0 {
				neutral++
			}
		}
	}
	all := len(formats) * tries
	t.Logf("of tokens of %d formats, %d%% are found under a telling name and %d%% under a neutral one", len(formats), 100*telling/all, 100*neutral/all)
	if telling*100 < 95*all {
		t.Errorf("%d of %d are found under a telling name, want 95%%", telling, all)
	}
	if neutral*100 < 50*all {
		t.Errorf("%d of %d are found under a neutral name, want 50%%", neutral, all)
	}
}

// TestTokensMemory holds the table to ten megabytes with each pattern compiled.
func TestTokensMemory(t *testing.T) {
	before := live()
	tokens := newTokens(t)
	fresh := live() - before
	tokens.CompileAll()
	all := live() - before
	t.Logf("%d KB are live, %d KB once all patterns are compiled", fresh>>10, all>>10)
	if all > 10<<20 {
		t.Errorf("%d bytes are live, want 10 MB at most", all)
	}
	runtime.KeepAlive(tokens)
}

func live() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestFewAreSearchedFor: a pattern that does not begin at its keyword has to be
// searched for around it, which costs far more than to try it.
func TestFewAreSearchedFor(t *testing.T) {
	searched := []string{}
	for _, s := range newTokens(t).Shapes() {
		if !s.Anchored {
			searched = append(searched, s.ID)
		}
	}
	want := []string{"telegram-bot-token", "azure-ad-client-secret", "facebook-access-token", "microsoft-teams-webhook", "openai-api-key", "sidekiq-sensitive-url"}
	if diff := cmp.Diff(want, searched); diff != "" {
		t.Errorf("searched for: -want, +got:\n%s", diff)
	}
}
