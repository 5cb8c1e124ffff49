package report_test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/joshdk/go-junit"

	"github.com/lintel-policy/lintel/report"
)

// TestJUnitConsumer reads the XML as CI systems do that are written in Go.
func TestJUnitConsumer(t *testing.T) {
	t.Parallel()
	suites, err := junit.Ingest([]byte(write(t, "junit", report.Config{}, rich())))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range suites {
		for _, test := range s.Tests {
			got = append(got, fmt.Sprintf("%s: %s: %s: %s", s.Name, test.Classname, test.Name, test.Status))
		}
	}
	want := []string{
		"broken.yaml: broken.yaml:7: can be read: error",
		"lintel: lintel: can be read: error",
		"lintel: Job shop/import: slow: error",
		"deploy/web app.yaml: Deployment shop/web: late: passed",
		"deploy/web app.yaml: Deployment shop/web: probes: failed",
		"deploy/web app.yaml: Deployment shop/web: resources: passed",
		"deploy/web app.yaml: Deployment shop/web: spread: passed",
		"/src/shop/deploy/50%:a#b.yaml: ConfigMap shop/config: no-secrets: failed",
		"/src/shop/deploy/50%:a#b.yaml: ConfigMap shop/config: probes: passed",
		"-: Job shop/import: probes: skipped",
		"/etc/elsewhere.yaml: Pod kube-system/dns: is judged: skipped",
		"misfit.yaml: Pod misfit: can be judged: error",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("tests: -want, +got:\n%s", diff)
	}
	failure := suites[2].Tests[1]
	if want := "1 violation: spec.template.spec.containers[0] (web): no readinessProbe"; failure.Message != want {
		t.Errorf("message: got %q, want %q", failure.Message, want)
	}
	var detail junit.Error
	if !errors.As(failure.Error, &detail) || !strings.Contains(detail.Body, "\n    fix: readinessProbe:\n           httpGet:") {
		t.Errorf("text of the failure: got %q, want it in lines", detail.Body)
	}
}

// jenkins is what the schema of Jenkins's xUnit plugin permits (its junit-10.xsd):
// the attributes of each element, and the elements in it.
var jenkins = map[string]struct{ attributes, elements string }{
	"testsuites": {"name time tests failures errors", "testsuite"},
	"testsuite":  {"name tests failures errors group time skipped timestamp hostname id package file log url", "testsuite properties testcase system-out system-err"},
	"testcase":   {"name time classname group", "skipped error failure system-out system-err"},
	"failure":    {"type message", ""},
	"error":      {"type message", ""},
	"skipped":    {"type message", ""},
	"system-out": {"", ""},
}

// TestJUnitSchema holds every kind of report to what Jenkins takes, and to XML 1.0.
func TestJUnitSchema(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]*report.Report{"Rich": rich(), "Old": withBaseline(), "Hostile": hostileReport(t), "Empty": {}} {
		d := xml.NewDecoder(strings.NewReader(write(t, "junit", report.Config{}, r)))
		inside := []string{""}
		for {
			token, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			switch token := token.(type) {
			case xml.StartElement:
				checkElement(t, name, inside[len(inside)-1], token)
				inside = append(inside, token.Name.Local)
			case xml.EndElement:
				inside = inside[:len(inside)-1]
			}
		}
	}
}

func checkElement(t *testing.T, name, parent string, e xml.StartElement) {
	t.Helper()
	permitted, ok := jenkins[e.Name.Local]
	if !ok || parent != "" && !contains(jenkins[parent].elements, e.Name.Local) {
		t.Errorf("%s: element %s is in %s", name, e.Name.Local, parent)
	}
	for _, a := range e.Attr {
		if !contains(permitted.attributes, a.Name.Local) {
			t.Errorf("%s: element %s has attribute %s", name, e.Name.Local, a.Name.Local)
		}
	}
}

func contains(words, word string) bool { return strings.Contains(" "+words+" ", " "+word+" ") }
