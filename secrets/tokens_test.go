package secrets_test

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

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

// TestOurFormats finds a made-up token of each of our formats under a name that
// says nothing, and nothing once one of its characters is wrong or its end is cut.
func TestOurFormats(t *testing.T) {
	tokens := newTokens(t)
	formats := secrets.OurFormats()
	if len(formats) < 40 {
		t.Errorf("there are %d formats of ours, want 40 at least", len(formats))
	}
	for _, f := range formats {
		t.Run(f.ID, func(t *testing.T) {
			if !strings.HasPrefix(f.Source, "https://") {
				t.Errorf("source is %q, not the page of the provider", f.Source)
			}
			for range 20 {
				text, token := tokenOf(f)
				if strings.HasPrefix(text, "/") {
					token = text // a URL's path is part of the format
				}
				if got := rulesIn(tokens, "VALUE", token); len(got) == 0 {
					t.Fatalf("nothing is found in %q", token)
				}
				if got := rulesIn(tokens, "", "see "+token+", or not"); len(got) == 0 {
					t.Fatalf("nothing is found in a text with %q", token)
				}
				if got := rulesIn(tokens, "VALUE", token[:len(token)/2]); len(got) != 0 {
					t.Fatalf("%v is found in half a token", got)
				}
			}
		})
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
	const tries = 20
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

func TestMemory(t *testing.T) {
	before := live()
	start := time.Now()
	tokens := newTokens(t)
	built := time.Since(start)
	fresh := live() - before
	tokens.CompileAll()
	all := live() - before
	t.Logf("built in %v, %d KB; %d KB with all patterns", built, fresh>>10, all>>10)
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

func TestShapes(t *testing.T) {
	for _, s := range newTokens(t).Shapes() {
		if !s.Anchored {
			t.Log("not anchored: ", s.ID, s.Named, s.Pattern)
		}
	}
}

func hostile() map[string]string {
	texts := map[string]string{
		"OneLine": strings.Repeat("a", 1<<20), "Space": strings.Repeat(" ", 1<<20), "Ghp": strings.Repeat("ghp_", 1<<18), "Secret": strings.Repeat("secret", 1<<18),
		"Glpat": strings.Repeat("glpat-", 1<<17), "Datadog": strings.Repeat("datadog=", 1<<17), "Tilde": strings.Repeat("1Q~", 1<<18), "Eyj": strings.Repeat("eyJ", 1<<18),
		"Openai": strings.Repeat("T3BlbkFJ", 1<<17), "Names": strings.Repeat("cloudflare_datadog_twitter = ", 1<<15), "Zse": strings.Repeat("azse", 1<<18), "Aba": strings.Repeat("+aba+ast", 1<<17),
	}
	for _, prefix := range []string{"sk-", "hf_", "s.", ":aa", "pypi-AgEIcHlwaS5vcmc", "xoxb-1", "fm2_", "glc_", "sntrys_eyJpYXQiO", "ATATT3", "lob,", "hvb.", "dp.st.", "jira: "} {
		texts[prefix] = strings.Repeat(prefix, 1<<20/len(prefix))
	}
	return texts
}

func BenchmarkHostile(b *testing.B) {
	tokens := newTokens(b)
	for name, text := range hostile() {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				tokens.Find("", text, func(string, int, int) {})
			}
		})
	}
}

func BenchmarkNew(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		newTokens(b)
	}
}

func BenchmarkText(b *testing.B) {
	tokens := newTokens(b)
	text := strings.Repeat("  - name: LOG_LEVEL\n    value: \"info\"\n  image: registry.example.com/shop/web:1.27.4\n  datadog.url: https://app.datadoghq.com # see the docs. All pods\n", 1400)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		tokens.Find("", text, func(string, int, int) {})
	}
}

var _ = fmt.Sprint
