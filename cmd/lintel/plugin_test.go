package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestKubectlFindsPlugin calls and completes lintel through a real kubectl, which
// finds it by the names of links.
func TestKubectlFindsPlugin(t *testing.T) {
	t.Parallel()
	kubectl := shared.Cluster(t).KubectlPath()
	dir := t.TempDir()
	for _, name := range []string{pluginName, completeName} {
		target, err := exec.LookPath(name) // testscript.Main has put it there
		if err != nil {
			t.Fatalf("find %s: %v", name, err)
		}
		must(os.Symlink(target, filepath.Join(dir, name)))
	}
	cases := map[string]struct {
		reason string
		args   []string
		want   string
	}{
		"Call": {
			reason: "Help shows the name that people type.",
			args:   []string{"lintel", "check", "--help"},
			want:   "kubectl lintel check PATH... [flags]",
		},
		"Complete": {
			reason: "kubectl completes the plugin's commands by calling another link.",
			args:   []string{"__complete", "lintel", "expl"},
			want:   "explain\tExplain",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), kubectl, tc.args...)
			cmd.Env = append(os.Environ(), "PATH="+dir+string(os.PathListSeparator)+os.Getenv("PATH"))
			out, err := cmd.CombinedOutput()
			if err != nil || !strings.Contains(string(out), tc.want) {
				t.Errorf("%s\nkubectl %q: %v\n%s\nwant %q in it", tc.reason, tc.args, err, out, tc.want)
			}
		})
	}
}
