package resource

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

const (
	// maxFolders is how deep folders may nest; people do not go beyond ten.
	maxFolders = 64

	// maxEntries is how many names one folder may have. They are held in memory
	// to be sorted; at 100 bytes each this is 100 MB.
	maxEntries = 1_000_000
)

// Options say how paths are read. The zero value reads files and folders.
type Options struct {
	// Stdin is read where a path is "-".
	Stdin io.Reader

	// Namespace is what charts are told they are installed in; if empty, "default".
	Namespace string

	Charts ChartOptions // how charts are rendered

	// Policies are folders of policies. What is in a folder testdata of theirs are
	// samples, good and bad, and skipped unless they are named.
	Policies []string
}

// Load reads all that paths name: see [Walk].
func Load(ctx context.Context, opts Options, paths ...string) Result {
	var all Result
	err := Walk(ctx, opts, paths, func(r Result) error {
		all.Objects = append(all.Objects, r.Objects...)
		all.Errors = append(all.Errors, r.Errors...)
		all.Skipped += r.Skipped
		return nil
	})
	if err != nil {
		all.Errors = append(all.Errors, &Error{Err: err})
	}
	return all
}

// Walk calls visit with what each file that paths name holds, one file after the
// other, and holds one file at a time. It returns the first error of visit, or
// that of the context; what is wrong with files is in the results.
//
// A file that is named is read whatever it is called, and it is an error if it
// holds no object. A folder is walked in the order of names, as kubectl apply -R
// does: it reads .yaml, .yml and .json, and skips and counts documents that are no
// Kubernetes objects. In a folder a symbolic link is read if it leads to a file
// inside that folder, and is an error if it leads out; links to folders are
// not followed. Only regular files are ever opened. Paths are "-" for standard input.
// What several paths lead to is read once.
//
// A folder with a Chart.yaml is a Helm chart, and so is a .tgz that is named: it is
// rendered, and its templates, crds and charts are not read by themselves. Else
// a Chart.yaml at the top of a repository would keep all of it from being judged. A
// file beside them that is itself a template, and so cannot be read, is skipped. See
// [ChartOptions].
//
// A folder with a kustomization is built as kubectl apply -k would, unless another
// kustomization of the run uses it or it is a component, and the files of
// kustomizations are not read singly unless they are named.
func Walk(ctx context.Context, opts Options, paths []string, visit func(Result) error) error {
	values, err := readAllValues(opts.Charts.Values)
	if err != nil {
		return visit(Result{Errors: []*Error{err}})
	}
	kustomizations, failed := newPlan(ctx, paths)
	if failed != nil {
		return failed
	}
	var done visited
	if len(paths) > 1 {
		done = visited{}
	}
	proofs := proofFolders(opts.Policies)
	for _, path := range paths {
		w := walker{ctx: ctx, opts: opts, values: values, top: path, visit: visit, plan: kustomizations, done: done, proofs: proofs}
		if err := w.path(); err != nil { //nolint:contextcheck // it has it
			return err
		}
	}
	return ctx.Err()
}

// A walker reads one path.
type walker struct {
	ctx    context.Context //nolint:containedctx // that of one call of Walk, which callbacks do not pass on
	opts   Options
	values []chartFile // for charts
	top    string
	root   *os.Root // the folder at top; nothing outside it is opened
	visit  func(Result) error

	plan   *plan   // of the kustomizations
	done   visited // by all walkers of the run
	base   string  // the folder at top, absolute and free of links
	charts int     // whose folders what is read is in

	proofs []string // folders of policies, absolute and free of links
}

// visited holds the files and charts that were read, by paths that are absolute and
// free of links, and whether anything was in them. People name a folder and files in it.
// It is nil, and costs nothing, where there is but one path.
type visited map[string]bool

// has reports whether a place needs no reading. What had nothing, and was skipped in
// a folder, is still an error if it is named.
func (v visited) has(place string, named bool) bool {
	told, read := v[place]
	return told || read && !named
}

func (v visited) add(place string, r Result) {
	if place != "" && v != nil {
		v[place] = v[place] || len(r.Objects)+len(r.Errors) > 0
	}
}

// place returns where a name in the root is, "" if that is not known.
func (w *walker) place(name string) string {
	if w.base == "" {
		return ""
	}
	return filepath.Join(w.base, name)
}

func (w *walker) path() error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	if w.top == "-" {
		if w.done.has("-", false) {
			return nil
		}
		r := Read(w.opts.Stdin, "-")
		w.done.add("-", r)
		return w.visit(r)
	}
	if isKustomizationFile(w.top) {
		if done, err := w.namedKustomization(); done || err != nil {
			return err
		}
	}
	if isURL(w.top) {
		return w.fail(w.top, errURL)
	}
	info, err := os.Stat(w.top)
	switch {
	case err != nil:
		return w.fail(w.top, cause(err))
	case !info.IsDir() && !info.Mode().IsRegular():
		return w.fail(w.top, fmt.Errorf("is %s, no regular file: pass it to standard input", modeName(info.Mode())))
	}
	if err := errTemplate(w.top); err != nil {
		return w.fail(w.top, err)
	}
	switch {
	case info.IsDir():
		return w.walk()
	case isArchive(w.top):
		return w.archive()
	}
	return w.file(w.top, resolved(w.top), true, func(flag int) (*os.File, error) { return os.OpenFile(w.top, flag, 0) })
}

func (w *walker) walk() error {
	root, err := os.OpenRoot(w.top)
	if err != nil {
		return w.fail(w.top, cause(err))
	}
	defer root.Close()
	w.root, w.base = root, resolved(w.top)
	return w.folder(".", 0)
}

// folder reads what is in a folder, named relative to the root.
func (w *walker) folder(name string, depth int) error {
	if depth > maxFolders {
		return w.fail(w.shown(name), fmt.Errorf("folders nest deeper than %d", maxFolders))
	}
	if w.holdsSamples(name) {
		return w.visit(Result{Skipped: 1})
	}
	entries, err := w.entries(name)
	if err != nil {
		return w.fail(w.shown(name), fmt.Errorf("read folder: %w", cause(err)))
	}
	if isChart(entries) {
		if err := w.chart(name); err != nil {
			return err
		}
		entries = besideChart(entries)
		w.charts++
		defer func() { w.charts-- }()
	}
	if err := w.kustomization(name); err != nil {
		return err
	}
	for _, entry := range entries {
		if err := w.ctx.Err(); err != nil {
			return err
		}
		inner := filepath.Join(name, entry.Name())
		if entry.IsDir() {
			err = w.folder(inner, depth+1)
		} else if isManifest(inner) && !w.belongs(inner) {
			err = w.entry(inner)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// proofFolders returns the folders of policies that are there.
func proofFolders(policies []string) []string {
	var out []string
	for _, folder := range policies {
		if folder = resolved(folder); folder != "" {
			out = append(out, folder)
		}
	}
	return out
}

// holdsSamples reports whether a folder that was not named has the samples of a policy.
func (w *walker) holdsSamples(name string) bool {
	if filepath.Base(name) != "testdata" {
		return false
	}
	return slices.ContainsFunc(w.proofs, func(folder string) bool {
		inside, err := filepath.Rel(folder, w.place(name))
		return err == nil && filepath.IsLocal(inside)
	})
}

// entries returns what is in a folder, in the order of names.
func (w *walker) entries(name string) ([]fs.DirEntry, error) {
	dir, err := w.root.Open(name)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	entries, err := dir.ReadDir(maxEntries + 1)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if len(entries) > maxEntries {
		return nil, fmt.Errorf("more than %d entries", maxEntries)
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, nil
}

// entry reads a file of the folder, or what a symbolic link in it leads to.
func (w *walker) entry(name string) error {
	info, err := w.root.Stat(name)
	switch {
	case err != nil && w.isLink(name):
		return w.fail(w.shown(name), errors.New("is a symbolic link that leads nowhere or out of the folder: name the file itself to read it"))
	case err != nil:
		return w.fail(w.shown(name), cause(err))
	case info.IsDir():
		return nil
	case !info.Mode().IsRegular():
		return w.visit(Result{Skipped: 1})
	}
	return w.file(w.shown(name), w.place(name), false, func(flag int) (*os.File, error) { return w.root.OpenFile(name, flag, 0) })
}

func (w *walker) isLink(name string) bool {
	info, err := w.root.Lstat(name)
	return err == nil && info.Mode()&fs.ModeSymlink != 0
}

// file reads a file that was regular a moment ago, and is at a place.
func (w *walker) file(path, place string, strict bool, open func(flag int) (*os.File, error)) error {
	if w.done.has(place, strict) {
		return nil
	}
	f, size, err := openRegular(open)
	if err != nil {
		return w.fail(path, err)
	}
	defer f.Close()
	if size > MaxPlan {
		return w.fail(path, errTooLarge)
	}
	r := reader{file: path, strict: strict, asHelm: w.charts > 0}
	r.read(f)
	if w.charts > 0 && slices.Contains(helmFiles, filepath.Base(path)) {
		r.Skipped = 0 // helm reads it
	}
	w.done.add(place, r.Result)
	return w.visit(r.Result)
}

// openRegular opens a file that was regular a moment ago, and says how large it is.
// It does not wait, should that have become a pipe meanwhile.
func openRegular(open func(flag int) (*os.File, error)) (*os.File, int64, error) {
	f, err := open(os.O_RDONLY | syscall.O_NONBLOCK)
	if err != nil {
		return nil, 0, cause(err)
	}
	info, err := f.Stat()
	switch {
	case err != nil:
		err = cause(err)
	case !info.Mode().IsRegular():
		err = errors.New("is no regular file any more")
	default:
		return f, info.Size(), nil
	}
	_ = f.Close() // nothing was written
	return nil, 0, err
}

func (w *walker) fail(path string, err error) error {
	return w.visit(Result{Errors: []*Error{{File: path, Err: err}}})
}

// shown returns the path of a name in the root as people know it.
func (w *walker) shown(name string) string { return filepath.Join(w.top, name) }

// isURL reports whether a path is the URL that kubectl and helm would fetch.
func isURL(path string) bool { return strings.Contains(path, "://") }

var errURL = errors.New("is a URL, which is not fetched: name a file, or pass what is there to standard input")

// isManifest reports whether kubectl would read a file in a folder.
func isManifest(name string) bool {
	switch filepath.Ext(name) {
	case ".yaml", ".yml", ".json":
		return true
	}
	return false
}

func modeName(mode fs.FileMode) string {
	switch {
	case mode&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	case mode&fs.ModeDevice != 0:
		return "a device"
	}
	return "something special"
}
