package secrets

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/zricethezav/gitleaks/v8/config"
)

// A tokenFormat is what is known of a kind of token.
type tokenFormat struct {
	id       string
	pattern  string   // the token is its first group that is not empty, or all of it
	keywords []string // in lower case; every token or its name has one of them
	source   string   // where the provider describes it; empty for those of gitleaks
	entropy  float64
	group    int
	allow    []string
	checksum func(string) bool
}

// notTaken returns the rules of gitleaks that are no use here, each with why.
func notTaken() map[string]string {
	return map[string]string{
		"generic-api-key":                 "names are judged by our own rules, which know weak passwords too",
		"kubernetes-secret-yaml":          "a Secret is where secrets belong",
		"pkcs12-file":                     "it has only a path",
		"freemius-secret-key":             "it is for PHP alone",
		"hashicorp-tf-password":           "it takes any value under the name password",
		"jwt":                             "JWTs have a matcher that decodes them",
		"jwt-base64":                      "the same",
		"private-key":                     "keys have a matcher that knows short ones",
		"curl-auth-header":                "commands have a matcher",
		"curl-auth-user":                  "the same",
		"airtable-personnal-access-token": "it wants the name nearby; ours does not",
		"sourcegraph-access-token":        "it takes every commit hash near the name; ours takes the prefix",
		"flutterwave-public-key":          "it is public",
		"lob-pub-api-key":                 "it is public",
		"mailgun-pub-key":                 "it is public",
		"mapbox-api-token":                "it takes the public ones; ours takes the secret ones",
		"adobe-client-id":                 "a client's id is public",
		"asana-client-id":                 "a client's id is public",
		"bitbucket-client-id":             "a client's id is public",
		"discord-client-id":               "it takes every channel and server",
		"linkedin-client-id":              "a client's id is public",
		"looker-client-id":                "a client's id is public",
		"messagebird-client-id":           "a client's id is public",
		"plaid-client-id":                 "a client's id is public",
		"sendbird-access-id":              "an application's id is public",
	}
}

// gitleaksFormats returns the formats of gitleaks: its table alone, read as data.
// Nothing of its scanner is run, which has settings of its own, logs what it
// finds, and obeys comments in the text that it judges.
func gitleaksFormats() ([]tokenFormat, error) {
	var table struct {
		Rules []struct {
			ID, Regex   string
			SecretGroup int
			Entropy     float64
			Keywords    []string
			Allowlists  []struct {
				RegexTarget        string
				Regexes, Stopwords []string
			}
		}
	}
	if err := toml.Unmarshal([]byte(config.DefaultConfig), &table); err != nil {
		return nil, fmt.Errorf("read the rules of gitleaks: %w", err)
	}
	formats, skip := []tokenFormat{}, notTaken()
	for _, r := range table.Rules {
		if skip[r.ID] != "" {
			continue
		}
		f := tokenFormat{id: r.ID, pattern: r.Regex, keywords: lowerAll(r.Keywords), entropy: r.Entropy, group: r.SecretGroup, checksum: checksumOf(r.ID)}
		for _, list := range r.Allowlists {
			if len(list.Stopwords) > 0 || list.RegexTarget != "" {
				return nil, fmt.Errorf("read rule %q of gitleaks: %w", r.ID, errAllowlist)
			}
			f.allow = append(f.allow, list.Regexes...)
		}
		formats = append(formats, f)
	}
	return formats, nil
}

// errAllowlist reports an allowlist of a kind that no rule had when this was
// written: it is not read, and must not be passed over.
var errAllowlist = errors.New("its allowlist is not of patterns of values")

func lowerAll(words []string) []string {
	words = slices.Clone(words)
	for i, word := range words {
		words[i] = strings.ToLower(word)
	}
	return words
}
