package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/lintel-policy/lintel/policies"
)

// A docsCommand is `lintel policies docs` with its flags.
type docsCommand struct {
	streams  streams
	policies []string
	out      string
	check    bool
}

func newPoliciesDocs(s streams) *cobra.Command {
	c := &docsCommand{streams: s}
	cmd := &cobra.Command{
		Use:   "docs",
		Short: "Write a page about each policy",
		Long: `Write a page of Markdown about each policy, from its METADATA and its samples:
what it matches, its parameters, what it finds, examples and how to configure it.

With --out the pages go to files of a folder, with a README.md that lists them;
pages of policies that are no longer there are removed. A file that this command
has not made is left alone, and is an error. With --check nothing is written, and
the exit code is 1 if something would be.`,
		Example: `  lintel policies docs -p ./policies --out docs/policies
  lintel policies docs -p ./policies --out docs/policies --check`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return c.run() },
	}
	policiesFlag(cmd, &c.policies, fromEmbedded)
	cmd.Flags().StringVar(&c.out, "out", "", "`folder` to write the pages to; without it, they go to standard output")
	cmd.Flags().BoolVar(&c.check, "check", false, "only say which files of --out are not current")
	return cmd
}

func (c *docsCommand) run() error {
	if c.check && c.out == "" {
		return errors.New("--check needs --out: the folder to look at")
	}
	pages, broken, err := readPages(c.policies)
	if err != nil {
		return err
	}
	if len(broken) > 0 {
		return errors.Join(broken...) // pages of half of the policies would be taken for all
	}
	if c.out == "" {
		return c.print(pages)
	}
	return c.files(pages)
}

func (c *docsCommand) print(pages []policies.Page) error {
	for i, p := range pages {
		if i > 0 {
			fmt.Fprintln(c.streams.out)
		}
		if _, err := io.WriteString(c.streams.out, p.Markdown()); err != nil {
			return fmt.Errorf("write page: %w", err)
		}
	}
	return nil
}

// files writes the pages, or compares them.
func (c *docsCommand) files(pages []policies.Page) error {
	want := map[string]string{"README.md": policies.Index(pages)}
	for _, p := range pages {
		want[p.Name+".md"] = p.Markdown()
	}
	if !c.check {
		if err := os.MkdirAll(c.out, 0o755); err != nil { //nolint:gosec // pages are there for everybody
			return fmt.Errorf("make folder: %w", err)
		}
	}
	root, err := os.OpenRoot(c.out)
	if err != nil {
		return fmt.Errorf("open folder: %w", err)
	}
	defer root.Close()
	have, foreign, err := readMade(root)
	if err != nil {
		return err
	}
	changed := differences(have, want)
	for _, name := range changed {
		if _, ok := want[name]; ok && foreign[name] {
			return fmt.Errorf("%s is not made by this command: it is left alone", filepath.Join(c.out, name))
		}
	}
	if c.check {
		return c.tell(have, want, changed)
	}
	return write(root, want, changed)
}

// tell says which files are not as they should be.
func (c *docsCommand) tell(have, want map[string]string, changed []string) error {
	for _, name := range changed {
		says := "is not current"
		if _, ok := have[name]; !ok {
			says = "is missing"
		} else if _, ok := want[name]; !ok {
			says = "is about no policy"
		}
		if _, err := fmt.Fprintf(c.streams.out, "%s %s\n", filepath.Join(c.out, name), says); err != nil {
			return fmt.Errorf("write results: %w", err)
		}
	}
	if len(changed) > 0 {
		return errDenied
	}
	return nil
}

// readMade returns the pages in a folder that were made, and which files were not.
func readMade(root *os.Root) (made map[string]string, foreign map[string]bool, err error) {
	made, foreign = map[string]string{}, map[string]bool{}
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return nil, nil, fmt.Errorf("list %s: %w", root.Name(), err)
	}
	for _, e := range entries {
		if filepath.Ext(e.Name()) != ".md" || !e.Type().IsRegular() {
			foreign[e.Name()] = true
			continue
		}
		data, err := root.ReadFile(e.Name())
		if err != nil {
			return nil, nil, fmt.Errorf("read page: %w", err)
		}
		if !policies.IsPage(string(data)) {
			foreign[e.Name()] = true
			continue
		}
		made[e.Name()] = string(data)
	}
	return made, foreign, nil
}

// differences returns the names under which two maps do not have the same, sorted.
func differences(have, want map[string]string) []string {
	names := map[string]bool{}
	for _, m := range []map[string]string{have, want} {
		for name := range m {
			if text, ok := want[name]; !ok || have[name] != text {
				names[name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// write writes or removes the pages of these names.
func write(root *os.Root, want map[string]string, names []string) error {
	for _, name := range names {
		text, ok := want[name]
		if !ok {
			if err := root.Remove(name); err != nil {
				return fmt.Errorf("remove page: %w", err)
			}
			continue
		}
		file := filepath.Join(root.Name(), name)
		if err := replaceFile(file, []byte(text)); err != nil { // a half page would not be known for one
			return fmt.Errorf("write %s: %w", file, err)
		}
	}
	return nil
}
