package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// A binary is one program of the control plane.
type binary struct {
	name   string // of the file
	pkg    string // the package with its main function
	module string // the module whose version it is of
}

// binaries lists what a control plane is made of, smallest first, so that a
// setup that cannot build at all says so early.
func binaries() []binary {
	const kubernetes = "k8s.io/kubernetes"
	return []binary{
		{name: "etcd", pkg: "go.etcd.io/etcd/server/v3", module: "go.etcd.io/etcd/server/v3"},
		{name: "kubectl", pkg: kubernetes + "/cmd/kubectl", module: kubernetes},
		{name: "kube-apiserver", pkg: kubernetes + "/cmd/kube-apiserver", module: kubernetes},
		{name: "kube-controller-manager", pkg: kubernetes + "/cmd/kube-controller-manager", module: kubernetes},
	}
}

// A builder builds packages of one module into one folder.
type builder struct {
	module string    // folder of go.mod
	folder string    // where binaries go, absolute
	stderr io.Writer // progress
}

// build makes those of bins that are not up to date.
func (b *builder) build(ctx context.Context, bins []binary) error {
	if err := os.MkdirAll(b.folder, 0o755); err != nil {
		return fmt.Errorf("make the folder to build into: %w", err)
	}
	unlock, err := lock(ctx, filepath.Join(b.folder, ".lock"), b.stderr)
	if err != nil {
		return err
	}
	defer unlock()
	if err := b.sweep(); err != nil {
		return err
	}
	for i, bin := range bins {
		if err := b.buildOne(ctx, bin, fmt.Sprintf("[%d/%d]", i+1, len(bins))); err != nil {
			return fmt.Errorf("build %s: %w", bin.name, err)
		}
	}
	return nil
}

// sweep removes what earlier runs left behind when they were killed. The lock
// is held, so no other run is using it.
func (b *builder) sweep() error {
	left, err := filepath.Glob(filepath.Join(b.folder, ".build-*"))
	if err != nil {
		return fmt.Errorf("look for unfinished builds: %w", err)
	}
	for _, path := range left {
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("remove an unfinished build: %w", err)
		}
	}
	return nil
}

// buildOne makes bin unless it is up to date. step says which of how many it is.
func (b *builder) buildOne(ctx context.Context, bin binary, step string) error {
	mod, err := b.lookUp(ctx, bin.module)
	if err != nil {
		return err
	}
	args := []string{"build", "-trimpath", "-buildvcs=false", "-ldflags", ldflags(mod)}
	key, err := b.key(ctx, append(args, bin.pkg))
	if err != nil {
		return err
	}
	if b.upToDate(bin.name, key) {
		fmt.Fprintf(b.stderr, "controlplane: %s %s %s is up to date\n", step, bin.name, mod.Version)
		return nil
	}
	fmt.Fprintf(b.stderr, "controlplane: %s building %s %s\n", step, bin.name, mod.Version)
	start := time.Now()
	if err := b.compile(ctx, bin, args); err != nil {
		return err
	}
	fmt.Fprintf(b.stderr, "controlplane: %s built %s in %s\n", step, bin.name, time.Since(start).Round(time.Second))
	return b.stamp(bin.name, key)
}

// compile builds bin beside its place and then moves it there.
func (b *builder) compile(ctx context.Context, bin binary, args []string) error {
	temp, err := os.MkdirTemp(b.folder, ".build-")
	if err != nil {
		return fmt.Errorf("make a folder to build in: %w", err)
	}
	defer os.RemoveAll(temp)
	made := filepath.Join(temp, bin.name)
	progress := newProgress(bin.name, b.stderr)
	defer progress.stop()
	// -v names each package as it is compiled, which is what progress counts.
	cmd := b.command(ctx, append(args, "-v", "-o", made, bin.pkg)...)
	cmd.Stderr = progress
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("run go build: %w%s", err, progress.output())
	}
	if err := os.Rename(made, filepath.Join(b.folder, bin.name)); err != nil {
		return fmt.Errorf("put the binary in its place: %w", err)
	}
	return nil
}

// command is the go command, run in the module. Ctrl-C reaches it as an
// interrupt, so that it can remove its own temporary files.
func (b *builder) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = b.module
	cmd.Env = append(os.Environ(), "GOWORK=off")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	return cmd
}
