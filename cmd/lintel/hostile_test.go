package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	// hostileTime is how long a check of a hostile repository may take on a busy
	// machine: that it ends is what matters.
	hostileTime = 3 * time.Minute
	// hostileMemory is how much memory it may take, in bytes: what garbage collection
	// allows itself, and the largest file ten times.
	hostileMemory = 1 << 30
)

// bomb is YAML of which each line has nine times what the one before has.
func bomb() string {
	var b strings.Builder
	b.WriteString("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bomb}\nx0: &x0 [a, a, a, a, a, a, a, a, a]\n")
	for i := 1; i < 12; i++ {
		fmt.Fprintf(&b, "x%d: &x%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*x%d, ", i-1), 9), ", "))
	}
	return b.String()
}

// TestHostileRepository checks a folder that holds all that a pull request of
// somebody hostile may bring. It ends in clear errors, in bounded time and memory,
// and the verdict on the one good file is there.
func TestHostileRepository(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	outside := filepath.Join(t.TempDir(), "outside.yaml")
	file := func(name, text string) {
		must(os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		must(os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	file("good.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: good}\n")
	file("bomb.yaml", bomb())
	file("deep.json", `{"apiVersion":"v1","kind":"ConfigMap","data":`+strings.Repeat("[", 200_000)+strings.Repeat("]", 200_000)+"}")
	file("e\x1b[31m\nscape.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: \"\\e[2J\"}\n")
	file(strings.Repeat("deep/", 80)+"a.yaml", "")
	must(os.WriteFile(outside, []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: outside}\n"), 0o600))
	must(os.Symlink(outside, filepath.Join(dir, "out.yaml")))
	must(os.Symlink("loop.yaml", filepath.Join(dir, "loop.yaml")))
	must(os.Symlink("..", filepath.Join(dir, "again")))
	must(syscall.Mkfifo(filepath.Join(dir, "fifo.yaml"), 0o600))
	file("large.yaml", "")
	must(os.Truncate(filepath.Join(dir, "large.yaml"), 1<<30)) // sparse
	for i := range 100_000 {
		if i%1000 == 0 {
			must(os.MkdirAll(filepath.Join(dir, "many", fmt.Sprint(i/1000)), 0o755))
		}
		must(os.WriteFile(filepath.Join(dir, "many", fmt.Sprint(i/1000), fmt.Sprint(i)+".yaml"), nil, 0o600))
	}
	policy := filepath.Join(t.TempDir(), "owner")
	must(os.MkdirAll(policy, 0o755))
	must(os.WriteFile(filepath.Join(policy, "owner.rego"), []byte(owner), 0o600))

	ctx, cancel := context.WithTimeout(t.Context(), hostileTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, "lintel", "check", ".", "-p", policy)
	cmd.Dir = dir
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if code := cmd.ProcessState.ExitCode(); code != exitUntold {
		t.Fatalf("exit code %d (%v), want %d\n%.2000s", code, err, exitUntold, stderr.String())
	}
	if used := cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss << 10; used > hostileMemory {
		t.Errorf("it took %d MiB of memory", used>>20)
	}
	if !strings.Contains(stdout.String(), "ConfigMap default/good breaks 1 policy") {
		t.Errorf("the good file was not judged:\n%.2000s", stdout.String())
	}
	for _, out := range []string{stdout.String(), stderr.String()} {
		if strings.ContainsAny(out, "\x1b\x07") || strings.Contains(out, "outside is") || strings.Contains(out, "default/outside") {
			t.Errorf("it prints escapes, or what is outside of the folder:\n%.2000q", out)
		}
	}
	for _, want := range []string{"bomb.yaml", "deep.json", "out.yaml: is a symbolic link", "loop.yaml", "large.yaml: is larger than", "folders nest deeper"} {
		if !strings.Contains(stderr.String(), want) {
			t.Errorf("standard error does not tell of %q:\n%.3000s", want, stderr.String())
		}
	}
}
