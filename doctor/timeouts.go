package doctor

import (
	"fmt"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
)

// The API server gives a request 34 s and asks mutating webhooks one after another,
// then the validating ones at once (requestTimeoutUpperBound in k8s.io/apiserver).
const (
	requestSeconds = 34
	// nearSeconds leaves some time for storing the object.
	nearSeconds = 30
)

// checkTimeouts finds timeouts that contradict what the entries are for, and webhooks
// that together may take longer than a request has.
func checkTimeouts(s *Snapshot) []Finding {
	var found []Finding
	expected, known := s.expected()
	for _, e := range s.own() {
		f := Finding{Check: "timeouts.entry", Severity: Problem, Object: e.object, Field: e.field("timeoutSeconds"), Message: fmt.Sprintf("is %d", e.seconds)}
		want, ok := expected[e.name]
		if ok {
			f.Command = patchEntry(e, "timeoutSeconds", fmt.Sprint(want.seconds))
		}
		switch {
		case e.failure == admissionv1.Fail && e.seconds > defaultSeconds:
			f.Why = "when Lintel hangs, each request waits that long, to be refused"
		case known && ok && e.seconds < want.seconds:
			f.Severity, f.Why = Warning, fmt.Sprintf("Lintel is made to answer within %d s; what takes longer is not judged", want.seconds)
		case known && ok && e.seconds > defaultSeconds:
			f.Severity, f.Why = Warning, "when Lintel hangs, each request waits that long"
		default:
			continue
		}
		found = append(found, f)
	}
	return append(found, s.checkSum()...)
}

// checkSum finds the kind of request that webhooks may take the longest for.
func (s *Snapshot) checkSum() []Finding {
	var worst call
	var names []string
	most := int32(0)
	for _, c := range s.calls() {
		sum, validating := int32(0), int32(0)
		var asked []string
		for _, e := range s.entries() {
			switch {
			case !isAbout(e.rules, c, e.match == admissionv1.Equivalent):
			case e.kind == validatingKind:
				validating = max(validating, e.seconds)
			default:
				sum += e.seconds
				asked = append(asked, fmt.Sprintf("%s %d s", e.name, e.seconds))
			}
		}
		if sum+validating > most {
			most, worst, names = sum+validating, c, asked
		}
	}
	if most < nearSeconds {
		return nil
	}
	return []Finding{{
		Check: "timeouts.sum", Severity: Warning, Object: "MutatingWebhookConfigurations",
		Message: fmt.Sprintf("webhooks may take %d s of a %s: %s", most, worst, strings.Join(names, ", ")),
		Why:     fmt.Sprintf("the API server asks them one after another and gives a request %d s in all; where they hang it fails whatever their failurePolicy says", requestSeconds),
	}}
}

// calls are what Lintel is asked about, each once.
func (s *Snapshot) calls() []call {
	var calls []call
	for _, e := range s.own() {
		for _, c := range callsOf(e.rules) {
			if !slices.Contains(calls, c) {
				calls = append(calls, c)
			}
		}
	}
	return calls
}
