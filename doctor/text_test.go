package doctor_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lintel-policy/lintel/doctor"
)

// TestText holds what people read, and that nothing from a cluster moves their cursor.
func TestText(t *testing.T) {
	r := &doctor.Report{
		Namespace: "lintel-system",
		Findings: []doctor.Finding{
			{
				Severity: doctor.Problem, Object: "ServiceAccount lintel-system/lintel", Message: "may not get ingresses", Why: "policy a reads that kind",
				YAML: "---\nkind: Role\n",
			},
			{Severity: doctor.Problem, Object: "Policy a", Field: "status", Message: "Broken: one\ntwo\x1b[31m"},
			{Severity: doctor.Warning, Object: "Service a", Message: "no", Command: "kubectl get pods"},
		},
		Unseen:  []doctor.Unseen{{What: "pods", Why: "forbidden"}},
		Summary: doctor.Summary{Problems: 2, Warnings: 1},
	}
	want := `problem: ServiceAccount lintel-system/lintel: may not get ingresses
  why: policy a reads that kind
  mend: kubectl apply -f - with
    ---
    kind: Role

problem: Policy a status: Broken: one
  two\x1b[31m

warning: Service a: no
  mend: kubectl get pods

not seen:
  pods: forbidden

2 problems, 1 warning in namespace lintel-system
`
	var got strings.Builder
	must(r.WriteText(&got, false))
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Errorf("text: -want, +got:\n%s", diff)
	}
	got.Reset()
	must((&doctor.Report{Namespace: "a"}).WriteText(&got, true))
	if want := "nothing is wrong in namespace a\n"; got.String() != want {
		t.Errorf("got %q, want %q", &got, want)
	}
	got.Reset()
	must((&doctor.Report{Namespace: "a", Unseen: r.Unseen}).WriteText(&got, false))
	if want := "not seen:\n  pods: forbidden\n\nnothing is wrong with what was seen in namespace a\n"; got.String() != want {
		t.Errorf("got %q, want %q", &got, want)
	}
	got.Reset()
	must(r.WriteText(&got, true))
	if want := "\x1b[1;31mproblem\x1b[0m: ServiceAccount lintel-system/lintel: may not get ingresses\n"; !strings.HasPrefix(got.String(), want) {
		t.Errorf("in colours: got %q, want %q first", &got, want)
	}
}

// TestChecksAreDocumented holds the page about the command to having all checks.
func TestChecksAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../docs/doctor.md")
	must(err)
	files, err := filepath.Glob("*.go")
	must(err)
	name := regexp.MustCompile(`Check(?:: |[A-Za-z., ]* = )"([a-z]+\.[a-z]+)"|(?:out|checkEnd)\("([a-z]+\.[a-z]+)"`)
	count := 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		must(err)
		for _, m := range name.FindAllStringSubmatch(string(text), -1) {
			count++
			if check := m[1] + m[2]; !strings.Contains(string(page), "| `"+check+"` |") {
				t.Errorf("docs/doctor.md does not have %s", check)
			}
		}
	}
	if count < 40 {
		t.Errorf("only %d checks were found in the code", count)
	}
}
