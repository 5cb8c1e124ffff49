package policies

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/lintel-policy/lintel/api/v1alpha1"
)

// Limits of a folder of policies. The largest public collection has some 500
// policies, each a file of a few KiB.
const (
	maxFile    = 1 << 20   // bytes; no object in a cluster has more
	maxDepth   = 32        // of folders in each other
	maxEntries = 20_000    // files and folders, all together
	maxErrors  = 100       // that are told of
	maxBytes   = 128 << 20 // all together
)

// A regoFolder is a folder with Rego in it.
type regoFolder struct {
	name    string // the policy's
	path    string // as errors show it
	modules []v1alpha1.Module
	tests   []v1alpha1.Module // only where proofs are read
	samples []Sample          // the same
}

// A folder is what was read of a folder of policies.
type folder struct {
	rego      []regoFolder
	documents []document
}

// readFolder reads the files of dir and of all folders in it, in the order of
// their names, and returns what could be read beside an error for each that could not.
// With proofs it reads tests and samples in the place of objects.
func readFolder(dir string, proofs bool) (folder, []error) {
	top, err := filepath.Abs(dir)
	if err != nil {
		return folder{}, []error{fmt.Errorf("find folder %s: %w", dir, err)}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return folder{}, []error{fmt.Errorf("open folder of policies %s: %w", dir, cause(err))}
	}
	defer root.Close()
	w := walker{dir: dir, root: root, top: filepath.Base(top), proofs: proofs}
	w.walk(".", 0)
	return w.folder, w.errs
}

// A walker reads a folder of policies.
type walker struct {
	dir     string   // as it was given
	root    *os.Root // the same; nothing outside it is opened
	top     string   // its name
	proofs  bool     // whether tests and samples are read, or else objects
	entries int      // met so far
	bytes   int      // read so far
	errs    []error
	folder
}

// walk reads a folder, named relative to the root.
func (w *walker) walk(name string, depth int) {
	entries, err := w.list(name, depth)
	if err != nil {
		w.fail(name, err)
		return
	}
	rego := regoFolder{name: filepath.Base(name), path: filepath.Join(w.dir, name)}
	if name == "." {
		rego.name = w.top
	}
	for _, e := range entries {
		inner := filepath.Join(name, e.Name())
		switch {
		case strings.HasPrefix(e.Name(), "."):
		case e.Name() == "testdata":
			w.testdata(inner, e, depth, &rego)
		case e.IsDir():
			w.walk(inner, depth+1)
		case e.Type()&fs.ModeSymlink != 0 || w.isRead(e.Name()):
			w.file(inner, e.Type(), &rego)
		}
	}
	if len(rego.modules) > 0 {
		w.rego = append(w.rego, rego)
	}
}

// testdata reads the samples of a policy.
func (w *walker) testdata(name string, entry fs.DirEntry, depth int, rego *regoFolder) {
	if !w.proofs || !entry.IsDir() {
		return
	}
	entries, err := w.list(name, depth+1)
	if err != nil {
		w.fail(name, err)
		return
	}
	for _, e := range entries {
		if inner := filepath.Join(name, e.Name()); isSample(inner) {
			w.file(inner, e.Type(), rego)
		}
	}
}

// list returns the entries of a folder by name, unless there are too many.
func (w *walker) list(name string, depth int) ([]fs.DirEntry, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("folders nest deeper than %d", maxDepth)
	}
	dir, err := w.root.Open(name)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	entries, err := dir.ReadDir(maxEntries - w.entries + 1)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if w.entries += len(entries); w.entries > maxEntries {
		return nil, fmt.Errorf("more than %d files and folders: a folder of policies holds nothing else", maxEntries)
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, nil
}

// isRead reports whether a file of that name says something.
func (w *walker) isRead(name string) bool {
	if w.proofs {
		return strings.HasSuffix(name, ".rego") || isSample(name)
	}
	return isRego(name) || slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(name))
}

// file reads a file that is in a folder, or what a link there leads to.
func (w *walker) file(name string, mode fs.FileMode, rego *regoFolder) {
	data, err := w.content(name, mode)
	switch {
	case err != nil:
		w.fail(name, err)
	case isRego(name):
		rego.modules = append(rego.modules, v1alpha1.Module{Name: filepath.Join(w.dir, name), Rego: string(data)})
	case w.proofs && strings.HasSuffix(name, ".rego"):
		rego.tests = append(rego.tests, v1alpha1.Module{Name: filepath.Join(w.dir, name), Rego: string(data)})
	case w.proofs && isSample(name):
		rego.samples = append(rego.samples, samplesOf(filepath.Join(w.dir, name), data)...)
	case w.isRead(name):
		w.documents = append(w.documents, split(filepath.Join(w.dir, name), data)...)
	}
}

// content returns what is in a file, nothing for a link to one that is not read.
func (w *walker) content(name string, mode fs.FileMode) ([]byte, error) {
	if mode&fs.ModeSymlink != 0 {
		info, err := w.root.Stat(name)
		switch {
		case err != nil:
			return nil, errors.New("is a symbolic link that leads nowhere or out of the folder")
		case info.IsDir():
			return nil, errors.New("is a symbolic link to a folder, which is not followed: name that folder itself")
		case !w.isRead(name):
			return nil, nil
		}
		mode = info.Mode()
	}
	if !mode.IsRegular() {
		return nil, errors.New("is no regular file")
	}
	return w.read(name)
}

// read reads a file that was regular a moment ago. Opening does not wait, should
// it have become a pipe meanwhile.
func (w *walker) read(name string) ([]byte, error) {
	f, err := w.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(err, errors.New("is no regular file any more"))
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("is larger than %d KiB", maxFile>>10)
	}
	if w.bytes += len(data); w.bytes > maxBytes {
		return nil, fmt.Errorf("is left out: the files of all policies are larger than %d MiB", maxBytes>>20)
	}
	return data, nil
}

// fail keeps an error, unless there are too many of them already.
func (w *walker) fail(name string, err error) {
	switch {
	case len(w.errs) < maxErrors:
		w.errs = append(w.errs, fmt.Errorf("%s: %w", filepath.Join(w.dir, name), cause(err)))
	case len(w.errs) == maxErrors:
		w.errs = append(w.errs, fmt.Errorf("%s: more than %d files cannot be read: the others are not shown", w.dir, maxErrors))
	}
}

// cause strips the path from an error of package os, since it is in front already.
func cause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
