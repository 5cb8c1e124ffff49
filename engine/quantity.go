package engine

import (
	"math"
	"strconv"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/types"
	"k8s.io/apimachinery/pkg/api/resource"
)

// maxQuantity bounds the length of a quantity in bytes and its exponent. Beyond it
// Kubernetes goes on, at a cost that grows with the exponent itself, so that
// "1e-999999999" in an annotation would keep a processor busy for hours.
const maxQuantity = 256

// quantityDecl declares the function k8s.quantity, which [quantity] is.
//
//nolint:gochecknoglobals // a declaration, like those that OPA keeps of its own functions
var quantityDecl = &ast.Builtin{
	Name: "k8s.quantity",
	Description: "Reads a quantity of Kubernetes, such as `100m`, `1Gi` or the number 2, and returns it exactly and in base units: " +
		"cores, bytes. Like Kubernetes it rounds away from zero to a billionth. What is no quantity, whatever its type, is null; " +
		"so is a text of more than 256 bytes or with an exponent beyond 256.",
	Decl: types.NewFunction(
		types.Args(types.Named("x", types.A).Description("a string or a number, or whatever stands in their place")),
		types.Named("y", types.NewAny(types.N, types.Nl)).Description("the number, or null"),
	),
	CanSkipBctx: true,
}

// quantity calls iter with the number that the operand stands for, or with null.
func quantity(_ topdown.BuiltinContext, operands []*ast.Term, iter func(*ast.Term) error) error {
	switch x := operands[0].Value.(type) {
	case ast.Number:
		text, ok := baseUnits(string(x))
		if text == string(x) {
			return iter(operands[0])
		}
		return iter(numberOrNull(text, ok))
	case ast.String:
		return iter(numberOrNull(baseUnits(strings.TrimSpace(string(x)))))
	}
	return iter(ast.InternedNullTerm)
}

func numberOrNull(text string, ok bool) *ast.Term {
	switch {
	case !ok:
		return ast.InternedNullTerm
	case len(text) == 1:
		return ast.InternedTerm(int(text[0] - '0'))
	}
	return ast.NewTerm(ast.Number(text))
}

// baseUnits returns a quantity as a decimal number without exponent, superfluous
// zeros or sign, and whether it is one.
func baseUnits(s string) (string, bool) {
	if text, ok := plainUnits(s); ok {
		return text, true
	}
	if len(s) > maxQuantity {
		return "", false
	}
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		exponent, err := strconv.Atoi(s[i+1:]) // an error is a suffix, or for the parser to find
		if err == nil && (exponent > maxQuantity || exponent < -maxQuantity) {
			return "", false
		}
	}
	q, err := resource.ParseQuantity(s)
	if err != nil {
		return "", false
	}
	return trimZeros(q.AsDec().String()), true
}

// plainUnits is baseUnits for what nearly all manifests have: up to 18 digits, as
// many as always fit an int64, and a suffix.
func plainUnits(s string) (string, bool) {
	digits := 0
	for digits < len(s) && '0' <= s[digits] && s[digits] <= '9' {
		digits++
	}
	if digits == 0 || digits > 18 {
		return "", false
	}
	if digits == len(s) && (s[0] != '0' || digits == 1) {
		return s, true
	}
	n, err := strconv.ParseInt(s[:digits], 10, 64)
	if err != nil {
		return "", false
	}
	switch suffix := s[digits:]; suffix {
	case "":
		return strconv.FormatInt(n, 10), true
	case "m":
		return thousandths(n), true
	case "k":
		return times(n, 1e3)
	case "M":
		return times(n, 1e6)
	case "G":
		return times(n, 1e9)
	case "Ki":
		return times(n, 1<<10)
	case "Mi":
		return times(n, 1<<20)
	case "Gi":
		return times(n, 1<<30)
	}
	return "", false
}

// times returns n times unit, and whether an int64 holds it.
func times(n, unit int64) (string, bool) {
	if n > math.MaxInt64/unit {
		return "", false
	}
	return strconv.FormatInt(n*unit, 10), true
}

// thousandths returns n/1000.
func thousandths(n int64) string {
	if n%1000 == 0 {
		return strconv.FormatInt(n/1000, 10)
	}
	text := make([]byte, 0, 24)
	text = strconv.AppendInt(text, n/1000, 10)
	text = append(text, '.', byte('0'+n/100%10), byte('0'+n/10%10), byte('0'+n%10))
	return trimZeros(string(text))
}

// trimZeros drops the zeros at the end of a decimal fraction.
func trimZeros(s string) string {
	if !strings.Contains(s, ".") {
		return s
	}
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}
