package main

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// setUp writes a module with a program in it that prints text, and returns a
// builder of it with what it reports.
func setUp(t *testing.T, text string) (*builder, *bytes.Buffer) {
	t.Helper()
	module := t.TempDir()
	put(t, filepath.Join(module, "go.mod"), "module example.com/program\n\ngo 1.26.0\n")
	put(t, filepath.Join(module, "main.go"), "package main\n\nfunc main() { print("+text+") }\n")
	var stderr bytes.Buffer
	return &builder{module: module, folder: filepath.Join(module, "out"), stderr: &stderr}, &stderr
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func program() []binary {
	return []binary{{name: "program", pkg: "example.com/program", module: "example.com/program"}}
}

func TestBuildsWhenNeeded(t *testing.T) {
	cases := map[string]struct {
		reason string
		change func(t *testing.T, b *builder)
		built  bool
	}{
		"Nothing": {
			reason: "What is up to date is not built.",
			change: func(*testing.T, *builder) {},
		},
		"GoMod": {
			reason: "Other versions make another binary.",
			change: func(t *testing.T, b *builder) {
				put(t, filepath.Join(b.module, "go.mod"), "module example.com/program\n\ngo 1.25.0\n")
			},
			built: true,
		},
		"GoSum": {
			reason: "Other checksums are of other sources.",
			change: func(t *testing.T, b *builder) { put(t, filepath.Join(b.module, "go.sum"), "\n") },
			built:  true,
		},
		"Compiler": {
			reason: "Other settings of the compiler make another binary.",
			change: func(t *testing.T, _ *builder) { t.Setenv("GOAMD64", "v2"); t.Setenv("GOARM64", "v8.1") },
			built:  true,
		},
		"Removed": {
			reason: "A binary that is gone is built.",
			change: func(t *testing.T, b *builder) { remove(t, filepath.Join(b.folder, "program")) },
			built:  true,
		},
		"Replaced": {
			reason: "A binary that somebody put there is not taken for ours.",
			change: func(t *testing.T, b *builder) { put(t, filepath.Join(b.folder, "program"), "#!/bin/sh\n") },
			built:  true,
		},
		"NoStamp": {
			reason: "Where a run died before its stamp, nobody knows what the binary is.",
			change: func(t *testing.T, b *builder) { remove(t, filepath.Join(b.folder, ".program.stamp")) },
			built:  true,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			b, stderr := setUp(t, `"hello"`)
			if err := b.build(t.Context(), program()); err != nil {
				t.Fatal(err)
			}
			tc.change(t, b)
			stderr.Reset()
			if err := b.build(t.Context(), program()); err != nil {
				t.Fatal(err)
			}
			if got := strings.Contains(stderr.String(), "building program"); got != tc.built {
				t.Errorf("%s\nbuilt again: %t, want %t\n%s", tc.reason, got, tc.built, stderr)
			}
			out, err := exec.Command(filepath.Join(b.folder, "program")).CombinedOutput()
			if string(out) != "hello" {
				t.Errorf("%s\nthe program prints %q, %v", tc.reason, out, err)
			}
		})
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func TestBuildFails(t *testing.T) {
	b, _ := setUp(t, "undefined")
	err := b.build(t.Context(), program())
	if err == nil || !strings.Contains(err.Error(), "undefined: undefined") {
		t.Errorf("build(...): got %v, want what the compiler says", err)
	}
	left, globErr := filepath.Glob(filepath.Join(b.folder, ".build-*"))
	if globErr != nil || len(left) > 0 {
		t.Errorf("build(...) left %q", left)
	}
	if _, err := os.Stat(filepath.Join(b.folder, "program")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("build(...) made a binary nevertheless: %v", err)
	}
}

// TestConcurrent holds that of several runs in one folder one builds, and that
// a binary can be run at any moment from when it is first there.
func TestConcurrent(t *testing.T) {
	first, _ := setUp(t, `"hello"`)
	var runs sync.WaitGroup
	var stderr [4]bytes.Buffer
	for i := range stderr {
		b := &builder{module: first.module, folder: first.folder, stderr: &stderr[i]}
		runs.Go(func() {
			if err := b.build(t.Context(), program()); err != nil {
				t.Error(err)
			}
			if out, err := exec.Command(filepath.Join(b.folder, "program")).CombinedOutput(); string(out) != "hello" {
				t.Errorf("the program prints %q, %v", out, err)
			}
		})
	}
	runs.Wait()
	built := 0
	for i := range stderr {
		built += strings.Count(stderr[i].String(), "building program")
	}
	if built != 1 {
		t.Errorf("%d of 4 runs built, want 1", built)
	}
}

func TestWaitsForOthers(t *testing.T) {
	b, stderr := setUp(t, `"hello"`)
	if err := os.Mkdir(b.folder, 0o755); err != nil {
		t.Fatal(err)
	}
	unlock, err := lock(t.Context(), filepath.Join(b.folder, ".lock"), stderr)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := b.build(ctx, program()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("build(...) while another run builds: got %v, want the context's error", err)
	}
	if !strings.Contains(stderr.String(), "waiting") {
		t.Errorf("build(...) waits without a word: %q", stderr)
	}
	unlock()
	left := filepath.Join(b.folder, ".build-of-a-killed-run")
	if err := os.Mkdir(left, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := b.build(t.Context(), program()); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(left); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("build(...) left what a killed run left: %v", err)
	}
}

func TestLdflags(t *testing.T) {
	at := time.Date(2026, 10, 27, 14, 1, 4, 0, time.FixedZone("", 2*60*60))
	cases := map[string]struct {
		reason string
		mod    module
		want   []string
		not    string
	}{
		"Release": {
			reason: "A release says its version, its sources and its time in both places that are read.",
			mod:    module{Version: "v1.37.2", Time: &at, Sum: "h1:AQID"},
			want: []string{
				"-X k8s.io/component-base/version.gitVersion=v1.37.2",
				"-X k8s.io/client-go/pkg/version.gitVersion=v1.37.2",
				"version.gitMajor=1 ", "version.gitMinor=37 ", "version.gitTreeState=clean",
				"version.gitCommit=010203 ", "version.buildDate=2026-10-27T12:01:04Z",
			},
			not: "unknown",
		},
		"NothingElseKnown": {
			reason: "What is not known is not made up.",
			mod:    module{Version: "v1.37.2"},
			want:   []string{"version.gitCommit=unknown"},
			not:    "buildDate",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := ldflags(tc.mod)
			for _, want := range tc.want {
				if !strings.Contains(got, want) {
					t.Errorf("%s\nldflags(...): no %q in %q", tc.reason, want, got)
				}
			}
			if strings.Contains(got, tc.not) {
				t.Errorf("%s\nldflags(...): %q in %q", tc.reason, tc.not, got)
			}
		})
	}
}

func TestAssets(t *testing.T) {
	folder := t.TempDir()
	t.Setenv("KUBEBUILDER_ASSETS", folder)
	out := filepath.Join(t.TempDir(), "out")
	var stderr bytes.Buffer
	if err := run([]string{"-o", out}, &stderr); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("run(...) with an empty KUBEBUILDER_ASSETS: got %v, want which binary is missing", err)
	}
	for _, name := range []string{"etcd", "kube-apiserver", "kubectl"} {
		put(t, filepath.Join(folder, name), "")
	}
	if err := run([]string{"-o", out}, &stderr); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(out); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("run(...) builds although KUBEBUILDER_ASSETS is set: %v", err)
	}
}

func TestExitCode(t *testing.T) {
	var stderr bytes.Buffer
	if got := exitCode(run(nil, &stderr), &stderr); got != 2 || !strings.Contains(stderr.String(), "-o is required") {
		t.Errorf("without a folder: exit %d, want 2 and what is missing\n%s", got, &stderr)
	}
	if got := exitCode(run([]string{"-h"}, &stderr), &stderr); got != 0 {
		t.Errorf("-h: exit %d, want 0", got)
	}
}
