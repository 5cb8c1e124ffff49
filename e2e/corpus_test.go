package e2e_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/lintel-policy/lintel/resource"
)

// A corpus is a folder of manifests, one object a file, so that every answer of
// kubectl and every finding of lintel check belongs to one object.
type corpus struct {
	folder  string
	origins map[string]string // where each file comes from, by its name
	// context are the files of objects that others are judged by, in the order in
	// which they have to be made: namespaces first.
	context    []string
	namespaces map[string]bool // that objects are in; true: it is an object of the corpus
	skipped    int             // documents that are no objects
}

// newCorpus gathers all manifests in folders.
func newCorpus(t *testing.T, folders ...string) *corpus {
	t.Helper()
	c := &corpus{folder: t.TempDir(), origins: map[string]string{}, namespaces: map[string]bool{}}
	for _, folder := range folders {
		err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(path)) {
				return err
			}
			return c.add(t, path)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(c.origins) == 0 {
		t.Fatalf("no manifests in %q", folders)
	}
	slices.Sort(c.context)
	return c
}

// add adds the objects of one file, as they are written there where it can be.
func (c *corpus) add(t *testing.T, path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	documents, err := split(data, filepath.Ext(path))
	if err != nil {
		return fmt.Errorf("split %s: %w", path, err)
	}
	for i, document := range documents {
		origin := fmt.Sprintf("%s (document %d)", path, i+1)
		found := resource.Read(bytes.NewReader(document), path)
		switch {
		case len(found.Objects) == 0 && isNoObject(found.Errors):
			c.skipped++
		case len(found.Objects) <= 1:
			c.write(t, origin, filepath.Ext(path), document, found.Objects)
		default: // a list
			for _, o := range found.Objects {
				c.write(t, origin, ".json", o.JSON, []resource.Object{o})
			}
		}
	}
	return nil
}

// isNoObject says whether a document was read, and is just no Kubernetes object.
func isNoObject(errs []*resource.Error) bool {
	return !slices.ContainsFunc(errs, func(e *resource.Error) bool {
		return !errors.Is(e, resource.ErrNotKubernetes) && !errors.Is(e, resource.ErrNoObjects)
	})
}

// split splits a file where kubectl does.
func split(data []byte, ext string) ([][]byte, error) {
	if ext == ".json" {
		return [][]byte{data}, nil
	}
	var documents [][]byte
	for reader := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(data))); ; {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return documents, nil
		}
		if err != nil {
			return nil, err
		}
		documents = append(documents, document)
	}
}

// write writes one file of the corpus. Its name says in which order it has to be
// made.
func (c *corpus) write(t *testing.T, origin, ext string, data []byte, objects []resource.Object) {
	t.Helper()
	name := fmt.Sprintf("%04d%s", len(c.origins), ext)
	for _, o := range objects {
		switch {
		case o.Kind == "Namespace":
			name = "1-" + name
			c.namespaces[o.Name] = true
		case strings.HasSuffix(o.Kind, "PodAutoscaler"):
			name = "2-" + name
		default:
			name = "3-" + name
		}
		if o.Namespace != "" {
			c.namespaces[o.Namespace] = c.namespaces[o.Namespace]
		}
	}
	if err := os.WriteFile(filepath.Join(c.folder, name), data, 0o600); err != nil {
		t.Fatal(err)
	}
	c.origins[name] = origin
	if strings.HasPrefix(name, "1-") || strings.HasPrefix(name, "2-") {
		c.context = append(c.context, name)
	}
}

// files are the names of the files that are judged, in kubectl's order.
func (c *corpus) files() []string {
	var names []string
	for name := range c.origins {
		if !slices.Contains(c.context, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
