package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestReplaceFile(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	name := filepath.Join(folder, strings.Repeat("n", 255)) // as long as a name may be
	precious := filepath.Join(folder, "precious")
	link := filepath.Join(folder, "link")
	for _, write := range []struct{ name, text string }{{name, "old"}, {precious, "precious"}} {
		if err := os.WriteFile(write.name, []byte(write.text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("precious", link); err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{name, link} {
		if err := replaceFile(to, []byte("new")); err != nil {
			t.Fatal(err)
		}
	}
	for file, want := range map[string]string{name: "new", link: "new", precious: "precious"} {
		if got, err := os.ReadFile(file); err != nil || string(got) != want {
			t.Errorf("%s: got %q and error %v, want %q", file, got, err, want)
		}
	}
	if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the mode is not as before: %v, %v", info.Mode(), err)
	}
	if entries, err := os.ReadDir(folder); err != nil || len(entries) != 3 {
		t.Errorf("there are other files than before: %v, %v", entries, err)
	}
}

// TestReplaceNothing holds a write that cannot be to leaving nothing behind.
func TestReplaceNothing(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if err := os.MkdirAll(filepath.Join(folder, "full", "in it"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := replaceFile(filepath.Join(folder, "full"), []byte("new")); err == nil {
		t.Error("a folder is replaced")
	}
	if entries, err := os.ReadDir(folder); err != nil || len(entries) != 1 {
		t.Errorf("something is left: %v, %v", entries, err)
	}
}

// TestSpecialFiles holds what is no regular file to being neither read, which would
// wait, nor replaced, which would take /dev/null from everybody.
func TestSpecialFiles(t *testing.T) {
	t.Parallel()
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{pipe, "/dev/null", t.TempDir()} {
		if _, err := readRegular(name, 1); err == nil {
			t.Errorf("%s is read", name)
		}
		if err := canReplace(name); err == nil {
			t.Errorf("%s can be replaced", name)
		}
	}
}

func TestReadRegularIsBounded(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "large")
	if err := os.WriteFile(name, make([]byte, 11), 0o600); err != nil {
		t.Fatal(err)
	}
	if data, err := readRegular(name, 11); err != nil || len(data) != 11 {
		t.Errorf("what just fits: got %d bytes and error %v", len(data), err)
	}
	if _, err := readRegular(name, 10); err == nil {
		t.Error("what is larger is read")
	}
}
