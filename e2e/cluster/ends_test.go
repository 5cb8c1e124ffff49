package cluster_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lintel-policy/lintel/e2e/cluster"
)

// processes lists the command lines, of this test's clusters or a child's, that
// have text in them, waiting until there are none or the deadline has passed.
func processes(t *testing.T, text string, deadline time.Time) map[int]string {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("processes are found in /proc, and tied to their owner by Linux")
	}
	for {
		found := map[int]string{}
		paths, err := filepath.Glob("/proc/[0-9]*/cmdline")
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			line, err := os.ReadFile(path)
			if err == nil && strings.Contains(string(line), text) {
				pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
				found[pid] = strings.ReplaceAll(string(line), "\x00", " ")
			}
		}
		if len(found) == 0 || time.Now().After(deadline) {
			return found
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// children counts the processes of clusters that this very process started.
func children(t *testing.T) int {
	t.Helper()
	count := 0
	for pid := range processes(t, "lintel-clusters", time.Now()) {
		stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
		// After the name in parentheses come the state and the parent.
		_, rest, _ := strings.Cut(string(stat), ") ")
		if fields := strings.Fields(rest); err == nil && fields[1] == strconv.Itoa(os.Getpid()) {
			count++
		}
	}
	return count
}

// gone fails the test where a cluster has left processes, and, if folderToo,
// files.
func gone(t *testing.T, folder string, folderToo bool) {
	t.Helper()
	// A killed process of this size is gone from /proc within a second, if the machine is idle.
	if left := processes(t, folder, time.Now().Add(time.Minute)); len(left) > 0 {
		t.Errorf("still running: %v", left)
		for pid := range left {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	if _, err := os.Stat(folder); folderToo && !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("folder of the cluster is left: %v", err)
	}
}

// TestOwnGroups holds that what a terminal sends to the owner's process group
// does not reach components, which are to be ended in order.
func TestOwnGroups(t *testing.T) {
	found := processes(t, shared.Cluster(t).Folder(), time.Now())
	if len(found) != 3 {
		t.Errorf("a cluster with controllers has %d processes, want 3", len(found))
	}
	for pid, line := range found {
		if group, err := syscall.Getpgid(pid); group != pid {
			t.Errorf("process %d is in group %d (%v), want its own: %s", pid, group, err, line)
		}
	}
}

func TestStop(t *testing.T) {
	cases := map[string]struct {
		reason string
		before func(t *testing.T, c *cluster.Cluster)
		want   string // part of the error; empty: none
	}{
		"Running": {
			reason: "Stop leaves neither processes nor files.",
			before: func(*testing.T, *cluster.Cluster) {},
		},
		"Paused": {
			reason: "A component that is paused is ended as well.",
			before: func(t *testing.T, c *cluster.Cluster) {
				if err := errors.Join(c.Pause(cluster.APIServer), c.Pause(cluster.Etcd)); err != nil {
					t.Fatal(err)
				}
			},
		},
		"Crashed": {
			reason: "A component that ended while nobody asked for it is reported.",
			before: func(t *testing.T, c *cluster.Cluster) {
				for pid := range processes(t, filepath.Join(c.Folder(), "etcd")+"\x00", time.Now()) {
					if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
						t.Fatal(err)
					}
				}
				await(t, func() bool { return len(c.Running()) < 2 })
			},
			want: "etcd ended: signal: killed",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := start(t, cluster.Config{})
			if got := len(processes(t, c.Folder(), time.Now())); got != 2 {
				t.Fatalf("a cluster has %d processes, want 2", got)
			}
			tc.before(t, c)
			err := c.Stop()
			if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s\nStop(): got %v, want %q", tc.reason, err, tc.want)
			}
			gone(t, c.Folder(), true)
			if err := c.Stop(); err != nil {
				t.Errorf("%s\nsecond Stop(): %v", tc.reason, err)
			}
		})
	}
}

func TestOwnerEnds(t *testing.T) {
	cases := map[string]struct {
		reason string
		role   string
		signal syscall.Signal // to the process group, as a terminal does; 0: it ends by itself
		code   int            // -1: ended by the signal
		clean  bool           // whether it removes the folder itself
	}{
		"Killed":      {"Nothing outlives an owner that is killed.", "owner:waits", syscall.SIGKILL, -1, false},
		"Interrupted": {"Nothing outlives an owner that Ctrl-C ends.", "owner:waits", syscall.SIGINT, -1, false},
		"Panicked":    {"Nothing outlives an owner that panics.", "owner:panics", 0, 2, false},
		"Exited":      {"Nothing outlives an owner that forgets to stop.", "owner:exits", 0, 0, false},
		"SharedInterrupted": {
			"Ctrl-C during the tests of a package stops the cluster that they share, in order.",
			"shares", syscall.SIGINT, 130, true,
		},
		"SharedTerminated": {"So does a request to terminate.", "shares", syscall.SIGTERM, 130, true},
	}
	var left []string
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			cmd, folder := owner(t, tc.role)
			if tc.signal != 0 {
				if err := syscall.Kill(-cmd.Process.Pid, tc.signal); err != nil {
					t.Fatal(err)
				}
			}
			_ = cmd.Wait()
			if got := cmd.ProcessState.ExitCode(); got != tc.code {
				t.Errorf("%s\nthe owner: exit %d, want %d", tc.reason, got, tc.code)
			}
			if tc.clean && cmd.Stderr.(*bytes.Buffer).Len() > 0 {
				t.Errorf("%s\nthe owner says:\n%s", tc.reason, cmd.Stderr)
			}
			gone(t, folder, tc.clean)
			left = append(left, folder)
		})
	}
	// The next cluster removes what others could not, and only that.
	living := shared.Cluster(t).Folder()
	_ = start(t, cluster.Config{})
	for _, folder := range left {
		gone(t, folder, true)
	}
	if _, err := os.Stat(living); err != nil {
		t.Errorf("the folder of a living cluster: %v", err)
	}
}

// owner starts another run of this test binary, which owns a cluster, and
// returns it with the cluster's folder when the cluster is ready.
func owner(t *testing.T, role string) (*exec.Cmd, string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestRole$")
	cmd.Env = append(os.Environ(), roleVar+"="+role)
	cmd.Stderr = &bytes.Buffer{}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil || !filepath.IsAbs(strings.TrimSpace(line)) {
		rest, _ := io.ReadAll(stdout)
		t.Fatalf("the owner of a cluster says %q (%v)\n%s", line, err, rest)
	}
	return cmd, strings.TrimSpace(line)
}

// TestEtcdIsPrivate holds that etcd, which nothing but its certificates
// protects, answers nobody else on this machine.
func TestEtcdIsPrivate(t *testing.T) {
	c := shared.Cluster(t)
	for _, line := range processes(t, filepath.Join(c.Folder(), "etcd")+"\x00", time.Now()) {
		_, url, _ := strings.Cut(line, "--listen-client-urls=")
		url, _, _ = strings.Cut(url, " ")
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
		resp, err := client.Get(url + "/version")
		if err == nil {
			resp.Body.Close()
		}
		if err == nil || !strings.Contains(err.Error(), "certificate required") {
			t.Errorf("GET %s/version without a certificate: got %v, want that one is required", url, err)
		}
		return
	}
	t.Error("no etcd found")
}

// TestMissingFails holds that tests fail, and are not skipped, where there are
// no binaries.
func TestMissingFails(t *testing.T) {
	cmd := exec.Command(os.Args[0], "-test.run=^TestRole$")
	cmd.Env = append(os.Environ(), roleVar+"=missing")
	out, _ := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() != 1 || !strings.Contains(string(out), "run make controlplane") ||
		!strings.Contains(string(out), "--- FAIL: TestRole") {
		t.Errorf("tests without binaries: exit %d, want 1 and what to do\n%s", cmd.ProcessState.ExitCode(), out)
	}
}
