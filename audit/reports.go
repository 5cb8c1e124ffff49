package audit

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	openreports "github.com/openreports/reports-api/apis/openreports.io/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
)

// source is who wrote a report and each of its results, as readers of reports show it.
const source = "lintel"

// The results of the OpenReports API.
const (
	fail  openreports.Result = "fail"  // would be denied
	warn  openreports.Result = "warn"  // breaks a policy that does not deny
	fault openreports.Result = "error" // a policy could not decide
	skip  openreports.Result = "skip"  // excused by an exception
)

// maxReport is how large a report may be, in bytes of its JSON: small beside the
// 1.5 MiB that etcd takes, since there is one for each namespace.
const maxReport = 256 << 10

// How long the texts of a result may be, in bytes: some of them are names that whoever
// made the object has chosen, and one result is not to take the room of all others.
const (
	maxText = 1 << 10
	maxName = 253 // as the API server has it
)

// newResults returns the results of what is found in a namespace, and how many there are
// of each. policies are by name.
func newResults(space Space, policies map[string]engine.Info) ([]openreports.ReportResult, openreports.ReportSummary) {
	var results []openreports.ReportResult
	var summary openreports.ReportSummary
	broken := 0 // policies that are broken by an object, each counted once
	for _, f := range space.Findings {
		results = append(results, f.results(policies)...)
		fails, warns := f.policies(v1alpha1.Deny), f.policies(v1alpha1.Warn, v1alpha1.DryRun)
		maps.DeleteFunc(warns, func(name string, _ bool) bool { return fails[name] })
		summary.Fail += len(fails)
		summary.Warn += len(warns)
		summary.Error += len(f.Errors)
		summary.Skip += len(f.Excused)
		broken += len(fails) + len(warns) + len(f.Errors)
		if f.Err != nil {
			summary.Error++
		}
	}
	summary.Pass = max(0, space.Asked-broken)
	return results, summary
}

// Policies returns the names of those that an object breaks with an enforcement, in order.
func (f *Finding) Policies(enforcement v1alpha1.Enforcement) []string {
	return slices.Sorted(maps.Keys(f.policies(enforcement)))
}

// policies returns the names of those that an object breaks with one of enforcements.
func (f *Finding) policies(enforcements ...v1alpha1.Enforcement) map[string]bool {
	names := map[string]bool{}
	for _, v := range f.Violations {
		if slices.Contains(enforcements, v.Enforcement) {
			names[v.Policy] = true
		}
	}
	return names
}

// results returns the results of one object.
func (f *Finding) results(policies map[string]engine.Info) []openreports.ReportResult {
	var results []openreports.ReportResult
	add := func(policy string, result openreports.Result, message string) *openreports.ReportResult {
		info := policies[policy]
		results = append(results, openreports.ReportResult{
			Source: source, Policy: policy, Category: info.Category, Severity: openreports.ResultSeverity(info.Severity), Result: result,
			Scored: result == fail, Description: shortened(engine.PrintableLines(message), maxText), Timestamp: timestamp(f.Since), Subjects: []corev1.ObjectReference{f.subject()},
		})
		return &results[len(results)-1]
	}
	for _, v := range f.Violations {
		result := warn
		if v.Enforcement == v1alpha1.Deny {
			result = fail
		}
		r := add(v.Policy, result, v.Message)
		r.Severity, r.Rule = openreports.ResultSeverity(v.Severity), shortened(rule(v.Path), maxText)
		r.Properties = map[string]string{"enforcement": string(v.Enforcement)}
		if len(v.Path) > 0 {
			r.Properties["path"] = shortened(v.Path.String(), maxText)
		}
		if !f.Opened.From.IsZero() {
			r.Properties["openedGate"] = f.Opened.String()
		}
		if v.Subject != "" {
			r.Properties["subject"] = shortened(engine.Printable(v.Subject), maxName)
		}
	}
	for _, e := range f.Errors {
		add(e.Policy, fault, "could not decide: "+e.Err.Error())
	}
	for _, e := range f.Excused {
		add(e.Policy, skip, "excused by "+e.Exception)
	}
	if f.Err != nil {
		add(source, fault, f.Err.Error())
	}
	return results
}

func (f *Finding) subject() corev1.ObjectReference {
	name := func(text string) string { return shortened(engine.Printable(text), maxName) }
	return corev1.ObjectReference{APIVersion: name(f.Ref.APIVersion), Kind: name(f.Ref.Kind), Namespace: name(f.Ref.Namespace), Name: name(f.Ref.Name)}
}

// shortened returns the beginning of a text that is longer than limit bytes.
func shortened(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	const mark = "…"
	return strings.ToValidUTF8(text[:limit-len(mark)], "") + mark
}

// rule is what a policy says of one field, wherever in a list that is: a policy has no
// other names for what it asks for.
func rule(path engine.Path) string {
	text := ""
	for i, step := range path {
		if _, ok := step.(int); ok {
			text += "[*]"
			continue
		}
		name := engine.Path{step}.String()
		if i > 0 && !strings.HasPrefix(name, "[") {
			name = "." + name
		}
		text += name
	}
	return text
}

func timestamp(t time.Time) metav1.Timestamp {
	return metav1.Timestamp{Seconds: t.Unix(), Nanos: 0}
}

// worstFirst orders results: what denies, by severity.
func worstFirst(a, b openreports.ReportResult) int {
	order := []openreports.Result{fail, fault, warn, skip}
	severities := []openreports.ResultSeverity{"critical", "high", "medium", "low"}
	return cmp.Or(
		cmp.Compare(slices.Index(order, a.Result), slices.Index(order, b.Result)),
		cmp.Compare(slices.Index(severities, a.Severity), slices.Index(severities, b.Severity)),
		cmp.Compare(a.Policy, b.Policy),
	)
}

// cut cuts results to a number of bytes, and says at the end how many are left out, with
// those that are not among them.
func cut(results []openreports.ReportResult, left, limit int) []openreports.ReportResult {
	size, kept := 0, results
	for i := range results {
		data, err := json.Marshal(results[i])
		if err != nil {
			return results[:i] // texts and numbers can be encoded
		}
		if size += len(data) + 1; size > limit {
			kept, left = results[:i:i], left+len(results)-i
			break
		}
	}
	if left == 0 {
		return kept
	}
	return append(kept, openreports.ReportResult{
		Source: source, Policy: source, Result: skip, Timestamp: results[min(len(kept), len(results)-1)].Timestamp,
		Description: fmt.Sprintf("%s more: lintel audit lists them all", engine.Counted(left, "result is", "results are")),
		Properties:  map[string]string{"omitted": strconv.Itoa(left)},
	})
}
