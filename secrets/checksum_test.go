package secrets_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lintel-policy/lintel/secrets"
)

// TestChecksums: a wrong checksum is said, and clears nothing. A checksum may be
// wrong because the token is made up, or because its format has changed.
func TestChecksums(t *testing.T) {
	random := "q7LxZr2Vd9TnB4kWm8YcP3sHj6FgAe"
	routable := "glpat-" + "mZ3xQ7Rk2Vt9Bn4Wc8Yd1Ls6Hj5Fg0ApbzoxCnU6MQpwOjEH.01.10"
	cases := map[string]struct {
		reason string
		text   string
		want   []string
	}{
		"GitHub": {
			reason: "The last six characters are the checksum of the thirty before.",
			text:   secrets.WithCRC("ghp_" + random),
			want:   []string{"github-pat"},
		},
		"GitHubWrong": {
			reason: "The right shape with a wrong checksum is found all the same.",
			text:   "ghp_" + random + "0000aZ",
			want:   []string{"github-pat-unverified"},
		},
		"NPM": {
			reason: "The dummy with a right checksum that scanners test with.",
			text:   "npm_" + "qkJaB6MffYVzZXWqmcoF49yrUxP3wf" + "0LsakP",
			want:   []string{"npm-access-token"},
		},
		"NPMWrong": {
			reason: "One other character before the checksum makes it wrong.",
			text:   "npm_" + "qkJaB6MffYVzZXWqmcoF49yrUxP3wg" + "0LsakP",
			want:   []string{"npm-access-token-unverified"},
		},
		"GitLab": {
			reason: "The checksum of a routable token is of all before it.",
			text:   routable + secrets.CRC36(routable),
			want:   []string{"gitlab-routable-token"},
		},
		"GitLabWrong": {
			reason: "A routable token with a wrong checksum is found all the same.",
			text:   routable + "0abcdef",
			want:   []string{"gitlab-routable-token-unverified"},
		},
		"GitLabOld": {
			reason: "The twenty characters of an older token have no checksum.",
			text:   "glpat-" + "mZ3xQ7Rk2Vt9Bn4Wc8Yd",
			want:   []string{"gitlab-pat"},
		},
	}
	tokens := newTokens(t)
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := slices.Sorted(maps.Keys(rulesIn(tokens, "VALUE", tc.text)))
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s\nfind(%q): -want, +got:\n%s", tc.reason, strings.Repeat("*", len(tc.text)), diff)
			}
		})
	}
}
