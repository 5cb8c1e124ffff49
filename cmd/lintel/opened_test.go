package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/audit"
	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/report"
)

// TestWindowOf reads the times that --changed takes. What it refuses is in
// audit_usage.txtar.
func TestWindowOf(t *testing.T) {
	now := time.Date(2027, 1, 31, 14, 0, 0, 500, time.UTC)
	at := func(hour int) time.Time { return time.Date(2027, 1, 31, hour, 0, 0, 0, time.UTC) }
	cases := map[string]struct {
		text string
		want audit.Window
	}{
		"None":  {"", audit.Window{}},
		"Ago":   {"2h", audit.Window{From: at(12)}},
		"From":  {"2027-01-31T13:00:00Z", audit.Window{From: at(13)}},
		"NoEnd": {"2027-01-31T13:00:00Z/", audit.Window{From: at(13)}},
		"Both":  {"2027-01-31T15:00:00+02:00/2027-01-31T14:00:00Z", audit.Window{From: at(13), To: at(14)}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := windowOf(tc.text, now)
			if err != nil || !got.From.Equal(tc.want.From) || !got.To.Equal(tc.want.To) {
				t.Errorf("%q: got %v, %v, want %v", tc.text, got, err, tc.want)
			}
		})
	}
}

// TestCameNote holds the text of the Event to what one may have, however much came in and
// whatever its names are, and to naming the command that lists all.
func TestCameNote(t *testing.T) {
	at := time.Date(2027, 1, 31, 14, 0, 0, 0, time.UTC)
	came := audit.Came{Window: audit.Window{From: at, To: at.Add(time.Hour)}}
	if want, got := "While the gate was open, from 2027-01-31T14:00:00Z to 2027-01-31T15:00:00Z, nothing came in that policies would deny or warn about now.", cameNote(came); got != want {
		t.Errorf("of nothing: got %q, want %q", got, want)
	}
	for i := range 10_000 {
		came.Denied++
		came.Findings = append(came.Findings, audit.Finding{
			Ref:        engine.ObjectRef{Kind: strings.Repeat("Ä", 60), Namespace: strings.Repeat("n", 63), Name: strings.Repeat("x", 240) + fmt.Sprint(i)},
			Violations: []report.Violation{{Violation: engine.Violation{Policy: "probes", Enforcement: v1alpha1.Deny}}},
		})
	}
	got := cameNote(came)
	if len(got) > 1024 || !strings.HasSuffix(got, " and 9995 more. To list them: lintel audit --changed 2027-01-31T14:00:00Z/2027-01-31T15:00:00Z") {
		t.Errorf("%d bytes: %s", len(got), got)
	}
}
