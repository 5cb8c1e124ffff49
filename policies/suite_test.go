package policies_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lintel-policy/lintel/policies"
)

const noRego = "package lintel.owner\n\nviolation contains {\"msg\": \"x\"}\n"

func TestLoadSuites(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"owner/owner.rego":              noRego,
		"owner/owner_test.rego":         "package lintel.owner_test\n",
		"owner/testdata/good.yaml":      "# about it\n---\nkind: A\n",
		"owner/testdata/bad-more.yml":   "# want: a.b: no\n# want: all: of it\nkind: B\n--- # next\n# want: c\nkind: C\n---\n# nothing\n",
		"owner/testdata/notes.md":       "x",
		"owner/testdata/other.yaml":     "kind: D\n",
		"owner/testdata/deep/good.yaml": "kind: E\n",
		"owner.yaml":                    "this: is no sample, and not read: [",
	} {
		write(t, filepath.Join(dir, name), text)
	}
	got, err := policies.LoadSuites(dir)
	if err != nil || len(got) != 1 {
		t.Fatalf("LoadSuites(...): %v, %d suites", err, len(got))
	}
	s := got[0]
	if s.Policy.Name != "owner" || len(s.Policy.Modules) != 1 || len(s.Tests) != 1 {
		t.Errorf("LoadSuites(...): %s has %d modules and %d tests", s.Policy.Name, len(s.Policy.Modules), len(s.Tests))
	}
	bad, good := filepath.Join(dir, "owner/testdata/bad-more.yml"), filepath.Join(dir, "owner/testdata/good.yaml")
	want := []policies.Sample{
		{File: bad, Line: 1, Text: "# want: a.b: no\n# want: all: of it\nkind: B\n", Want: []string{"a.b: no", "all: of it"}},
		{File: bad, Line: 4, Text: "--- # next\n# want: c\nkind: C\n", Want: []string{"c"}},
		{File: good, Line: 2, Text: "---\nkind: A\n", Good: true},
	}
	if diff := cmp.Diff(want, s.Samples); diff != "" {
		t.Errorf("LoadSuites(...): -want, +got:\n%s", diff)
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestLoadSuitesOfHostileFolder asks for an error for each thing in testdata that must
// not be read, in no time, and for what can be read beside them.
func TestLoadSuitesOfHostileFolder(t *testing.T) {
	dir := t.TempDir()
	data := filepath.Join(dir, "owner", "testdata")
	write(t, filepath.Join(dir, "owner", "owner.rego"), noRego)
	write(t, filepath.Join(data, "good.yaml"), "kind: A\n")
	write(t, filepath.Join(data, "good-large.yaml"), strings.Repeat("a", 2<<20))
	if err := syscall.Mkfifo(filepath.Join(data, "bad-pipe.yaml"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(data, "bad-out.yaml")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(data, "bad-folder.yaml"), 0o700); err != nil {
		t.Fatal(err)
	}
	suites, err := policies.LoadSuites(dir)
	if err == nil || len(suites) != 1 || len(suites[0].Samples) != 1 {
		t.Fatalf("LoadSuites(...): %v, %+v", err, suites)
	}
	var got []string
	for line := range strings.SplitSeq(err.Error(), "\n") {
		got = append(got, strings.TrimPrefix(line, data+"/"))
	}
	want := []string{
		"bad-folder.yaml: is no regular file",
		"bad-out.yaml: is a symbolic link that leads nowhere or out of the folder",
		"bad-pipe.yaml: is no regular file",
		"good-large.yaml: is larger than 1024 KiB",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("LoadSuites(...): -want, +got:\n%s", diff)
	}
}
