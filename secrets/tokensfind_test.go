package secrets_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// hex40 is forty random digits: a commit, or the key of a dozen providers.
const hex40 = "3f9a1c07d2b84e65a0c7f1d93b5e8264" + "7a0d1c9e"

// TestTokens says what is found where: each want is a rule and the text it is for.
func TestTokens(t *testing.T) {
	github, slack := "ghp_"+"q7LxZr2Vd9TnB4kWm8YcP3sHj6FgAe1AbC9x", "xoxb-"+"123456789012-123456789012-AbCdEfGhIjKlMnOpQrSt1234"
	cases := map[string]struct {
		reason, key, text string
		want              map[string]string
	}{
		"NoName": {
			reason: "A token with a mark of its own needs no name.",
			text:   "curl -H 'Authorization: token " + github + "' https://api.github.com",
			want:   map[string]string{"github-pat-unverified": github},
		},
		"Two": {
			reason: "Each token of a text is found, with just its own bytes.",
			text:   "A=" + github + "\nB: '" + slack + "'\n",
			want:   map[string]string{"github-pat-unverified": github, "slack-bot-token": slack},
		},
		"NameOfText": {
			reason: "Forty digits are a token if the name of the text has the provider in it.",
			key:    "DATADOG_API_KEY", text: hex40,
			want: map[string]string{"datadog-access-token": hex40},
		},
		"NamesOfParents": {
			reason: "The provider may be in the name of what holds the text.",
			key:    "datadog.apiKey", text: "\"" + hex40 + "\"\n",
			want: map[string]string{"datadog-access-token": hex40},
		},
		"NamedWithMark": {
			reason: "A format with a mark that is searched for is looked for in the text of that name.",
			key:    "FACEBOOK_TOKEN", text: "1234567890123456|" + "q7LxZr2Vd9TnB4kWm8YcP3sHj6F",
			want: map[string]string{"facebook-access-token": "1234567890123456|" + "q7LxZr2Vd9TnB4kWm8YcP3sHj6F"},
		},
		"LongName": {
			reason: "What comes after the provider in a name may be longer than the pattern allows for.",
			key:    "DATADOG_FOR_ALL_OF_THE_STAGING_CLUSTERS_API_KEY", text: hex40,
			want: map[string]string{"datadog-access-token": hex40},
		},
		"NameInText": {
			reason: "The same in a dotenv file.",
			key:    ".env", text: "PORT=80\nexport DATADOG_API_KEY=" + hex40 + "\n",
			want: map[string]string{"datadog-access-token": hex40},
		},
		"NameInJSON": {
			reason: "The same in JSON.",
			text:   `{"datadogApiKey": "` + hex40 + `"}`,
			want:   map[string]string{"datadog-access-token": hex40},
		},
		"Commit":        {reason: "A commit is none, whoever's.", key: "DATADOG_AGENT_COMMIT", text: hex40},
		"CommitInText":  {reason: "Nor in a text.", text: "datadog_agent_sha: " + hex40},
		"NoProvider":    {reason: "Forty digits under a name without a provider are judged elsewhere.", key: "REVISION", text: hex40},
		"Prose":         {reason: "A sentence about a provider is no name.", text: "Datadog is used, see " + hex40},
		"Example":       {reason: "The access key of all of AWS' pages is none.", text: "AKIA" + "IOSFODNN7EXAMPLE"},
		"Crossed":       {reason: "A crossed out token is none.", text: "ghp_" + strings.Repeat("x", 36)},
		"Placeholder":   {reason: "What says that it has to be replaced is none.", key: "RESEND_API_KEY", text: "re_" + "your_api_key_here_1234567890abcdef"},
		"Repeated":      {reason: "Two letters in turn are not random.", text: "ghp_" + strings.Repeat("aB", 18)},
		"ExampleInside": {reason: "What calls itself an example is one.", text: "dckr_pat_" + "example-q7LxZr2Vd9TnB4kWm8Y"},
		"Known":         {reason: "A key that everybody has copied is allowed by its rule.", text: "AIza" + "SyA8vmApnrHNFE0bApF4hoZ11srVL_n0nvY"},
		"NoDigit":       {reason: "Sixteen letters under the name of a provider are a word or two.", key: "LINKEDIN_PAGE", text: "professionalsite"},
		"AllowedInside": {
			reason: "A token is not let go because a part of it looks like what its rule allows.",
			text:   "hvs." + "CAESIJabcdEFghKLmnOPqrSTuv" + strings.Repeat("q7LxZr2Vd9TnB4kW", 5),
			want:   map[string]string{"vault-service-token": "hvs." + "CAESIJabcdEFghKLmnOPqrSTuv" + strings.Repeat("q7LxZr2Vd9TnB4kW", 5)},
		},
		"InsideOfWord":   {reason: "A format that begins in the middle of a word is another word.", text: "registry/some" + "npm_" + "qkJaB6MffYVzZXWqmcoF49yrUxP3wf0LsakP"},
		"PublishableKey": {reason: "A key that is meant to be published is no secret.", key: "STRIPE_PUBLISHABLE_KEY", text: "pk_live_" + "51HxQ7Rk2Vt9Bn4Wc8Yd1Ls6Hj"},
		"Image":          {reason: "The digest of an image is none.", key: "DATADOG_IMAGE", text: "gcr.io/datadoghq/agent@sha256:" + hex40 + hex40[:24]},
		"AllowComment": {
			reason: "A comment in the text has no say.",
			text:   "TOKEN=" + slack + " # gitleaks:allow",
			want:   map[string]string{"slack-bot-token": slack},
		},
	}
	tokens := newTokens(t)
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if tc.want == nil {
				tc.want = map[string]string{}
			}
			if diff := cmp.Diff(tc.want, rulesIn(tokens, tc.key, tc.text)); diff != "" {
				t.Errorf("%s\nfind(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// TestTokensTooLarge: what is too much to judge is said, and never passed over.
func TestTokensTooLarge(t *testing.T) {
	tokens := newTokens(t)
	text := strings.Repeat("pypi-"+"AgEIcHlwaS5vcmc", 1<<16)
	if got := rulesIn(tokens, "", text); got["too-large"] != text {
		t.Errorf("nothing says that the text was not judged to its end")
	}
}

// TestTokensAtOnce uses a table for the first time from many sides: patterns are
// compiled then.
func TestTokensAtOnce(t *testing.T) {
	tokens := newTokens(t)
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for id, sample := range samples {
				if _, ok := rulesIn(tokens, "VALUE", sample[0]+sample[1])[id]; !ok {
					t.Errorf("%s is not found", id)
				}
			}
		})
	}
	wait.Wait()
}
