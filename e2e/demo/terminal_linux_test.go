package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// terminal makes a terminal and returns both ends of it: that of who sits there,
// and that of programs.
func terminal(t *testing.T) (person, programs *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = person.Close() })
	conn, err := person.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	// Not by Fd: what that has been asked of blocks, and is not closed while it is read.
	var number int
	var errs [2]error
	if err := conn.Control(func(fd uintptr) {
		number, errs[0] = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		errs[1] = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0)
	}); err != nil || errors.Join(errs[:]...) != nil {
		t.Fatal(err, errs)
	}
	programs, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return person, programs
}

// withoutKubectl is a PATH with go on it and nothing else.
func withoutKubectl(t *testing.T) string {
	t.Helper()
	tool, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	if err := os.Symlink(tool, filepath.Join(folder, "go")); err != nil {
		t.Fatal(err)
	}
	return folder
}

// underMake is a command that has make run the demo.
func underMake(t *testing.T) []string {
	t.Helper()
	tool, err := exec.LookPath("make")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "Makefile")
	if err := os.WriteFile(file, []byte("demo:\n\t@"+os.Args[0]+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{tool, "-f", file}
}

// invitation is how a demo says how to go on: a KUBECONFIG and a command.
var invitation = regexp.MustCompile(`  export KUBECONFIG=(/\S+)\r\n  (/\S+/kubectl) (create deployment .*)\r\n`)

func TestOnTerminal(t *testing.T) {
	cases := map[string]struct {
		reason  string
		command func(t *testing.T) []string
		end     func(person *os.File) error
	}{
		"CtrlC": {
			"Ctrl-C ends a demo that stays up, which is no failure, nor an interruption of make.",
			underMake,
			func(person *os.File) error { _, err := person.Write([]byte{ctrlC}); return err },
		},
		"Closed": {
			"So does a terminal that is closed.",
			itself,
			(*os.File).Close,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			d := newDemo(t, tc.command(t), "PATH="+withoutKubectl(t))
			person, programs := terminal(t)
			d.cmd.Stdin, d.cmd.Stdout, d.cmd.Stderr = programs, programs, programs
			d.cmd.SysProcAttr.Setctty = true
			d.start(t)
			_ = programs.Close()
			go func() { _, _ = io.Copy(&d.output, person) }()

			d.await(t, "decisions_total\r\n")
			goOn(t, d.output.String())
			if err := tc.end(person); err != nil {
				t.Fatal(err)
			}
			d.expectEnd(t, tc.reason, 0)
		})
	}
}

// goOn does what a demo that stays up invites to.
func goOn(t *testing.T, output string) {
	t.Helper()
	found := invitation.FindStringSubmatch(output)
	if found == nil {
		t.Fatalf("the demo does not say how to go on:\n%s", output)
	}
	kubectl := func(args ...string) string {
		cmd := exec.Command(found[2], args...)
		cmd.Env = []string{"KUBECONFIG=" + found[1], "HOME=" + t.TempDir()}
		out, _ := cmd.CombinedOutput() // what it says is looked at
		return string(out)
	}
	if got, want := kubectl("get", "deployment", "web", "-n", production, "-o", "name"), "deployment.apps/web\n"; got != want {
		t.Errorf("kubectl says %q, want %q", got, want)
	}
	for namespace, want := range map[string]string{
		production:  `"deny.lintel.dev" denied the request: Deployment shop/try breaks`,
		staging:     "Warning: probes: ",
		development: "deployment.apps/try created",
	} {
		command := strings.TrimSuffix(found[3], production) + namespace
		if got := kubectl(strings.Fields(command)...); !strings.Contains(got, want) {
			t.Errorf("kubectl %s says %q, want %q", command, got, want)
		}
	}
}
