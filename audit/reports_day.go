package audit

import (
	"slices"
	"strconv"
	"time"

	openreports "github.com/openreports/reports-api/apis/openreports.io/v1alpha1"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/report"
)

// dayResults returns a result for each policy that would have denied something of late.
// They are about requests and not about objects, so they are in no summary and have no
// subjects.
func dayResults(days map[string]v1alpha1.LastDay, policies map[string]engine.Info, now time.Time) []openreports.ReportResult {
	var results []openreports.ReportResult
	for _, day := range report.LastDays(days) {
		if day.Requests == 0 {
			continue
		}
		info := policies[day.Policy]
		results = append(results, openreports.ReportResult{
			Source: source, Policy: day.Policy, Category: info.Category, Severity: openreports.ResultSeverity(info.Severity), Result: warn,
			Description: engine.PrintableLines(day.Text(now)), Timestamp: timestamp(day.Since.Time),
			Properties: map[string]string{"requests": strconv.FormatInt(day.Requests, 10)},
		})
	}
	return results
}

// days returns what is to be said of requests in a namespace: all is said in the one
// report that is of none, which only those read who may read of all.
func (r *Reports) days(namespace string, policies map[string]engine.Info) []openreports.ReportResult {
	if namespace != "" || r.LastDays == nil {
		return nil
	}
	return dayResults(r.LastDays(), policies, time.Now())
}

// tellsOtherDays reports whether other requests are to be told of than were, and notes
// that they are told.
func (r *Reports) tellsOtherDays() bool {
	days := r.days("", nil)
	r.mu.Lock()
	defer r.mu.Unlock()
	isOther := !slices.EqualFunc(days, r.told, func(a, b openreports.ReportResult) bool { return a.Description == b.Description })
	r.told = days
	return isOther
}
