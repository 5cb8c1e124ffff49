package engine_test

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/lintel-policy/lintel/engine"
)

// quantityOf returns what k8s.quantity says of x.
func quantityOf(t testing.TB, x *ast.Term) *ast.Term {
	t.Helper()
	var got *ast.Term
	err := engine.Builtins()["k8s.quantity"].Func(topdown.BuiltinContext{}, []*ast.Term{x}, func(y *ast.Term) error {
		got = y
		return nil
	})
	if err != nil || got == nil {
		t.Fatalf("k8s.quantity(%v): got %v, error %v", x, got, err)
	}
	return got
}

func TestQuantity(t *testing.T) {
	cases := map[string]struct {
		reason string
		x      string // as Rego
		want   string
	}{
		"Zero":            {"Nothing is a quantity.", `"0"`, `0`},
		"One":             {"A plain number is itself.", `"1"`, `1`},
		"Milli":           {"A hundred millicores are a tenth of a core.", `"100m"`, `0.1`},
		"MilliMemory":     {"So are a hundred millibytes of a byte.", `"128974848000m"`, `128974848`},
		"MilliWhole":      {"Thousandths that make a whole number are that number.", `"2000m"`, `2`},
		"MilliThree":      {"All three places count.", `"1005m"`, `1.005`},
		"Micro":           {"A millionth.", `"500u"`, `0.0005`},
		"Nano":            {"A billionth.", `"500n"`, `0.0000005`},
		"BelowNano":       {"Less than a billionth is rounded up to one.", `"0.1n"`, `0.000000001`},
		"BelowNanoMinus":  {"And away from zero below it.", `"-0.1n"`, `-0.000000001`},
		"Kilo":            {"k is a thousand.", `"1k"`, `1000`},
		"Mega":            {"M is a million.", `"128M"`, `128000000`},
		"Giga":            {"G is a thousand million.", `"3G"`, `3000000000`},
		"Tera":            {"T is the next.", `"1T"`, `1000000000000`},
		"Peta":            {"P is the next.", `"1P"`, `1000000000000000`},
		"Exa":             {"E is a suffix when nothing follows it.", `"1E"`, `1000000000000000000`},
		"Kibi":            {"Ki is 1024.", `"1Ki"`, `1024`},
		"Mebi":            {"Mi is 1024 times that.", `"128Mi"`, `134217728`},
		"Gibi":            {"Gi is 1024 times that.", `"2Gi"`, `2147483648`},
		"Tebi":            {"Ti is 1024 times that.", `"1Ti"`, `1099511627776`},
		"Pebi":            {"Pi is 1024 times that.", `"1Pi"`, `1125899906842624`},
		"Exbi":            {"Ei is exact, though no float64 holds all of its neighbours.", `"1Ei"`, `1152921504606846976`},
		"ExbiCapped":      {"Binary suffixes end at the largest int64.", `"16Ei"`, `9223372036854775807`},
		"ExaNotCapped":    {"Decimal ones do not.", `"16E"`, `16000000000000000000`},
		"Exponent":        {"e is an exponent.", `"1e3"`, `1000`},
		"ExponentUpper":   {"So is E before digits.", `"1E3"`, `1000`},
		"ExponentPlus":    {"An exponent may have a sign.", `"1e+3"`, `1000`},
		"ExponentMinus":   {"A negative one, too.", `"25e-2"`, `0.25`},
		"Fraction":        {"A fraction of a core.", `"0.5"`, `0.5`},
		"FractionZeros":   {"Zeros at the end say nothing.", `"1.50"`, `1.5`},
		"FractionSuffix":  {"A fraction of a gibibyte is whole bytes.", `"0.5Gi"`, `536870912`},
		"FractionOfMilli": {"A fraction of a thousandth.", `"0.5m"`, `0.0005`},
		"PointFirst":      {"The zero before the point may be left out.", `".5"`, `0.5`},
		"PointLast":       {"So may the places behind it.", `"5."`, `5`},
		"Plus":            {"A sign is allowed.", `"+1"`, `1`},
		"Minus":           {"A quantity can be negative.", `"-1"`, `-1`},
		"MinusZero":       {"Zero has no sign.", `"-0"`, `0`},
		"LeadingZeros":    {"Zeros in front say nothing, and make nothing octal.", `"014"`, `14`},
		"SpaceBefore":     {"White space around it is taken away.", `" 1"`, `1`},
		"SpaceAfter":      {"On either side.", `"1Gi\n"`, `1073741824`},
		"Huge":            {"Beyond an int64 all digits count.", `"123456789012345678901234567890"`, `123456789012345678901234567890`},
		"OverflowGi":      {"So with a suffix, up to the cap.", `"99999999999Gi"`, `9223372036854775807`},
		"OverflowM":       {"A decimal suffix has no cap.", `"999999999999999999M"`, `999999999999999999000000`},
		"ExponentBound":   {"The largest exponent there is.", `"1e256"`, "1" + strings.Repeat("0", 256)},
		"Number":          {"A number stands for itself.", `2`, `2`},
		"NumberFraction":  {"A fraction, too.", `0.5`, `0.5`},
		"NumberExponent":  {"Numbers go through their text.", `1e3`, `1000`},
		"NumberLarge":     {"No digit of a large one is lost.", `9007199254740993`, `9007199254740993`},
		"NumberMinus":     {"A negative one is negative.", `-1`, `-1`},
		"NumberNano":      {"Rounding is the same as in strings.", `0.0000000001`, `0.000000001`},

		"Empty":          {"Nothing is no quantity.", `""`, `null`},
		"Blank":          {"Neither is white space.", `"  "`, `null`},
		"Words":          {"Neither are words.", `"lots"`, `null`},
		"UpperK":         {"K alone is no suffix in Kubernetes.", `"1K"`, `null`},
		"ExponentEmpty":  {"An exponent needs digits.", `"1e"`, `null`},
		"LowerKi":        {"Suffixes have one spelling.", `"1ki"`, `null`},
		"Unit":           {"There are no units.", `"1GB"`, `null`},
		"SpaceWithin":    {"White space within is wrong.", `"1 Gi"`, `null`},
		"TwoPoints":      {"One point is enough.", `"1.2.3"`, `null`},
		"Hexadecimal":    {"Digits are decimal.", `"0x10"`, `null`},
		"Underscore":     {"And not grouped.", `"1_000"`, `null`},
		"NaN":            {"What is no number is none.", `"NaN"`, `null`},
		"OtherDigits":    {"Digits are those of ASCII.", `"١"`, `null`},
		"ExponentTooBig": {"An exponent that takes hours to carry out is refused.", `"1e999999999"`, `null`},
		"ExponentTooLow": {"On either side.", `"1e-999999999"`, `null`},
		"ExponentWraps":  {"One that Kubernetes would take for another is refused.", `"1e4294967297"`, `null`},
		"TooLong":        {"So is a text that is too long.", `"` + strings.Repeat("1", 257) + `"`, `null`},
		"Null":           {"null is none.", `null`, `null`},
		"True":           {"A boolean is none.", `true`, `null`},
		"Object":         {"An object is none.", `{"cpu": 1}`, `null`},
		"Array":          {"A list is none.", `[1]`, `null`},
		"Set":            {"A set is none.", `{1}`, `null`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := quantityOf(t, ast.MustParseTerm(tc.x)).String()
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s\nk8s.quantity(%s): -want, +got:\n%s", tc.reason, tc.x, diff)
			}
		})
	}
}

func TestQuantitiesCompareInRego(t *testing.T) {
	cases := map[string]struct{ reason, condition string }{
		"SameValue":    {"Spelling does not matter.", `k8s.quantity("0.5Gi") == k8s.quantity("512Mi")`},
		"SameInSet":    {"Nor among the members of a set.", `count({k8s.quantity(x) | some x in ["1500m", "1.5", "1.50", 1.5, "15e-1"]}) == 1`},
		"Less":         {"A tenth is less than a half.", `k8s.quantity("100m") < k8s.quantity(".5")`},
		"NotByText":    {"Numbers do not compare as text does.", `k8s.quantity("900Mi") < k8s.quantity("1Gi")`},
		"LastByte":     {"One byte more of an exbibyte is more.", `k8s.quantity("1152921504606846977") > k8s.quantity("1Ei")`},
		"LastNano":     {"So is a billionth more of a large number.", `k8s.quantity("9007199254740993.000000001") > k8s.quantity("9007199254740993")`},
		"NegativeLess": {"Less than nothing is less than nothing.", `k8s.quantity("-1n") < 0`},
		"NullIsNone":   {"What is no quantity can be told by null.", `k8s.quantity("lots") == null`},
		"Arithmetic":   {"They can be added.", `k8s.quantity("250m") + k8s.quantity("0.25") == 0.5`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			set := setOf(t, policy("compares", fmt.Sprintf("violation contains {\"msg\": \"holds\"} if %s\n", tc.condition)))
			got := summary(review(t, set, ask{object: deployment(nil)}))
			if diff := cmp.Diff([]string{"deny compares : holds"}, got); diff != "" {
				t.Errorf("%s\n%s: -want, +got:\n%s", tc.reason, tc.condition, diff)
			}
		})
	}
}

func TestHostileQuantitiesAreQuick(t *testing.T) {
	for _, s := range []string{
		"1e-999999999", "1e999999999", "1E-2147483648", "1" + strings.Repeat("0", 1<<20), "0." + strings.Repeat("0", 1<<20) + "1",
		strings.Repeat(" ", 1<<20) + "1", strings.Repeat("e", 1<<20), strings.Repeat("-", 1<<20),
	} {
		start := time.Now()
		quantityOf(t, ast.StringTerm(s))
		quantityOf(t, ast.NumberTerm("1e-999999999"))
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("k8s.quantity(%.20q…) took %v", s, took)
		}
	}
}

// checkQuantity compares what k8s.quantity says of s with what Kubernetes does.
func checkQuantity(t testing.TB, s string) {
	t.Helper()
	got := quantityOf(t, ast.StringTerm(s)).String()
	trimmed := strings.TrimSpace(s)
	if len(trimmed) > 256 || exponent(trimmed) > 256 {
		return // Kubernetes goes to lengths for these
	}
	q, err := resource.ParseQuantity(trimmed)
	if err != nil {
		if got != "null" {
			t.Errorf("k8s.quantity(%q): got %s, but Kubernetes says: %v", s, got, err)
		}
		return
	}
	want, _ := new(big.Rat).SetString(q.AsDec().String())
	number, ok := new(big.Rat).SetString(got)
	if !ok || number.Cmp(want) != 0 {
		t.Errorf("k8s.quantity(%q): got %s, want %s", s, got, q.AsDec())
	}
	if plain := strings.ContainsAny(got, "eE+") || strings.HasPrefix(got, "-0") && number.Sign() == 0 ||
		strings.Contains(got, ".") && strings.HasSuffix(got, "0"); plain {
		t.Errorf("k8s.quantity(%q): %s is not the plain form of the number", s, got)
	}
}

// exponent returns the magnitude of the exponent of a quantity, a large number if
// it has too many digits to tell.
func exponent(s string) int {
	_, digits, _ := strings.Cut(strings.ToLower(s), "e")
	digits = strings.TrimLeft(digits, "+-0")
	if len(digits) > 6 {
		return 1 << 30
	}
	n := 0
	for _, c := range digits {
		n = n*10 + int(c-'0')
	}
	return n
}

func TestQuantityAgreesWithKubernetes(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	pick := func(from ...string) string { return from[rng.IntN(len(from))] }
	digits := func(most int) string {
		var b strings.Builder
		for range rng.IntN(most + 1) {
			b.WriteByte(pick("0", "0", "1", "5", "9")[0])
		}
		return b.String()
	}
	for range 50_000 {
		s := pick("", "", "", "", "+", "-", " ") + digits(pick2(rng, 4, 22)) + pick("", "", ".") + digits(pick2(rng, 3, 12)) +
			pick("", "", "m", "n", "u", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei", "e3", "E3", "e-4", "e+2", "K", "e", "mi", " ", "\t")
		checkQuantity(t, s)
	}
}

func pick2(rng *rand.Rand, often, seldom int) int {
	if rng.IntN(4) == 0 {
		return seldom
	}
	return often
}

func FuzzQuantity(f *testing.F) {
	for _, s := range []string{"", "0", "100m", "128Mi", "1e3", "1E", "1Ei", "9Ei", ".5", "+1", "-1.5Gi", "0.1n", " 1 ", "m", "1e-300", "999999999999999999Gi"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { checkQuantity(t, s) })
}

func TestPlainQuantitiesAllocateLittle(t *testing.T) {
	for s, most := range map[string]float64{"0": 0, "1": 0, "250": 2, "100m": 4, "128Mi": 4, "2Gi": 4} {
		x, f := ast.StringTerm(s), engine.Builtins()["k8s.quantity"].Func
		iter := func(*ast.Term) error { return nil }
		got := testing.AllocsPerRun(100, func() {
			if err := f(topdown.BuiltinContext{}, []*ast.Term{x}, iter); err != nil {
				t.Fatal(err)
			}
		})
		if got > most+1 { // one for the slice of operands
			t.Errorf("k8s.quantity(%q): got %v allocations, want at most %v", s, got-1, most)
		}
	}
}

func BenchmarkQuantity(b *testing.B) {
	f := engine.Builtins()["k8s.quantity"].Func
	iter := func(*ast.Term) error { return nil }
	for _, s := range []string{"1", "100m", "128Mi", "1.5Gi"} {
		operands := []*ast.Term{ast.StringTerm(s)}
		b.Run(s, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := f(topdown.BuiltinContext{}, operands, iter); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
