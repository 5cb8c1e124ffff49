package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/report"
	"github.com/lintel-policy/lintel/resource"
	"github.com/lintel-policy/lintel/splice"
)

// A fixer writes patches into files, in memory. The objects of the run are judged,
// their files are changed, and what these now hold is judged again, until there is
// nothing to change: an object may be patched by what was patched into another.
type fixer struct {
	judge   *judge
	files   []*fixFile
	seen    map[any]bool    // files, by what is the same for all their names
	folders []*os.Root      // to be closed
	found   resource.Result // of the run, files changed
	left    []report.Note   // what is not changed, and why
	refused map[string]bool // objects that are left alone, by the place they are at
}

// close closes the folders.
func (f *fixer) close() {
	for _, folder := range f.folders {
		_ = folder.Close()
	}
}

// load reads the paths, and keeps the text of all files whose objects stand in them as
// they are.
func (f *fixer) load(ctx context.Context, opts resource.Options, paths []string) error {
	if paths[0] == "-" {
		return f.loadStream(opts.Stdin)
	}
	opened := map[string]*os.Root{}
	for _, path := range paths {
		folder, err := f.openFolder(path)
		if err != nil {
			folder = nil // the walk says what is wrong with it
		}
		opened[path] = folder
	}
	// All at once: what a kustomization uses may be in another path.
	return resource.Walk(ctx, opts, paths, func(r resource.Result) error {
		f.take(opened, r)
		return nil
	})
}

// pathOf returns the path that a file was found at: itself, or the longest of the
// folders that it is in.
func pathOf(file string, opened map[string]*os.Root) string {
	if _, named := opened[file]; named {
		return file
	}
	found := ""
	for path := range opened {
		inner, err := filepath.Rel(path, file)
		if err == nil && inner != "." && filepath.IsLocal(inner) && len(path) >= len(found) {
			found = path
		}
	}
	return found
}

func (f *fixer) loadStream(in io.Reader) error {
	data, err := io.ReadAll(io.LimitReader(in, resource.MaxFile+1))
	if err != nil {
		return fmt.Errorf("read standard input: %w", err)
	}
	if len(data) > resource.MaxFile {
		return fmt.Errorf("standard input is larger than %d MiB", resource.MaxFile>>20)
	}
	file := &fixFile{path: "-", before: data, now: data, policies: map[string]bool{}}
	f.found = resource.Read(bytes.NewReader(data), "-")
	f.add(file, 0)
	if len(f.found.Errors) > 0 {
		file.alone = "the file has errors"
	}
	return nil
}

// openFolder opens the folder that a path is, or that its file is in.
func (f *fixer) openFolder(path string) (*os.Root, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		path = filepath.Dir(path)
	}
	folder, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	f.folders = append(f.folders, folder)
	return folder, nil
}

// take takes up what was read: the objects of one file, or those that a chart or a
// kustomization makes and the files beside them. Of a file with several names the
// objects are taken once.
func (f *fixer) take(opened map[string]*os.Root, r resource.Result) {
	f.found.Errors = append(f.found.Errors, r.Errors...)
	for from := 0; from < len(r.Objects); {
		to := from + 1
		for to < len(r.Objects) && r.Objects[to].File == r.Objects[from].File && r.Objects[to].Rendered == r.Objects[from].Rendered {
			to++
		}
		objects := r.Objects[from:to]
		from = to
		if objects[0].Rendered != "" {
			f.found.Objects = append(f.found.Objects, objects...)
			continue
		}
		path := pathOf(objects[0].File, opened)
		file := f.open(opened[path], path, objects, r.Errors)
		if file.info != nil {
			id := identityOf(file.info)
			if id != nil && f.seen[id] {
				continue
			}
			f.seen[id] = true
		}
		f.found.Objects = append(f.found.Objects, objects...)
		f.add(file, len(f.found.Objects)-len(objects))
	}
	f.found.Skipped += r.Skipped
}

// open opens the file that objects were read from at a path, which is that of the
// file or of a folder, and finds out whether it may be changed.
func (f *fixer) open(folder *os.Root, path string, objects []resource.Object, errs []*resource.Error) *fixFile {
	name := objects[0].File
	file, err := openAt(folder, path, name)
	if err != nil {
		return &fixFile{path: name, alone: err.Error()}
	}
	switch line := splice.Generated(file.before); {
	case slices.ContainsFunc(errs, func(e *resource.Error) bool { return e.File == name }):
		file.alone = "the file has errors"
	case !sameObjects(objects, resource.Read(bytes.NewReader(file.before), name).Objects):
		file.alone = errChanged.Error()
	case line > 0:
		file.alone = fmt.Sprintf("line %d says that it is generated, and what is changed in it would be lost: change what it is made from", line)
	}
	return file
}

// add adds a file whose objects are those from a position on.
func (f *fixer) add(file *fixFile, first int) {
	file.first, file.end = first, len(f.found.Objects)
	file.hasSecret = slices.ContainsFunc(f.found.Objects[first:], func(o resource.Object) bool { return o.Kind == "Secret" })
	f.files = append(f.files, file)
}

// openAt opens a file by the name that people know it by.
func openAt(folder *os.Root, path, name string) (*fixFile, error) {
	if folder == nil {
		return nil, errors.New("its folder cannot be opened")
	}
	inner := filepath.Base(path)
	if name != path {
		var err error
		if inner, err = filepath.Rel(path, name); err != nil {
			return nil, err
		}
	}
	return openFile(folder, inner, name)
}

func sameObjects(a, b []resource.Object) bool {
	return slices.EqualFunc(a, b, func(x, y resource.Object) bool { return x.Line == y.Line && bytes.Equal(x.JSON, y.JSON) })
}

// changed returns the files that are not what they were.
func (f *fixer) changed() []*fixFile {
	var out []*fixFile
	for _, file := range f.files {
		if !bytes.Equal(file.before, file.now) {
			out = append(out, file)
		}
	}
	return out
}

// maxFixes is how often objects are judged and changed. Labels that flow from a
// namespace to what is in it need two rounds, of which the last changes nothing.
const maxFixes = 5

// fix changes the files, and returns what is found of what they are then.
func (f *fixer) fix(ctx context.Context) (*report.Report, error) {
	f.refused = map[string]bool{}
	for range maxFixes {
		r, err := f.judge.judge(ctx, f.found)
		if err != nil {
			return nil, err
		}
		changes := f.changes(r)
		if !f.apply(r, changes) {
			f.hints(r)
			return r, nil
		}
	}
	return f.judge.judge(ctx, f.found)
}

// changes returns what is to become of the objects, by their position. Those that
// are left alone are not among them.
func (f *fixer) changes(r *report.Report) map[int]splice.Change {
	changes := map[int]splice.Change{}
	for _, file := range f.files {
		for i := file.first; i < file.end; i++ {
			o := f.found.Objects[i]
			if len(r.Objects[i].Patches) == 0 || f.refused[place(file, i)] {
				continue
			}
			if file.alone != "" {
				f.leave(file, i, &r.Objects[i], o.Line, errors.New(file.alone))
				continue
			}
			ops, err := operations(o, r.Objects[i].Patches)
			if err != nil {
				f.leave(file, i, &r.Objects[i], o.Line, err)
				continue
			}
			changes[i] = splice.Change{Line: o.Line, Object: o.JSON, Patch: ops}
		}
	}
	return changes
}

// place names an object over the rounds.
func place(file *fixFile, i int) string { return fmt.Sprintf("%s %d", file.path, i-file.first) }

// leave records that an object is left alone.
func (f *fixer) leave(file *fixFile, i int, o *report.Object, line int, err error) {
	f.refused[place(file, i)] = true
	f.left = append(f.left, report.Note{
		Source:  report.Source{File: file.path, Line: line},
		Message: fmt.Sprintf("%s is not patched by %s: %v", o.Ref.Printable(), strings.Join(policiesOf(o), ", "), err),
	})
}

// policiesOf returns the names of the policies that patch an object.
func policiesOf(o *report.Object) []string {
	var names []string
	for _, p := range o.Patches {
		names = append(names, p.Policies...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// apply changes the texts of files, and reports whether one was changed.
func (f *fixer) apply(r *report.Report, changes map[int]splice.Change) bool {
	isChanged := false
	for _, file := range f.files {
		var mine []splice.Change
		var objects []int
		for i := file.first; i < file.end; i++ {
			if c, ok := changes[i]; ok {
				mine, objects = append(mine, c), append(objects, i)
			}
		}
		if len(mine) == 0 {
			continue
		}
		text, errs := splice.Apply(file.now, mine)
		for k, err := range errs {
			var placed *splice.Error
			if errors.As(err, &placed) {
				f.leave(file, objects[k], &r.Objects[objects[k]], placed.Line, placed.Err)
			}
		}
		isChanged = f.accept(file, text, r, objects, mine, errs) || isChanged
	}
	return isChanged
}

// accept takes the text for that of the file if it reads as it should.
func (f *fixer) accept(file *fixFile, text []byte, r *report.Report, objects []int, changes []splice.Change, errs []error) bool {
	if bytes.Equal(text, file.now) {
		return false
	}
	after := resource.Read(bytes.NewReader(text), file.path)
	want := slices.Clone(f.found.Objects[file.first:file.end])
	for k, i := range objects {
		if errs[k] != nil {
			continue
		}
		data, _ := json.Marshal(changes[k].Patch)
		want[i-file.first].JSON, _ = patchJSON(want[i-file.first].JSON, data)
	}
	if !readsAs(after, want) {
		for k, i := range objects {
			if errs[k] == nil {
				f.leave(file, i, &r.Objects[i], f.found.Objects[i].Line, splice.ErrMismatch)
			}
		}
		return false
	}
	file.now = text
	copy(f.found.Objects[file.first:file.end], after.Objects)
	for k, i := range objects {
		if errs[k] == nil {
			file.places += len(changes[k].Patch)
			for _, name := range policiesOf(&r.Objects[i]) {
				file.policies[name] = true
			}
		}
	}
	return true
}

// readsAs reports whether a file was read without an error and has these objects.
func readsAs(read resource.Result, want []resource.Object) bool {
	for _, e := range read.Errors {
		if !errors.Is(e, resource.ErrNotKubernetes) {
			return false
		}
	}
	return slices.EqualFunc(read.Objects, want, func(a, b resource.Object) bool { return splice.Equal(a.JSON, b.JSON) })
}

// hints says for what charts and kustomizations make what to change instead.
func (f *fixer) hints(r *report.Report) {
	for i, o := range f.found.Objects {
		if o.Rendered == "" || len(r.Objects[i].Patches) == 0 {
			continue
		}
		ops, err := operations(o, r.Objects[i].Patches)
		if err != nil {
			continue
		}
		for _, h := range hintsFor(o, ops) {
			h.Message = fmt.Sprintf("%s is not patched by %s: it is made by %s: %s",
				r.Objects[i].Ref.Printable(), strings.Join(policiesOf(&r.Objects[i]), ", "), engine.Printable(o.Rendered), h.Message)
			f.left = append(f.left, h)
		}
	}
}
