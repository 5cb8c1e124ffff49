package main

import (
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(runner{m}, map[string]func(){"lintel": main, pluginName: main, completeName: main})
}

// A runner runs the tests with the control plane that they share.
type runner struct{ m *testing.M }

// Run returns the exit code.
func (r runner) Run() int { return shared.Run(r.m) }

// TestScripts runs the stories in testdata/script. Each asserts the exit code and
// both streams.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("NO_COLOR", "")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"status":   status,
			"revision": revision,
		},
	})
}

// status runs a command, which has to exit with the code given: status N command...
func status(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N command...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("run %s: %v", args[1], err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("%s exits with %d, want %d", args[1], got, want)
	}
}

// revision takes the revision from standard output into $revision, as a file to be
// compared cannot know the hash of the policies.
func revision(ts *testscript.TestScript, _ bool, _ []string) {
	found := regexp.MustCompile(`(?m)^(?:policies | +"revision": ")([0-9a-f]+)`).FindStringSubmatch(ts.ReadFile("stdout"))
	if found == nil {
		ts.Fatalf("standard output names no revision")
	}
	ts.Setenv("revision", found[1])
	if n := len(found[1]); n != 7 && n != 12 {
		ts.Fatalf("%s", fmt.Sprintf("revision %q has %d characters", found[1], n))
	}
}
