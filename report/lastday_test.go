package report_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/report"
)

// TestLastDays tells what policies would have denied, in each format that does.
func TestLastDays(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 26, 12, 30, 0, 0, time.UTC)
	day := func(since time.Duration, requests, others int64, owners ...v1alpha1.DayOwner) v1alpha1.LastDay {
		return v1alpha1.LastDay{Since: metav1.NewTime(now.Add(-since)), Requests: requests, OtherRequests: others, Owners: owners}
	}
	r := &report.Report{Revision: "0123456789ab", Time: now, GroupedBy: []string{"team"}, LastDays: report.LastDays(map[string]v1alpha1.LastDay{
		"resources": day(90*time.Minute, 0, 0),
		"probes": day(23*time.Hour+30*time.Minute, 14, 3,
			v1alpha1.DayOwner{Kind: "Deployment", Namespace: "shop", Name: "web", Team: "checkout", Requests: 10},
			v1alpha1.DayOwner{Kind: "Namespace", Name: "<b>\x1b", Requests: 1}),
	})}
	const probes = "in the last 24 h probes, if it denied, would have denied 14 requests: 10 of Deployment shop/web (checkout), 1 of Namespace "
	const resources = "since 2026-11-26T11:00:00Z resources, if it denied, would have denied 0 requests"
	if got, want := write(t, "table", report.Config{}, r), "\n"+probes+"<b>\\x1b, 3 of others\n"+resources+"\n\n0 objects: 0 denied\n"; !strings.Contains(got, want) {
		t.Errorf("table: %q is not in\n%s", want, got)
	}
	if got, want := write(t, "html", report.Config{}, r), "<li>"+probes+"&lt;b&gt;\\x1b, 3 of others</li>\n<li>"+resources+"</li>\n"; !strings.Contains(got, want) {
		t.Errorf("html: %q is not in\n%s", want, got)
	}
	var doc struct{ LastDays []report.LastDay }
	if err := json.Unmarshal([]byte(write(t, "json", report.Config{}, r)), &doc); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(r.LastDays, doc.LastDays); diff != "" {
		t.Errorf("json: -want, +got:\n%s", diff)
	}

	many := map[string]v1alpha1.LastDay{}
	for i := range 30 {
		many[fmt.Sprintf("policy-%d", i)] = day(time.Hour, int64(i), 0)
	}
	r.LastDays = report.LastDays(many)
	if got := write(t, "table", report.Config{}, r); !strings.Contains(got, "policy-10, if it denied, would have denied 10 requests\nand 10 more\n\n") || strings.Contains(got, "policy-9,") {
		t.Errorf("of many policies:\n%s", got)
	}
	r.LastDays = nil
	for _, format := range []string{"table", "html", "json"} {
		if got := write(t, format, report.Config{}, r); strings.Contains(got, "if it denied") || strings.Contains(got, "lastDays") || strings.Contains(got, ">Requests<") {
			t.Errorf("%s, where nobody counts:\n%s", format, got)
		}
	}
}
