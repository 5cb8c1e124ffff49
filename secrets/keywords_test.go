package secrets_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lintel-policy/lintel/secrets"
)

// TestKeywords compares the automaton with looking for each word at each place.
// Words of two letters overlap and are parts of each other as much as can be.
func TestKeywords(t *testing.T) {
	chance := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		words := []string{}
		for range 1 + chance.IntN(8) {
			words = append(words, letters(chance, 1+chance.IntN(6), "ab"))
		}
		text := letters(chance, 60, "abAB-")
		got := [][3]int{}
		secrets.Words(words...)(text, func(number, start, end int) bool {
			got = append(got, [3]int{number, start, end})
			return true
		})
		slices.SortFunc(got, func(a, b [3]int) int { return slices.Compare(a[:], b[:]) })
		if diff := cmp.Diff(naive(words, text), got); diff != "" {
			t.Fatalf("%q in %q: -want, +got:\n%s", words, text, diff)
		}
	}
}

func naive(words []string, text string) [][3]int {
	found := [][3]int{}
	for number, word := range words {
		for start := range text {
			if strings.HasPrefix(strings.ToLower(text[start:]), word) {
				found = append(found, [3]int{number, start, start + len(word)})
			}
		}
	}
	return found
}

func letters(chance *rand.Rand, n int, of string) string {
	text := make([]byte, n)
	for i := range text {
		text[i] = of[chance.IntN(len(of))]
	}
	return string(text)
}
