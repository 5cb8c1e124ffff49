package engine

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/lintel-policy/lintel/api/v1alpha1"
)

const (
	// maxMessage is how long a denial is at most, in bytes. The API server relays
	// megabytes; nobody reads them.
	maxMessage = 4 << 10
	// maxWarning and maxWarnings are how long a warning and all of them together
	// are at most, in bytes: the API server cuts at 256 and at 4 KiB.
	maxWarning  = 240
	maxWarnings = 3500
)

// Message returns what a denied user reads: every reason at once, worst first. It
// is "" where the request is allowed.
func (d *Decision) Message() string {
	if d.Allowed() {
		return ""
	}
	denied := d.With(v1alpha1.Deny)
	lines := Lines(denied)
	for _, e := range d.Errors {
		if e.OnError == v1alpha1.OnErrorDeny {
			lines = append(lines, fmt.Sprintf("  %s  could not decide: %s", e.Policy, Printable(e.Err.Error())))
		}
	}
	headline := d.Object.Printable() + " could not be judged:"
	if len(denied) > 0 {
		headline = Headline(d.Object, denied)
	}
	return strings.Join(slices.Concat([]string{headline}, fit(lines, maxMessage-512), []string{Footer(d.Revision)}), "\n")
}

// Headline says how many policies an object breaks and in how many points. The
// lines of [Lines] come after it.
func Headline(object ObjectRef, violations []Violation) string {
	return fmt.Sprintf("%s breaks %s (%s):", object.Printable(), Counted(policyCount(violations), "policy", "policies"),
		Counted(len(violations), "violation", "violations"))
}

// shownRevision is how many characters of a revision people read. It is enough to
// tell sets apart, and a search for it finds the whole one in logs.
const shownRevision = 7

// Footer says by which policies it was decided. It is the last line.
func Footer(revision string) string {
	return "policies " + revision[:min(len(revision), shownRevision)]
}

// Printable returns the name of the object, short and without what a terminal obeys.
func (o ObjectRef) Printable() string { return Printable(cut(o.String(), 256)) }

func policyCount(violations []Violation) int {
	names := map[string]bool{}
	for _, v := range violations {
		names[v.Policy] = true
	}
	return len(names)
}

// Counted returns n with the noun that goes with it.
func Counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// With returns the violations of one enforcement, in their order.
func (d *Decision) With(e v1alpha1.Enforcement) []Violation {
	var found []Violation
	for _, v := range d.Violations {
		if v.Enforcement == e {
			found = append(found, v)
		}
	}
	return found
}

// Lines returns a line for each violation, the names of policies in a column.
func Lines(violations []Violation) []string {
	width := 0
	for _, v := range violations {
		width = max(width, len(v.Policy))
	}
	lines := make([]string, len(violations))
	for i, v := range violations {
		lines[i] = fmt.Sprintf("  %-*s  %s", width, v.Policy, v.Text())
	}
	return lines
}

// Text returns where the violation is and what it is, in one line.
func (v Violation) Text() string {
	where := Printable(cut(v.Path.String(), 512))
	if v.Subject != "" {
		where += " (" + Printable(cut(v.Subject, 128)) + ")"
	}
	if where == "" {
		return Printable(v.Message)
	}
	return where + ": " + Printable(v.Message)
}

// fit returns as many lines as fit into size bytes, and how many did not. A
// single line that is too long is cut.
func fit(lines []string, size int) []string {
	var kept []string
	for i, line := range lines {
		if size -= len(line) + 1; size < 0 {
			if i == 0 {
				kept, i = append(kept, cut(line, maxMessage-1024)), 1
			}
			if rest := len(lines) - i; rest > 0 {
				kept = append(kept, fmt.Sprintf("  +%d more", rest))
			}
			return kept
		}
		kept = append(kept, line)
	}
	return kept
}

// Due says from when on a violation that is let by is denied, in a few words; it is
// "" where no stage to come denies it.
func (v Violation) Due() string {
	if v.DeniedFrom.IsZero() {
		return ""
	}
	return "denied from " + Moment(v.DeniedFrom)
}

// Warnings returns what an admitted user is told: exceptions that end soon, then
// violations that only warn, and policies that could not decide and do not deny
// because of it.
func (d *Decision) Warnings() []string {
	texts := Ending(d.Excused, d.Time)
	for _, v := range d.With(v1alpha1.Warn) {
		text := v.Policy
		if due := v.Due(); due != "" {
			text += " (" + due + ")" // before what may be cut off
		}
		text += ": " + v.Text()
		if v.Existing {
			text += " (as before)"
		}
		texts = append(texts, text)
	}
	for _, e := range d.Errors {
		if e.OnError == v1alpha1.OnErrorAllow {
			texts = append(texts, e.Policy+": could not decide: "+e.Err.Error())
		}
	}
	return FitWarnings(texts)
}

// FitWarnings makes texts fit for an API server: each in one line of at most 240
// bytes, all of them together in 3.5 KiB, the last saying how many are left out.
func FitWarnings(texts []string) []string {
	var warnings []string
	size := 0
	for i, text := range texts {
		text = cut(Printable(text), maxWarning)
		if size += len(text); size > maxWarnings-maxWarning {
			return append(warnings, fmt.Sprintf("+%d more", len(texts)-i))
		}
		warnings = append(warnings, text)
	}
	return warnings
}

// cut shortens s to size bytes, with "…" at the end where something is missing.
func cut(s string, size int) string {
	if len(s) <= size {
		return s
	}
	end := size - len("…")
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "…"
}

// Printable returns s with all that would move a terminal's cursor, change its
// colours or the direction of text, or break a line, written as an escape. So is what
// begins a command to GitHub Actions or Azure Pipelines, which look for them anywhere
// in the lines of a log.
func Printable(s string) string {
	s = commands.Replace(s)
	if !strings.ContainsFunc(s, isUnprintable) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case !isUnprintable(r):
			b.WriteRune(r)
		case r < 0x100:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

var commands = strings.NewReplacer("##[", `##\x5b`, "##vso[", `##vso\x5b`)

// PrintableLine is [Printable] for what may be the beginning of a line: there, after
// space too, GitHub Actions takes two colons for a command.
func PrintableLine(s string) string {
	rest := strings.TrimLeftFunc(s, func(r rune) bool { return unicode.IsSpace(r) || isUnprintable(r) })
	if after, ok := strings.CutPrefix(rest, "::"); ok {
		return Printable(s[:len(s)-len(rest)]) + `\x3a:` + Printable(after)
	}
	return Printable(s)
}

// PrintableLines is [Printable] for text of several lines, which stay lines. Breaks at
// its end are dropped, and a tab is two spaces.
func PrintableLines(s string) string {
	lines := strings.Split(strings.TrimRight(s, "\r\n"), "\n")
	for i, line := range lines {
		lines[i] = PrintableLine(strings.ReplaceAll(strings.TrimSuffix(line, "\r"), "\t", "  "))
	}
	return strings.Join(lines, "\n")
}

// isUnprintable reports control and format characters and line separators: C0
// and C1, bidirectional overrides, zero-width characters, U+2028 and U+2029.
func isUnprintable(r rune) bool {
	return unicode.Is(unicode.C, r) || r == '\u2028' || r == '\u2029' || r == utf8.RuneError
}
