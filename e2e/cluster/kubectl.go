package cluster

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// couldNotRun is the exit code of a kubectl that did not run, or was ended by a
// signal, as the os package has it.
const couldNotRun = -1

// Kubectl runs kubectl with args and returns what it printed and its exit code.
// It is the administrator, unless args say otherwise (--kubeconfig with
// [Cluster.KubeconfigFor], or --as). stdin may be nil. Where kubectl could not
// be run, or ctx ended, the code is -1 and stderr ends with the reason. Its
// home is the cluster's folder, so no setting of this machine's user counts.
func (c *Cluster) Kubectl(ctx context.Context, stdin io.Reader, args ...string) (stdout, stderr string, code int) {
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, c.KubectlPath(), args...)
	cmd.Env = append(os.Environ(), "HOME="+c.folder.path, "KUBECONFIG="+c.Kubeconfig())
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &out, &errs
	cmd.SysProcAttr = tied()
	cmd.WaitDelay = drain
	if err := runTied(cmd); cmd.ProcessState == nil || !cmd.ProcessState.Exited() {
		fmt.Fprintf(&errs, "run kubectl: %v\n", err)
		return out.String(), errs.String(), couldNotRun
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// KubectlPath is where kubectl is, for people who go on by themselves.
func (c *Cluster) KubectlPath() string { return filepath.Join(c.assets, kubectl) }

// runTied runs a command whose life is tied to its thread, and so keeps the
// thread until the command has ended.
func runTied(cmd *exec.Cmd) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return cmd.Run()
}
