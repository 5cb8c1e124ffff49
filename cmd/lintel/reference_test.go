package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

var update = flag.Bool("update", false, "write docs/reference instead of comparing with it")

// reference is the folder of the pages that are made of the commands' help.
const reference = "../../docs/reference"

// TestReference holds the pages to what the commands say of themselves.
func TestReference(t *testing.T) {
	want := map[string]string{}
	for cmd := range commands(newRoot(streams{})) {
		cmd.DisableAutoGenTag = true
		var page bytes.Buffer
		if err := doc.GenMarkdown(cmd, &page); err != nil {
			t.Fatalf("document %q: %v", cmd.CommandPath(), err)
		}
		want[strings.ReplaceAll(cmd.CommandPath(), " ", "_")+".md"] = page.String()
	}
	if *update {
		must(os.RemoveAll(reference))
		must(os.MkdirAll(reference, 0o755))
		for name, page := range want {
			must(os.WriteFile(filepath.Join(reference, name), []byte(page), 0o644))
		}
	}
	got := map[string]string{}
	files, err := filepath.Glob(filepath.Join(reference, "*.md"))
	must(err)
	for _, file := range files {
		page, err := os.ReadFile(file)
		must(err)
		got[filepath.Base(file)] = string(page)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("docs/reference: -commands, +pages (go test ./cmd/lintel -run TestReference -update writes them):\n%s", diff)
	}
}

// TestHelp holds each command to showing what it is for and how it is called.
func TestHelp(t *testing.T) {
	for cmd := range commands(newRoot(streams{})) {
		if cmd.Short == "" || cmd.Example == "" {
			t.Errorf("%s has no short text or no example", cmd.CommandPath())
		}
		for line := range strings.Lines(cmd.Example) {
			if !strings.HasPrefix(line, "  ") || !strings.Contains(line, "lintel") {
				t.Errorf("%s: example %q is not indented or does not call lintel", cmd.CommandPath(), line)
			}
		}
	}
}

// commands yields root and all commands below it that people see.
func commands(root *cobra.Command) func(func(*cobra.Command) bool) {
	return func(yield func(*cobra.Command) bool) {
		var walk func(*cobra.Command) bool
		walk = func(cmd *cobra.Command) bool {
			if cmd.Hidden || !yield(cmd) {
				return cmd.Hidden
			}
			for _, sub := range cmd.Commands() {
				if !walk(sub) {
					return false
				}
			}
			return true
		}
		walk(root)
	}
}
