package bench_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lintel-policy/lintel/e2e/cluster"
)

// What BenchmarkAuditSize is about: how much memory an audit may take for
// memoryObjects, and how large reports of auditedObjects may be in etcd.
const (
	memoryGoal    = 300 << 20
	memoryObjects = 100_000
	reportsGoal   = 1 << 20
)

// objectsEnv has how many objects BenchmarkAuditSize is to make, which for memoryObjects
// takes some minutes. If it is not there, there are auditedObjects.
const objectsEnv = "LINTEL_BENCH_OBJECTS"

// BenchmarkAuditSize measures what an audit of objects takes that nearly all break
// policies: the memory of a process that keeps reports of them, the size of these
// reports in etcd, and the memory of `lintel audit`.
func BenchmarkAuditSize(b *testing.B) {
	objects := auditedObjects
	if text := os.Getenv(objectsEnv); text != "" {
		var err error
		objects, err = strconv.Atoi(text)
		mustBench(b, err)
	}
	began := time.Now()
	c, kinds := seeded(b, objects)
	b.Logf("%d objects were made in %s", objects, time.Since(began).Round(time.Second))
	defineReports(b, c)
	dir := b.TempDir()
	writePolicies(b, dir, auditedPolicies)
	alone := b.TempDir() // those that read no inventory, of which the command keeps all
	writePolicies(b, alone, auditedPolicies)
	readers, err := filepath.Glob(filepath.Join(alone, "topology-spread-*"))
	mustBench(b, err)
	for _, reader := range readers {
		mustBench(b, os.RemoveAll(reader))
	}
	binary := filepath.Join(b.TempDir(), "lintel")
	out, err := exec.CommandContext(b.Context(), "go", "build", "-o", binary, "../cmd/lintel").CombinedOutput()
	if err != nil {
		b.Fatalf("build lintel: %v\n%s", err, out)
	}
	for b.Loop() {
		s := audited(b, c, auditorConfig{Kubeconfig: c.Kubeconfig(), Policies: dir, Kinds: kinds, Reports: true})
		b.ReportMetric(float64(s.Held)/(1<<20), "MiB-held")
		b.ReportMetric(float64(s.Sys)/(1<<20), "MiB-sys")
		b.ReportMetric(float64(s.Peak)/(1<<20), "MiB-peak")
		b.ReportMetric(s.Progress.Took.Seconds(), "s-first-pass")
		if objects == memoryObjects {
			b.ReportMetric(float64(s.Peak)/memoryGoal, "of-goal-memory")
		}
		if objects == auditedObjects {
			b.ReportMetric(float64(peakOf(b, binary, "audit", "--kubeconfig", c.Kubeconfig(), "-p", dir))/(1<<20), "MiB-peak-command")
		}
		b.ReportMetric(float64(peakOf(b, binary, "audit", "--kubeconfig", c.Kubeconfig(), "-p", alone))/(1<<20), "MiB-peak-command-alone")
	}
	reports(b, c, objects)
}

// audited returns the state of an auditor that has written its reports.
func audited(b *testing.B, c *cluster.Cluster, cfg auditorConfig) state {
	b.Helper()
	a := newAuditor(b, cfg, "GOGC=300", "GOMEMLIMIT=921MiB")
	b.ReportMetric(float64(a.do(b, tellState).Held)/(1<<20), "MiB-held-before")
	a.do(b, beginAudit)
	for a.do(b, tellProgress).Progress.Finished.IsZero() {
		time.Sleep(100 * time.Millisecond)
	}
	for values, before := 0, -1; values != before || values == 0; {
		time.Sleep(10 * time.Second) // twice as long as it takes until they are published
		before = values
		values, _, _ = c.Stored(b.Context(), reportsPrefix)
	}
	s := a.do(b, tellState)
	if s.Progress.Unkept+s.Progress.Cut+s.Progress.Unlisted > 0 {
		b.Errorf("not all is known: %+v", s.Progress)
	}
	a.do(b, endAudit)
	return s
}

// reportsPrefix is where etcd has them; ClusterReports are beside it, and here nothing
// is in no namespace.
const reportsPrefix = "/registry/openreports.io/reports/"

func reports(b *testing.B, c *cluster.Cluster, objects int) {
	b.Helper()
	values, size, err := c.Stored(b.Context(), reportsPrefix)
	mustBench(b, err)
	b.ReportMetric(float64(values), "reports")
	b.ReportMetric(float64(size)/(1<<20), "MiB-reports")
	if objects == auditedObjects {
		b.ReportMetric(float64(size)/reportsGoal, "of-goal-reports")
	}
}

// peakOf returns how many bytes of a command were resident at most. What it finds makes
// it end with 1.
func peakOf(b *testing.B, binary string, args ...string) int64 {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), binary, args...)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != 1 {
		b.Fatalf("lintel %q: %v\n%.2000s", args, err, out)
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		b.Fatal("the system does not say what the command has taken")
	}
	return usage.Maxrss << 10
}

// defineReports gives the cluster the kinds of OpenReports, as they are published.
func defineReports(b *testing.B, c *cluster.Cluster) {
	b.Helper()
	out, err := exec.CommandContext(b.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/openreports/reports-api").Output()
	mustBench(b, err)
	kinds := filepath.Join(strings.TrimSpace(string(out)), "config", "crd")
	for _, args := range [][]string{{"apply", "--server-side", "-f", kinds}, {"wait", "--for=condition=Established", "-f", kinds}} {
		if _, stderr, code := c.Kubectl(b.Context(), strings.NewReader(""), args...); code != 0 {
			b.Fatalf("kubectl %q: %s", args, stderr)
		}
	}
}
