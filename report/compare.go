package report

import (
	"maps"
	"slices"
)

// A Comparison says how the findings of a run compare with a baseline.
type Comparison struct {
	// Old is how many findings of the run are in the baseline.
	Old int `json:"old"`
	// Gone is how many findings of the baseline are not there any more, although
	// the policy was asked about the object.
	Gone int `json:"gone"`
	// Elsewhere is how many it has of objects and policies that the run was not about.
	Elsewhere int `json:"elsewhere"`

	kept map[finding]int // the baseline without what is gone
}

// Compare marks the violations of r that are in the baseline, and says in
// r.Baseline how they compare.
//
// The same text makes the same finding. Where the baseline is of other policies,
// whose texts may have been improved since, another text of the same policy about
// the same field is the same finding as well, as often as the baseline has it.
func (b *Baseline) Compare(r *Report) {
	c := &Comparison{kept: map[finding]int{}}
	left := maps.Clone(b.counts)
	for i := range r.Objects { // what is marked is of one object
		r.Objects[i].Violations = slices.Clone(r.Objects[i].Violations)
	}
	take := func(v *Violation, had, is finding) {
		left[had]--
		c.kept[is]++
		c.Old++
		v.Old = true
	}
	r.each(func(o *Object, v *Violation) {
		if f := findingOf(o, *v); left[f] > 0 {
			take(v, f, f)
		}
	})
	if b.revision != r.Revision {
		others := withoutText(left)
		r.each(func(o *Object, v *Violation) {
			f := findingOf(o, *v)
			if v.Old {
				return
			}
			candidates := others[f.withoutText()]
			for len(candidates) > 0 && left[candidates[0]] == 0 {
				candidates = candidates[1:] // for good, so that no file makes this slow
			}
			others[f.withoutText()] = candidates
			if len(candidates) > 0 {
				take(v, candidates[0], f)
			}
		})
	}
	c.rest(left, newSettled(r))
	r.Baseline = c
}

// rest sorts what the run did not find into what is gone and what it was not about.
func (c *Comparison) rest(left map[finding]int, s settled) {
	for f, n := range left {
		switch {
		case n == 0:
		case s[question{f.Object, f.Policy}]:
			c.Gone += n
		default:
			c.Elsewhere += n
			c.kept[f] += n
		}
	}
}

func (f finding) withoutText() finding {
	f.Message = ""
	return f
}

// withoutText returns the findings by what they are but for their text.
func withoutText(counts map[finding]int) map[finding][]finding {
	by := map[finding][]finding{}
	for _, f := range slices.SortedFunc(maps.Keys(counts), finding.compare) {
		by[f.withoutText()] = append(by[f.withoutText()], f)
	}
	return by
}

// A question is what a policy says of an object.
type question struct {
	object identity
	policy string
}

// settled has the questions that the run answered for each object of that identity.
type settled map[question]bool

func newSettled(r *Report) settled {
	s := settled{}
	open := map[question]bool{}
	unjudged := map[identity]bool{}
	for i := range r.Objects {
		o := &r.Objects[i]
		id := identityOf(o.Ref)
		unjudged[id] = unjudged[id] || o.Err != nil || o.Passed != ""
		for _, name := range o.Asked {
			s[question{id, name}] = true
		}
		for _, e := range o.Errors {
			open[question{id, e.Policy}] = true
		}
	}
	maps.DeleteFunc(s, func(q question, _ bool) bool { return open[q] || unjudged[q.object] })
	return s
}
