package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/junit"
)

// cases returns the tests of one object.
func (r *Report) cases(o *Object) []junit.Case {
	class := o.Ref.Printable()
	switch {
	case o.Err != nil:
		return []junit.Case{{Name: "can be judged", Class: class, Error: newOutcome("error", o.Err.Error(), o.Source.String())}}
	case o.Passed != "":
		return []junit.Case{{Name: "is judged", Class: class, Skipped: newOutcome("", o.Passed, "")}}
	}
	var cases []junit.Case
	for _, policy := range o.policies() {
		cases = append(cases, r.testCase(o, policy))
	}
	return cases
}

// policies returns the names of the policies that have to do with the object.
func (o *Object) policies() []string {
	names := slices.Clone(o.Asked)
	for _, v := range o.Violations {
		names = append(names, v.Policy)
	}
	for _, e := range o.Errors {
		names = append(names, e.Policy)
	}
	for _, e := range o.Excused {
		names = append(names, e.Policy)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// testCase returns what one policy says of an object.
func (r *Report) testCase(o *Object, policy string) junit.Case {
	c := junit.Case{Name: engine.Printable(policy), Class: o.Ref.Printable()}
	var failing, other []Violation
	for _, v := range o.Violations {
		switch {
		case v.Policy != policy:
		case r.fails(v):
			failing = append(failing, v)
		default:
			other = append(other, v)
		}
	}
	if len(failing) > 0 {
		message := engine.Counted(len(failing), "violation", "violations") + ": " + failing[0].Text()
		c.Failure = newOutcome(string(failing[0].Severity), message, listed(failing))
	}
	say(&c, listed(other))
	for _, e := range o.Errors {
		if e.Policy == policy {
			undecided(&c, e, r.FailOn)
		}
	}
	for _, e := range o.Excused {
		if e.Policy == policy && c.Failure == nil && c.Error == nil && !slices.Contains(o.Asked, policy) {
			c.Skipped = newOutcome("", "excused by "+e.Exception, "")
		}
	}
	return c
}

// undecided takes up that the policy could not decide. A test is an error or a failure,
// never both.
func undecided(c *junit.Case, e *engine.PolicyError, failOn FailOn) {
	message := "could not decide: " + e.Err.Error()
	fails := e.OnError == v1alpha1.OnErrorDeny || e.OnError == v1alpha1.OnErrorAllow && failOn.fails(v1alpha1.Warn)
	if fails && c.Failure == nil {
		c.Error = newOutcome("error", message, "")
		return
	}
	say(c, engine.PrintableLines(message)+"\n")
}

// say adds to what the test says beside its outcome.
func say(c *junit.Case, text string) {
	switch {
	case text == "":
	case c.Output == nil:
		c.Output = &junit.Text{Text: text}
	default:
		c.Output.Text += text
	}
}

// listed returns violations with their places and what puts them right.
func listed(found []Violation) string {
	var b strings.Builder
	for _, v := range found {
		text := v.Text()
		switch {
		case v.Old:
			text += " (in the baseline)"
		case v.Enforcement == v1alpha1.Warn:
			text += " (admitted with a warning)"
		case v.Enforcement == v1alpha1.DryRun:
			text += " (admitted and recorded)"
		}
		fmt.Fprintln(&b, text)
		if place := where(v); place != "" {
			fmt.Fprintln(&b, "    "+place)
		}
		b.WriteString(indented(v.Fix))
	}
	return b.String()
}

// newOutcome returns an outcome; kind may be "".
func newOutcome(kind, message, text string) *junit.Outcome {
	return &junit.Outcome{Type: kind, Message: engine.PrintableLines(message), Text: text}
}
