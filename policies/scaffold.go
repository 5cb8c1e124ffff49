package policies

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"text/template"

	_ "embed" // for the template
)

// scaffold has the files of a new policy, each after a line "-- name --".
//
//go:embed scaffold.txt
var scaffold string

// New makes the folder of a new policy in dir: Rego with METADATA, a test of it with
// a row for the absent field, and samples. It returns the files that it made. It is an
// error if the folder is there, or if no policy can have the name.
func New(dir, name string) ([]string, error) {
	switch {
	case !validName.MatchString(name):
		return nil, fmt.Errorf("%q is no name for a policy: small letters, digits and - are", name)
	case name[0] <= '9' || slices.Contains(keywords(), name):
		return nil, fmt.Errorf("%q is no name for a package in Rego, which the policy needs", name)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // source code is there for everybody
		return nil, fmt.Errorf("make folder: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open folder: %w", err)
	}
	defer root.Close()
	switch err := root.Mkdir(name, 0o755); {
	case errors.Is(err, fs.ErrExist):
		return nil, fmt.Errorf("%s is there already", filepath.Join(dir, name))
	case err != nil:
		return nil, fmt.Errorf("make folder of the policy: %w", err)
	}
	return write(root, dir, name)
}

// keywords are the words that Rego reads otherwise than as a name.
func keywords() []string {
	return []string{
		"as", "contains", "data", "default", "else", "every", "false", "if", "import", "in", "input",
		"not", "null", "package", "some", "true", "with",
	}
}

func write(root *os.Root, dir, name string) ([]string, error) {
	var made []string
	for file, text := range newFiles(name) {
		file = path.Join(name, file)
		if err := root.MkdirAll(path.Dir(file), 0o755); err != nil {
			return made, fmt.Errorf("make folder of the policy: %w", err)
		}
		if err := root.WriteFile(file, []byte(text), 0o644); err != nil {
			return made, fmt.Errorf("write the policy: %w", err)
		}
		made = append(made, filepath.Join(dir, file))
	}
	return made, nil
}

// newFiles yields the files of a new policy by their path in its folder.
func newFiles(name string) func(func(string, string) bool) {
	word := strings.ReplaceAll(name, "-", "_")
	title := strings.ReplaceAll(name, "-", " ")
	var b strings.Builder
	fields := map[string]string{"Name": name, "Word": word, "Title": strings.ToUpper(title[:1]) + title[1:]}
	if err := template.Must(template.New("policy").Parse(scaffold)).Execute(&b, fields); err != nil {
		return func(func(string, string) bool) {} // the template is our own, and tests make it
	}
	return func(yield func(string, string) bool) {
		for _, part := range strings.Split("\n"+b.String(), "\n-- ")[1:] {
			file, text, _ := strings.Cut(part, " --\n")
			if !yield(file, strings.TrimRight(text, "\n")+"\n") {
				return
			}
		}
	}
}
