package audit

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	openreports "github.com/openreports/reports-api/apis/openreports.io/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/report"
)

// TestResults fills in what readers of reports show, for each way in which a policy and
// an object may come out, and counts each once.
func TestResults(t *testing.T) {
	t.Parallel()
	monday := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	violation := func(enforcement v1alpha1.Enforcement, message string) report.Violation {
		return report.Violation{Violation: engine.Violation{
			Policy: "probes", Severity: engine.High, Enforcement: enforcement, Message: message, Path: engine.Path{"spec", "containers", 1}, Subject: "web",
		}}
	}
	space := Space{Namespace: "shop", Asked: 10, Findings: []Finding{{
		Ref: engine.ObjectRef{APIVersion: "v1", Kind: "Pod", Namespace: "shop", Name: "web"}, Since: monday,
		Violations: []report.Violation{violation(v1alpha1.Deny, "no probe"), violation(v1alpha1.Warn, "a slow probe")},
		Errors:     []*engine.PolicyError{{Policy: "labels", Err: errors.New("no time")}},
		Excused:    []engine.Excuse{{Policy: "resources", Exception: "shop/legacy"}},
		Err:        errors.New("too large"),
	}}}
	results, summary := newResults(space, map[string]engine.Info{
		"probes": {Category: "reliability", Severity: engine.Low}, "labels": {Category: "cost", Severity: engine.Medium}, "resources": {Category: "cost", Severity: engine.Medium},
	})

	result := func(r openreports.ReportResult) openreports.ReportResult {
		r.Source, r.Timestamp = "lintel", metav1.Timestamp{Seconds: monday.Unix()}
		r.Subjects = []corev1.ObjectReference{{APIVersion: "v1", Kind: "Pod", Namespace: "shop", Name: "web"}}
		return r
	}
	properties := func(enforcement string) map[string]string {
		return map[string]string{"enforcement": enforcement, "path": "spec.containers[1]", "subject": "web"}
	}
	want := []openreports.ReportResult{
		result(openreports.ReportResult{Policy: "probes", Category: "reliability", Severity: "high", Result: "fail", Scored: true, Rule: "spec.containers[*]", Description: "no probe", Properties: properties("deny")}),
		result(openreports.ReportResult{Policy: "probes", Category: "reliability", Severity: "high", Result: "warn", Rule: "spec.containers[*]", Description: "a slow probe", Properties: properties("warn")}),
		result(openreports.ReportResult{Policy: "labels", Category: "cost", Severity: "medium", Result: "error", Description: "could not decide: no time"}),
		result(openreports.ReportResult{Policy: "resources", Category: "cost", Severity: "medium", Result: "skip", Description: "excused by shop/legacy"}),
		result(openreports.ReportResult{Policy: "lintel", Result: "error", Description: "too large"}),
	}
	if diff := cmp.Diff(want, results); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
	if want := (openreports.ReportSummary{Fail: 1, Error: 2, Skip: 1, Pass: 8}); summary != want {
		t.Errorf("summary %+v, want %+v", summary, want)
	}
}
