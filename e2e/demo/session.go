package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/lintel-policy/lintel/e2e/cluster"
	"github.com/lintel-policy/lintel/e2e/gate"
)

// A session is a running cluster with Lintel in front of it, and somebody who
// watches what is typed.
type session struct {
	out     io.Writer
	folder  string // of lintel; removed at the end
	lintel  string // path of the binary
	cluster *cluster.Cluster
	gate    *gate.Gate
	log     *os.File // of lintel, in its folder
	plain   []string // lines of the Deployment as the API server makes it without Lintel
	wrong   bool     // whether something did not go as it should
}

// open builds and starts everything, and says so as it goes.
func open(ctx context.Context, out, progress io.Writer) (*session, error) {
	s := &session{out: out}
	for _, step := range []struct {
		what string
		do   func(context.Context, io.Writer) error
	}{
		{"Building Kubernetes (minutes, the first time) ...", s.buildControlPlane},
		{"Building lintel ...", s.buildLintel},
		{"Starting etcd, kube-apiserver and kube-controller-manager ...", s.startCluster},
		{"Starting lintel serve, with the policies that come with it and those in " + rollout + " ...", s.startLintel},
	} {
		s.say("%s", step.what)
		if err := step.do(ctx, progress); err != nil {
			return nil, errors.Join(err, s.close())
		}
	}
	return s, nil
}

// buildControlPlane builds what `make controlplane` does, unless it is there or
// other binaries are to be used.
func (s *session) buildControlPlane(ctx context.Context, progress io.Writer) error {
	if os.Getenv("KUBEBUILDER_ASSETS") != "" {
		return nil
	}
	cmd := exec.CommandContext(ctx, "go", "-C", "e2e/controlplane", "run", "./build", "-o", filepath.Join("..", "..", ".cache", "controlplane"))
	cmd.Stdout, cmd.Stderr = progress, progress
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("build the control plane: %w", err)
	}
	return nil
}

func (s *session) buildLintel(ctx context.Context, _ io.Writer) error {
	var err error
	if s.folder, err = os.MkdirTemp("", "lintel-demo-"); err != nil {
		return fmt.Errorf("make a folder for lintel: %w", err)
	}
	s.lintel, err = gate.Build(ctx, s.folder)
	return err
}

// startCluster starts the control plane, and asks it for what it would make of
// the Deployment without Lintel, to compare with later.
func (s *session) startCluster(ctx context.Context, _ io.Writer) error {
	var err error
	if s.cluster, err = cluster.Start(ctx, cluster.Config{Controllers: true}); err != nil {
		return err
	}
	stdout, stderr, code := s.cluster.Kubectl(ctx, nil, "apply", "--dry-run=server", "-o", "yaml", "-f", mended)
	if code != 0 {
		return fmt.Errorf("try the Deployment without Lintel: %s", strings.TrimSpace(stderr))
	}
	s.plain, err = readable([]byte(stdout))
	return err
}

func (s *session) startLintel(ctx context.Context, _ io.Writer) error {
	var err error
	if s.log, err = os.Create(filepath.Join(s.folder, "lintel.log")); err != nil {
		return fmt.Errorf("make a log for lintel: %w", err)
	}
	s.gate, err = gate.Start(ctx, gate.Config{
		Binary: s.lintel, Cluster: s.cluster, Policies: []string{"embedded", rollout},
		Args: []string{"--metrics-address", "127.0.0.1:0"}, Log: s.log,
	})
	return err
}

// close ends and removes everything that was started, last things first.
func (s *session) close() error {
	var errs []error
	if s.gate != nil {
		errs = append(errs, s.gate.Stop())
	}
	if s.cluster != nil {
		errs = append(errs, s.cluster.Stop())
	}
	if s.log != nil {
		errs = append(errs, s.log.Close())
	}
	if s.folder != "" {
		errs = append(errs, os.RemoveAll(s.folder))
	}
	return errors.Join(errs...)
}

// say prints a line to the audience.
func (s *session) say(format string, args ...any) { fmt.Fprintf(s.out, format+"\n", args...) }

// A result is what came of a command.
type result struct {
	stdout, stderr string
	code           int
}

// kubectl types a kubectl command, and shows what comes of it.
func (s *session) kubectl(ctx context.Context, args ...string) result {
	s.say("$ kubectl %s", strings.Join(args, " "))
	r := s.quietly(ctx, args...)
	s.show(r)
	return r
}

// quietly runs kubectl without an audience.
func (s *session) quietly(ctx context.Context, args ...string) result {
	var r result
	r.stdout, r.stderr, r.code = s.cluster.Kubectl(ctx, nil, args...)
	return r
}

// check types a lintel check command, and shows what comes of it.
func (s *session) check(ctx context.Context, args ...string) (result, error) {
	s.say("$ lintel check %s", strings.Join(args, " "))
	r, err := s.checkQuietly(ctx, args...)
	if err == nil {
		s.show(r)
	}
	return r, err
}

// checkQuietly runs lintel check without an audience.
func (s *session) checkQuietly(ctx context.Context, args ...string) (result, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, s.lintel, append([]string{"check"}, args...)...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		return result{}, fmt.Errorf("run lintel check: %w", err)
	}
	return result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}, nil
}

// show prints what a command printed, and an empty line. kubectl warns before it
// says what it has done.
func (s *session) show(r result) {
	s.say("%s\n", strings.TrimSuffix(r.stderr+r.stdout, "\n"))
}

// expect holds that something is so, and says where it is not, unless that may be
// because of an interruption.
func (s *session) expect(ctx context.Context, so bool, format string, args ...any) {
	if !so && ctx.Err() == nil {
		s.wrong = true
		s.say("UNEXPECTED: "+format+"\n", args...)
	}
}
