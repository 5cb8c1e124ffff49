package main

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/lintel-policy/lintel/report"
)

// documents are the pages whose commands people copy.
func documents(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, top := range []string{"../../.pre-commit-hooks.yaml", "../../docs/check.md", "../../docs/ci"} {
		err := filepath.WalkDir(top, func(file string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			data, err := os.ReadFile(file)
			found[strings.TrimPrefix(file, "../../")] = string(data)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return found
}

// block is a fenced one of Markdown, with its language.
var block = regexp.MustCompile("(?ms)^```([a-z]+)\n(.*?)^```$")

// command is a line that runs lintel, as it stands in scripts, YAML and Markdown, up
// to a comment or what the shell does with it.
var command = regexp.MustCompile(`(?m)^[ \t]*(?:- )?(?:run: )?lintel ([^\n#|>&]*)`)

// TestYAMLOfPipelines holds what is to be copied into pipelines to being YAML.
func TestYAMLOfPipelines(t *testing.T) {
	t.Parallel()
	parsed := 0
	for file, text := range documents(t) {
		blocks := []string{text}
		if strings.HasSuffix(file, ".md") {
			blocks = nil
			for _, b := range block.FindAllStringSubmatch(text, -1) {
				if b[1] == "yaml" {
					blocks = append(blocks, b[2])
				}
			}
		}
		for _, b := range blocks {
			var v any
			if err := yaml.Unmarshal([]byte(b), &v); err != nil || v == nil {
				t.Errorf("%s: %v", file, err)
			}
			parsed++
		}
	}
	if parsed < 5 {
		t.Errorf("there are %d documents of YAML, want the action, the workflow, the hooks and two on pages", parsed)
	}
}

// TestCommandsOfPipelines holds each command line on these pages to flags and
// formats that there are.
func TestCommandsOfPipelines(t *testing.T) {
	t.Parallel()
	commands := map[string]int{}
	for file, text := range documents(t) {
		for _, line := range command.FindAllStringSubmatch(text, -1) {
			commands[file]++
			if err := understood(strings.Fields(line[1])); err != nil {
				t.Errorf("%s: lintel %s: %v", file, line[1], err)
			}
		}
	}
	for _, file := range []string{"docs/check.md", "docs/ci/README.md", "docs/ci/github/action.yml", "docs/ci/gitlab.md"} {
		if commands[file] == 0 {
			t.Errorf("%s has no command that runs lintel", file)
		}
	}
	for _, wrong := range []string{"check --frobnicate .", "check -o xml .", "chekc .", "check -x ."} {
		if understood(strings.Fields(wrong)) == nil {
			t.Errorf("lintel %s is understood", wrong)
		}
	}
}

// TestArgumentsOfHooks holds the arguments of hooks to the same.
func TestArgumentsOfHooks(t *testing.T) {
	t.Parallel()
	pages := documents(t)
	page := block.FindStringSubmatch(pages["docs/ci/pre-commit.md"])[2]
	var config struct {
		Repos []struct {
			Hooks []struct {
				ID   string
				Args []string
			}
		}
	}
	var hooks []struct {
		ID, Entry string
		Args      []string
	}
	if err := errors.Join(yaml.Unmarshal([]byte(page), &config), yaml.Unmarshal([]byte(pages[".pre-commit-hooks.yaml"]), &hooks)); err != nil {
		t.Fatal(err)
	}
	used := config.Repos[0].Hooks[0]
	offered := map[string]bool{}
	for _, h := range hooks {
		offered[h.ID] = true
		for _, args := range [][]string{h.Args, used.Args} {
			if err := understood(append(strings.Fields(h.Entry)[1:], args...)); err != nil {
				t.Errorf("%s %q: %v", h.Entry, args, err)
			}
		}
	}
	if !offered[used.ID] {
		t.Errorf("the page uses hook %q, and there are %v", used.ID, offered)
	}
}

// understood reports what is wrong with a command line, but for its files.
func understood(args []string) error {
	root := newRoot(streams{new(bytes.Buffer), io.Discard, io.Discard})
	cmd, rest, err := root.Find(args)
	if err != nil {
		return err
	}
	if err := cmd.ParseFlags(rest); err != nil {
		return err
	}
	if err := cmd.ValidateArgs(cmd.Flags().Args()); err != nil {
		return err
	}
	if cmd.Name() != "check" {
		return nil
	}
	outputs, err := cmd.Flags().GetStringArray("output")
	if err != nil {
		return err
	}
	for _, o := range outputs {
		format, _, _ := strings.Cut(o, "=")
		if _, err := report.New(format, report.Config{}); err != nil {
			return err
		}
	}
	return nil
}
