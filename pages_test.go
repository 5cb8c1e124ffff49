package lintel_test

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var (
	fenced  = regexp.MustCompile("(?ms)^ *```.*?^ *```$")
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	noSlug  = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
)

// TestLinksLeadSomewhere holds each link of a page that stays in the repository to
// a file, and to a heading of it where it names one.
func TestLinksLeadSomewhere(t *testing.T) {
	found := pages(t)
	count := 0
	for page, text := range found {
		for _, m := range link.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
			if strings.Contains(m[1], ":") {
				continue
			}
			count++
			target, anchor, _ := strings.Cut(m[1], "#")
			file := page
			if target != "" {
				file = path.Join(path.Dir(page), target)
			}
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s: link %s leads nowhere", page, m[1])
			} else if anchor != "" && !headings(found[file])[anchor] {
				t.Errorf("%s: link %s leads to no heading", page, m[1])
			}
		}
	}
	if count == 0 {
		t.Error("no link was found")
	}
}

// TestDesignIsListed holds the list of design pages to having all of them.
func TestDesignIsListed(t *testing.T) {
	const folder = "docs/design/"
	found := pages(t)
	index := found[folder+"README.md"]
	for page := range found {
		name, ok := strings.CutPrefix(page, folder)
		if ok && name != "README.md" && !strings.Contains(index, "]("+name+")") {
			t.Errorf("%sREADME.md does not list %s", folder, name)
		}
	}
}

// TestLayoutIsWritten holds the table of CONTRIBUTING.md to what the test of imports
// permits.
func TestLayoutIsWritten(t *testing.T) {
	row := regexp.MustCompile("(?m)^\\| `([^`]+)` \\| .* \\| ([^|]*) \\|$")
	name := regexp.MustCompile("`([^`]+)`")
	got := map[string][]string{}
	for _, m := range row.FindAllStringSubmatch(pages(t)["CONTRIBUTING.md"], -1) {
		if m[1] == "cmd/lintel" || mayImport[m[1]] == nil {
			continue // they may import anything below them
		}
		got[m[1]] = []string{}
		for _, n := range name.FindAllStringSubmatch(m[2], -1) {
			got[m[1]] = append(got[m[1]], n[1])
		}
	}
	want := map[string][]string{}
	for folder, imports := range mayImport {
		if folder != "cmd/lintel" {
			want[folder] = imports
		}
	}
	if diff := cmp.Diff(want, got, cmpopts.SortSlices(strings.Compare), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("layout: -imports_test.go, +CONTRIBUTING.md:\n%s", diff)
	}
}

// pages returns the pages of the repository, by their paths.
func pages(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(".", func(file string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && file != "." && (entry.Name() == "testdata" || strings.HasPrefix(entry.Name(), ".")):
			return filepath.SkipDir
		case path.Ext(file) != ".md":
			return nil
		}
		text, err := os.ReadFile(file)
		found[filepath.ToSlash(file)] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// headings returns what links call the headings of a page.
func headings(text string) map[string]bool {
	names := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
		name := noSlug.ReplaceAllString(strings.ToLower(strings.TrimSpace(m[1])), "")
		names[strings.ReplaceAll(name, " ", "-")] = true
	}
	return names
}
