package bench_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/lintel-policy/lintel/resource"
)

// What BenchmarkCheck is about: as many objects as a large repository has, and five
// times as many policies as the library.
const (
	checkedFiles    = 100
	objectsPerFile  = 10
	checkedPolicies = 25
)

// goalOfCheck is how long the whole command may take on two processors.
const goalOfCheck = 2 * time.Second

// BenchmarkCheck runs the lintel binary on a thousand objects, most of which break
// several policies, in turns with only reading the same files. The objects are
// those of e2e/testdata/corpus, again and again; the policies are the library's,
// five times under other names.
func BenchmarkCheck(b *testing.B) {
	dir := b.TempDir()
	binary := filepath.Join(dir, "lintel")
	if out, err := exec.CommandContext(b.Context(), "go", "build", "-o", binary, "../cmd/lintel").CombinedOutput(); err != nil {
		b.Fatalf("build lintel: %v\n%s", err, out)
	}
	objects, policies := filepath.Join(dir, "objects"), filepath.Join(dir, "policies")
	writeObjects(b, objects)
	writePolicies(b, policies, checkedPolicies)
	var checked, parsed []time.Duration
	for b.Loop() {
		checked = append(checked, timed(1, func() { check(b, binary, objects, policies) }))
		b.StopTimer()
		parsed = append(parsed, timed(1, func() { parse(b, objects) }))
		b.StartTimer()
	}
	b.ReportMetric(float64(median(checked).Milliseconds()), "ms/check")
	b.ReportMetric(float64(median(parsed).Milliseconds()), "ms/parse")
	b.ReportMetric(float64(median(checked))/float64(median(parsed)), "x-parse")
	b.ReportMetric(float64(median(checked))/float64(goalOfCheck), "of-goal")
}

func check(b *testing.B, binary, objects, policies string) {
	b.Helper()
	out, err := exec.CommandContext(b.Context(), binary, "check", objects, "-p", policies).Output()
	if exit := new(exec.ExitError); !errors.As(err, &exit) || !bytes.Contains(out, []byte("1000 objects")) {
		b.Fatalf("lintel check: %v\n%.2000s", err, out)
	}
}

func parse(b *testing.B, objects string) {
	b.Helper()
	if got := resource.Load(b.Context(), resource.Options{}, objects); len(got.Objects) != checkedFiles*objectsPerFile {
		b.Fatalf("read %d objects", len(got.Objects))
	}
}

// writeObjects writes as many files of as many objects as there have to be.
func writeObjects(b *testing.B, dir string) {
	b.Helper()
	found := resource.Load(b.Context(), resource.Options{}, "../e2e/testdata/corpus")
	if len(found.Objects) == 0 {
		b.Fatal("there are no objects in e2e/testdata/corpus")
	}
	mustBench(b, os.MkdirAll(dir, 0o755))
	n := 0
	for file := range checkedFiles {
		var text strings.Builder
		for range objectsPerFile {
			document, err := yaml.JSONToYAML(found.Objects[n%len(found.Objects)].JSON)
			mustBench(b, err)
			fmt.Fprintf(&text, "---\n%s", document)
			n++
		}
		mustBench(b, os.WriteFile(filepath.Join(dir, fmt.Sprintf("%03d.yaml", file)), []byte(text.String()), 0o600))
	}
}

// writePolicies writes each policy of the library under several names.
func writePolicies(b *testing.B, dir string, n int) {
	b.Helper()
	sources, err := filepath.Glob("../policies/*/*.rego")
	mustBench(b, err)
	written := 0
	for copied := 0; written < n; copied++ {
		for _, source := range sources {
			name := strings.TrimSuffix(filepath.Base(source), ".rego")
			if strings.HasSuffix(name, "_test") || written == n {
				continue
			}
			text, err := os.ReadFile(source)
			mustBench(b, err)
			name = fmt.Sprintf("%s_%d", name, copied)
			folder := filepath.Join(dir, strings.ReplaceAll(name, "_", "-"))
			mustBench(b, os.MkdirAll(folder, 0o755))
			text = bytes.Replace(text, []byte("package lintel."+name[:strings.LastIndex(name, "_")]), []byte("package lintel."+name), 1)
			mustBench(b, os.WriteFile(filepath.Join(folder, name+".rego"), text, 0o600))
			written++
		}
	}
}

func mustBench(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}
