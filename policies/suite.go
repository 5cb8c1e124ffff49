package policies

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"strings"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
)

// A Suite is a policy as it comes, without what a Policy object may set, together
// with what proves it.
type Suite struct {
	Policy  engine.Policy
	Tests   []v1alpha1.Module // the files that end in _test.rego
	Samples []Sample          // good and bad objects of its testdata
}

// A Sample is one document of a file in the testdata of a policy: an object in which
// the policy finds nothing if the file is called good*.yaml, and what is said in
// comments if it is called bad*.yaml:
//
//	# want: spec.containers[0]: no livenessProbe
type Sample struct {
	File string
	Line int    // of the first line of Text
	Text string // the document as it is written
	Good bool
	Want []string // path and message of each finding, in the order of the comments
}

// wantComment begins a line of a sample that says what is found in it.
const wantComment = "# want: "

// Object returns the text of the sample without the comments about what is found.
func (s Sample) Object() string {
	var b strings.Builder
	for line := range strings.Lines(s.Text) {
		if !strings.HasPrefix(line, wantComment) && !strings.HasPrefix(line, "---") {
			b.WriteString(line)
		}
	}
	return strings.TrimSpace(b.String()) + "\n"
}

// isSample reports whether a file, named with its folder, has samples.
func isSample(file string) bool {
	base := filepath.Base(file)
	ext := filepath.Ext(base)
	return filepath.Base(filepath.Dir(file)) == "testdata" && (ext == ".yaml" || ext == ".yml") &&
		(strings.HasPrefix(base, "good") || strings.HasPrefix(base, "bad"))
}

// samplesOf returns the samples in a file.
func samplesOf(file string, data []byte) []Sample {
	var found []Sample
	line := 1
	for _, text := range splitYAML(data) {
		s := Sample{File: file, Line: line, Text: string(text), Good: strings.HasPrefix(filepath.Base(file), "good")}
		for l := range strings.Lines(s.Text) {
			if want, ok := strings.CutPrefix(strings.TrimRight(l, "\r\n"), wantComment); ok {
				s.Want = append(s.Want, want)
			}
		}
		if s.hasObject() {
			found = append(found, s)
		}
		line += strings.Count(s.Text, "\n")
	}
	return found
}

// hasObject reports whether there is more than comments in the text.
func (s Sample) hasObject() bool {
	for line := range strings.Lines(s.Text) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "---") && !strings.HasPrefix(line, "#") {
			return true
		}
	}
	return false
}

// LoadSuites reads the folders of Rego in dir, as [Load] does, with their tests and
// samples. Policy and PolicyException objects are not read.
func LoadSuites(dir string) ([]Suite, error) {
	f, errs := readFolder(dir, true)
	var suites []Suite
	seen := map[string]string{}
	for _, r := range f.rego {
		switch {
		case !validName.MatchString(r.name):
			errs = append(errs, invalidName(r))
		case seen[r.name] != "":
			errs = append(errs, clash(r.name, seen[r.name], r.path))
		default:
			seen[r.name] = r.path
			suites = append(suites, Suite{Policy: r.policy(), Tests: r.tests, Samples: r.samples})
		}
	}
	if len(errs) == 0 && len(suites) == 0 {
		errs = append(errs, fmt.Errorf("%s: has no folders with .rego files", dir))
	}
	return suites, errors.Join(errs...)
}

// invalidName says that a folder cannot be a policy.
func invalidName(r regoFolder) error {
	return fmt.Errorf("%s: %q is no name for a policy: small letters, digits and - are", r.path, r.name)
}

// EmbeddedSuites returns the policies of the library with their tests and samples.
func EmbeddedSuites() ([]Suite, error) {
	all, err := Embedded()
	if err != nil {
		return nil, err
	}
	var suites []Suite
	for _, p := range all {
		s, err := embeddedSuite(p)
		if err != nil {
			return nil, fmt.Errorf("read policy %q of the library: %w", p.Name, err)
		}
		suites = append(suites, s)
	}
	return suites, nil
}

func embeddedSuite(p engine.Policy) (Suite, error) {
	s := Suite{Policy: p}
	return s, fs.WalkDir(library, p.Name, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || isRego(file) {
			return err
		}
		data, err := fs.ReadFile(library, file)
		switch {
		case err != nil:
			return err
		case path.Ext(file) == ".rego":
			s.Tests = append(s.Tests, v1alpha1.Module{Name: file, Rego: string(data)})
		case isSample(file):
			s.Samples = append(s.Samples, samplesOf(file, data)...)
		}
		return nil
	})
}
