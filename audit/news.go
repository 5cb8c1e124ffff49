package audit

import (
	"slices"

	openreports "github.com/openreports/reports-api/apis/openreports.io/v1alpha1"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/report"
)

// News is what a report says of one object that the report before it did not say:
// violations of policies that deny or warn.
//
// What is the news is seen by the reports and not by what a leader remembers, so that
// another leader has none, nor one that was started anew. What a report has no room for
// is no news before it has.
type News struct {
	Finding    *Finding
	Violations []report.Violation
}

// newsOf returns what is new in a report. before is nil if there was none.
func newsOf(space Space, before, after *openreports.Report) []News {
	fresh := fresh(before, after)
	if len(fresh) == 0 {
		return nil
	}
	var news []News
	for i := range space.Findings {
		f := &space.Findings[i]
		n := News{Finding: f}
		results := f.results(nil)
		for k, v := range f.Violations { // whose results are the first
			if fresh[tell(&results[k])] {
				n.Violations = append(n.Violations, v)
			}
		}
		if len(n.Violations) > 0 {
			news = append(news, n)
		}
	}
	return news
}

// A told is what is told of once: the same violation of a policy that warns is others'
// business than when it was just recorded.
type told struct {
	said
	enforcement string
}

func tell(r *openreports.ReportResult) told { return told{newSaid(r), r.Properties["enforcement"]} }

// fresh returns what of a report is to be told of and was not in the one before.
func fresh(before, after *openreports.Report) map[told]bool {
	known := map[told]bool{}
	if before != nil {
		for i := range before.Results {
			known[tell(&before.Results[i])] = true
		}
	}
	tells := []string{string(v1alpha1.Deny), string(v1alpha1.Warn)}
	found := map[told]bool{}
	for i := range after.Results {
		if t := tell(&after.Results[i]); !known[t] && slices.Contains(tells, t.enforcement) {
			found[t] = true
		}
	}
	return found
}
