package engine

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lintel-policy/lintel/api/v1alpha1"
)

// EndingSoon is how long before an exception ends people are warned: two weeks, in
// which most teams release once.
const EndingSoon = 14 * 24 * time.Hour

// excused returns what an exception excuses a request from.
func (s *Set) excused(p *policy, r *Request, e *exception) Excuse {
	then, err := p.settingsFor(r.At(e.expires))
	if err != nil || s.controllers[r.user] && !p.info.Controlled {
		then.enforcement = v1alpha1.DryRun // it is not denied, and has nobody to tell
	}
	return Excuse{Policy: p.info.Name, Exception: e.namespace + "/" + e.name, Expires: e.expires, Then: then.enforcement}
}

// Ending returns a text for each exception that ends soon, and excuses from what
// people would be told of, sorted.
func Ending(excused []Excuse, now time.Time) []string {
	of := map[string][]Excuse{}
	for _, e := range excused {
		if e.Then != "" && e.Then != v1alpha1.DryRun && e.Expires.Sub(now) <= EndingSoon {
			of[e.Exception] = append(of[e.Exception], e)
		}
	}
	var texts []string
	for name, excuses := range of {
		texts = append(texts, fmt.Sprintf("exception %s ends on %s: from then on what it excuses is held to %s", name, Moment(excuses[0].Expires), policiesOf(excuses)))
	}
	slices.Sort(texts)
	return texts
}

// policiesOf names the policies of excuses, each once, with their enforcement.
func policiesOf(excuses []Excuse) string {
	slices.SortFunc(excuses, func(a, b Excuse) int { return cmp.Compare(a.Policy, b.Policy) })
	var names []string
	for _, e := range excuses {
		names = append(names, fmt.Sprintf("%s (%s)", e.Policy, e.Then))
	}
	return strings.Join(slices.Compact(names), ", ")
}
