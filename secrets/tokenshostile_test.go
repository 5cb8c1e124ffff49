package secrets_test

import (
	"runtime"
	"strings"
	"testing"
	"time"
)

// hostileToTokens are texts of a megabyte that are made to be slow: one long line of one
// kind of character, keywords and nothing else, and tokens that are right up to
// their last character.
func hostileToTokens() map[string]string {
	texts := map[string]string{}
	for name, piece := range map[string]string{
		"Letters": "a", "Spaces": " ", "Base64": "Zm9vYmFy", "GitHub": "ghp_", "Names": "secret", "GitLab": "glpat-", "Assigned": "datadog=", "Azure": "+aba+ast",
		"Searched": "1Q~", "OpenAI": "T3BlbkFJ", "Providers": "cloudflare_datadog_twitter = ", "Shortest": "s.", "Many": "sk-", "Open": "pypi-" + "AgEIcHlwaS5vcmc",
		"Nested": "sntrys_" + "eyJpYXQiO", "InWords": "global,lobby", "Colons": "0123456789:AA", "OneShort": "hf_" + "aBcDeFgHiJkLmNoPqRsTuVwXyZaBcDeFg ",
		"OneShortNamed": "datadog=" + "0a1b2c3d4e5f6a7b8c9d0a1b2c3d4e5f6a7b8c9 ", "Tokens": "glpat-" + "mZ3xQ7Rk2Vt9Bn4Wc8Yd ",
	} {
		texts[name] = strings.Repeat(piece, 1<<20/len(piece))
	}
	return texts
}

// TestTokensHostile bounds what each takes: its time with a bound that only a hang
// passes, what it allocates with one that holds anywhere.
func TestTokensHostile(t *testing.T) {
	tokens := newTokens(t)
	tokens.CompileAll()
	for name, text := range hostileToTokens() {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			tokens.Find("TOKEN", text, func(string, int, int) {})
			tokens.Find(text, "0a1b2c3d4e5f6a7b8c9d0a1b2c3d4e5f", func(string, int, int) {})
			took := time.Since(start)
			runtime.ReadMemStats(&after)
			if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 4<<20 && !underRace {
				t.Errorf("%d bytes are allocated, want 4 MB at most", allocated)
			}
			if took > 5*time.Second {
				t.Errorf("it takes %v", took)
			}
		})
	}
}

func BenchmarkTokensHostile(b *testing.B) {
	tokens := newTokens(b)
	tokens.CompileAll()
	for name, text := range hostileToTokens() {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				tokens.Find("", text, func(string, int, int) {})
			}
		})
	}
}

func BenchmarkTokensNew(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		newTokens(b)
	}
}

// BenchmarkTokensText is the text of a large ConfigMap.
func BenchmarkTokensText(b *testing.B) {
	tokens := newTokens(b)
	text := strings.Repeat("  - name: LOG_LEVEL\n    value: \"info\"\n  image: registry.example.com/shop/web:1.27.4\n  datadog.url: https://app.datadoghq.com # see the docs. All pods\n", 1400)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		tokens.Find("agent.yaml", text, func(string, int, int) {})
	}
}

// BenchmarkTokensValue is one environment variable.
func BenchmarkTokensValue(b *testing.B) {
	tokens := newTokens(b)
	b.ReportAllocs()
	found := 0
	for b.Loop() {
		tokens.Find("DATADOG_SITE", "datadoghq.eu", func(string, int, int) { found++ })
	}
}
