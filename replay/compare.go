package replay

import (
	"maps"
	"slices"
	"strings"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
)

// A Class says how the verdict on a request, or that of one policy, differs.
type Class string

// The classes, those that matter most first.
const (
	NewlyDenied    Class = "newlyDenied"
	Unsure         Class = "undecided" // some policy cannot decide now
	NoLongerDenied Class = "noLongerDenied"
	NewlyWarned    Class = "newlyWarned"
	NoLongerWarned Class = "noLongerWarned"
	Otherwise      Class = "otherwise" // what it is denied for, or what is only recorded
	Same           Class = "unchanged"
)

// classes returns all classes in their order.
func classes() []Class {
	return []Class{NewlyDenied, Unsure, NoLongerDenied, NewlyWarned, NoLongerWarned, Otherwise, Same}
}

// Standings of a policy towards a request, beside its enforcements.
const (
	silent    = "none"
	undecided = "undecided"
)

// A Change is what one policy says otherwise of a request.
type Change struct {
	Policy string `json:"policy"`
	From   string `json:"from"` // none, dryrun, warn, deny or undecided
	To     string `json:"to"`
	// Path and Message are of the first that it finds now.
	Path    string `json:"path,omitempty"`
	Message string `json:"message,omitempty"`
	More    int    `json:"more,omitempty"` // that it finds beside
}

// class says what a change is of.
func (c Change) class() Class {
	deny, warn := string(v1alpha1.Deny), string(v1alpha1.Warn)
	switch {
	case c.To == deny:
		return NewlyDenied
	case c.To == undecided:
		return Unsure
	case c.From == deny:
		return NoLongerDenied
	case c.To == warn:
		return NewlyWarned
	case c.From == warn:
		return NoLongerWarned
	}
	return Otherwise
}

// standings returns how each policy that has something to say stands.
func (v Verdict) standings() map[string]string {
	order := []string{silent, string(v1alpha1.DryRun), string(v1alpha1.Warn), string(v1alpha1.Deny)}
	all := map[string]string{}
	for _, f := range v.Findings {
		if e := string(f.Enforcement); slices.Index(order, e) > max(0, slices.Index(order, all[f.Policy])) {
			all[f.Policy] = e
		}
	}
	for _, e := range v.Undecided {
		all[e.Policy] = undecided
	}
	return all
}

// compare says what changes for a request from one verdict to a decision.
func compare(before Verdict, d *engine.Decision) (Class, []Change) {
	after := newVerdict(d, d.Allowed())
	from, to := before.standings(), after.standings()
	names := maps.Clone(from)
	maps.Copy(names, to)
	var changes []Change
	for _, name := range slices.Sorted(maps.Keys(names)) {
		c := Change{Policy: name, From: orSilent(from[name]), To: orSilent(to[name])}
		if c.From != c.To {
			changes = append(changes, c.about(d))
		}
	}
	return classOf(before, after, changes), changes
}

func orSilent(standing string) string {
	if standing == "" {
		return silent
	}
	return standing
}

// about adds what the policy says now.
func (c Change) about(d *engine.Decision) Change {
	if c.To == undecided {
		for _, e := range d.Errors {
			if e.Policy == c.Policy {
				c.Message = "could not decide: " + e.Err.Error()
			}
		}
		return c
	}
	first := true
	for i := range d.Violations {
		switch v := &d.Violations[i]; {
		case v.Policy != c.Policy || string(v.Enforcement) != c.To:
		case first:
			c.Path, c.Message, first = short(v.Path.String()), short(v.Message), false
		default:
			c.More++
		}
	}
	return c
}

// short cuts what is shown as an example.
func short(text string) string {
	if len(text) > maxPath {
		text = strings.ToValidUTF8(text[:maxPath], "") + "…"
	}
	return text
}

// classOf sums up for the request what its policies change.
func classOf(before, after Verdict, changes []Change) Class {
	denied := slices.ContainsFunc(after.Findings, func(f Finding) bool { return f.Enforcement == v1alpha1.Deny })
	has := func(class Class) bool {
		return slices.ContainsFunc(changes, func(c Change) bool { return c.class() == class })
	}
	switch {
	case denied && before.Allowed:
		return NewlyDenied
	case !denied && len(after.Undecided) > 0:
		return Unsure
	case after.Allowed && !before.Allowed:
		return NoLongerDenied
	case after.Allowed && has(NewlyWarned):
		return NewlyWarned
	case after.Allowed && has(NoLongerWarned):
		return NoLongerWarned
	case len(changes) > 0:
		return Otherwise
	}
	return Same
}
