package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
)

// A LastDay is what a policy would have denied at admission in the last 24 hours.
type LastDay struct {
	Policy string `json:"policy"`
	v1alpha1.LastDay
}

// LastDays puts in order what policies would have denied, by name: most requests first.
func LastDays(by map[string]v1alpha1.LastDay) []LastDay {
	var days []LastDay
	for policy, day := range by {
		days = append(days, LastDay{policy, day})
	}
	slices.SortFunc(days, func(a, b LastDay) int {
		return cmp.Or(cmp.Compare(b.Requests, a.Requests), cmp.Compare(a.Policy, b.Policy))
	})
	return days
}

// Text says it in a sentence, at a time.
func (d LastDay) Text(now time.Time) string {
	text := fmt.Sprintf("%s %s, if it denied, would have denied %s", d.span(now), engine.Printable(d.Policy), engine.Counted(int(d.Requests), "request", "requests"))
	if owners := d.owners(); owners != "" {
		text += ": " + owners
	}
	return text
}

// hourless is a day less the hour that has begun: days are counted by hours.
const hourless = 23 * time.Hour

// span says how long it was counted.
func (d LastDay) span(now time.Time) string {
	if now.Sub(d.Since.Time) >= hourless {
		return "in the last 24 h"
	}
	return "since " + engine.Moment(d.Since.Time)
}

// owners says whose the requests were.
func (d LastDay) owners() string {
	var parts []string
	for _, o := range d.Owners {
		ref := engine.ObjectRef{Kind: o.Kind, Namespace: o.Namespace, Name: o.Name}
		text := fmt.Sprintf("%d of %s", o.Requests, ref.Printable())
		if o.Team != "" {
			text += " (" + engine.Printable(o.Team) + ")"
		}
		parts = append(parts, text)
	}
	if d.OtherRequests > 0 {
		parts = append(parts, fmt.Sprintf("%d of others", d.OtherRequests))
	}
	return strings.Join(parts, ", ")
}
