package resource

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Limits of all kustomizations of a run.
const (
	// maxSearched is how many files and folders are looked at for kustomizations.
	maxSearched = 1_000_000

	// maxNamed is how many files and folders they may name.
	maxNamed = 100_000

	// maxNamedBytes is how large the files may be together that they have read as
	// YAML. A build reads each of them several times.
	maxNamedBytes = 256 << 20
)

// A plan knows the kustomizations of a run, and which files belong to them. It is
// made before anything is built or judged, so that the order of paths makes no
// difference, and nothing that kustomize would fetch or run ever reaches it.
type plan struct {
	ctx     context.Context           //nolint:containedctx // that of one call of Walk, which callbacks do not pass on
	known   map[string]*kustomization // by folder; nil for a folder without
	owned   map[string]string         // files that belong to kustomizations: the folder of one
	checked map[string]error          // files that were read as YAML
	plugins map[string][]byte         // files that configure plugins, as they were checked
	bytes   int
	builder builder
}

var errMany = fmt.Errorf("is not read: kustomizations name more than %d files, or more than %d MiB", maxNamed, maxNamedBytes>>20)

// newPlan finds the kustomizations in paths, and all that these are made of.
func newPlan(ctx context.Context, paths []string) (*plan, error) {
	p := &plan{ctx: ctx, known: map[string]*kustomization{}, owned: map[string]string{}, checked: map[string]error{}, plugins: map[string][]byte{}}
	for _, path := range paths {
		if path == "-" {
			continue
		}
		if isKustomizationFile(path) {
			path = filepath.Dir(path)
			p.read(resolved(path), path, 0)
			continue
		}
		if err := p.search(path); err != nil {
			return nil, err
		}
	}
	p.choose()
	return p, ctx.Err()
}

// resolved returns a path that is absolute and free of links, "" if there is none.
func resolved(path string) string {
	path, err := filepath.Abs(path)
	if err != nil {
		return ""
	}
	path, err = filepath.EvalSymlinks(path)
	if err != nil {
		return ""
	}
	return path
}

// search reads the kustomizations in a folder and in all below it.
func (p *plan) search(top string) error {
	if !isFolder(top) {
		return nil // and opening it might wait, if it is a pipe
	}
	root, err := os.OpenRoot(top)
	if err != nil {
		return nil // what is wrong with the path is told of when it is read
	}
	defer root.Close()
	s := searcher{plan: p, walker: walker{top: top, root: root, base: resolved(top)}}
	return s.folder(".", 0)
}

// A searcher looks for kustomizations below one path.
type searcher struct {
	plan   *plan
	walker walker // of the names alone
	names  int
}

func (s *searcher) folder(name string, depth int) error {
	entries, err := s.walker.entries(name)
	if err != nil || depth > maxFolders {
		return nil //nolint:nilerr // told of when it is read
	}
	if s.names += len(entries); s.names > maxSearched {
		return fmt.Errorf("%s holds more than %d files and folders, too many to find the kustomizations among them: name the folders that matter", s.walker.top, maxSearched)
	}
	if err := s.plan.ctx.Err(); err != nil {
		return err
	}
	if isChart(entries) {
		entries = besideChart(entries)
	}
	for _, e := range entries {
		if !e.IsDir() && isKustomizationFile(e.Name()) {
			s.plan.read(filepath.Join(s.walker.base, name), s.walker.shown(name), 0)
			break
		}
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := s.folder(filepath.Join(name, e.Name()), depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// read returns the kustomization in a folder, with all that it is made of. It is nil
// if there is none.
func (p *plan) read(folder, shown string, depth int) *kustomization {
	if k, ok := p.known[folder]; ok {
		return k
	}
	k := &kustomization{folder: folder, shown: shown}
	p.known[folder] = nil
	for _, name := range kustomizationFiles {
		file := filepath.Join(folder, name)
		data, err := readWithin(folder, file)
		if errors.Is(err, os.ErrNotExist) || err != nil && isFolder(file) {
			continue
		}
		if k.file != "" {
			k.refuse(0, fmt.Errorf("stands beside %s: kustomize builds a folder with one of them", quoted(name)))
			continue
		}
		if info, e := os.Lstat(file); err != nil && e == nil && info.Mode()&os.ModeSymlink != 0 {
			err = errors.New("is a symbolic link that leads out of the folder")
		}
		k.file, k.path, k.data = filepath.Join(shown, name), resolved(file), data
		p.bytes += len(data)
		if err != nil {
			k.refuse(0, err)
		}
	}
	if k.file == "" || len(k.errs) == 0 && !k.parse() {
		return nil
	}
	p.known[folder] = k
	p.owned[k.path] = folder
	if depth > maxFolders {
		k.refuse(0, fmt.Errorf("is the base of a base more than %d times over", maxFolders))
		return k
	}
	for _, e := range k.entries {
		p.entry(k, e, depth)
	}
	return k
}

// entry reads what an entry of k names.
func (p *plan) entry(k *kustomization, e entry, depth int) {
	if p.ctx.Err() != nil {
		return
	}
	if p.bytes > maxNamedBytes || len(p.owned) > maxNamed {
		if len(k.errs) == 0 {
			k.refuseEntry(e, errMany)
		}
		return
	}
	if e.isRemote() {
		k.refuseEntry(e, errRemote)
		return
	}
	switch e.use {
	case asPlugin:
		p.plugin(k, e, depth)
	case asComponent:
		p.folder(k, e, depth)
	case asBase:
		if isFolder(e.path(k.folder)) {
			p.folder(k, e, depth)
			return
		}
		p.file(k, e)
	default:
		p.file(k, e)
	}
}

// path returns where an entry of a folder leads.
func (e entry) path(folder string) string {
	if filepath.IsAbs(e.text) {
		return e.text
	}
	return filepath.Join(folder, e.text)
}

// isRemote reports whether kustomize might go to the network for an entry.
func (e entry) isRemote() bool {
	switch e.use {
	case asData:
		_, path, _ := strings.Cut(e.text, "=")
		return isRemoteFile(e.text) || isRemoteFile(path)
	case asYAML:
		return isRemoteFile(e.text)
	default:
		return isRemoteBase(e.text)
	}
}

// folder reads the base or component that an entry names.
func (p *plan) folder(k *kustomization, e entry, depth int) {
	folder, err := within(k.folder, e.text)
	if err != nil {
		k.refuseEntry(e, err)
		return
	}
	var inner *kustomization
	if isFolder(folder) {
		inner = p.read(folder, filepath.Join(k.shown, e.text), depth+1)
	}
	if inner == nil {
		k.refuseEntry(e, errors.New("is no folder with a kustomization"))
		return
	}
	k.inner = append(k.inner, inner)
}

// within returns where an entry that names a folder leads. It may climb by "..",
// but symbolic links may not lead it out of where it climbed to.
func within(folder, entry string) (string, error) {
	if filepath.IsAbs(entry) {
		return "", errors.New("is an absolute path, which kustomize refuses")
	}
	path := filepath.Join(folder, entry)
	target, err := followed(path)
	if err != nil {
		return "", err
	}
	anchor := folder
	for !isBelow(path, anchor) {
		anchor = filepath.Dir(anchor)
	}
	if !isBelow(target, anchor) {
		return "", errors.New("leads out of its folder through a symbolic link")
	}
	return target, nil
}

// followed returns where symbolic links lead.
func followed(path string) (string, error) {
	target, err := filepath.EvalSymlinks(path)
	var known *os.PathError
	if err != nil && !errors.As(err, &known) {
		return "", errors.New("leads through too many symbolic links")
	}
	return target, cause(err)
}

// file reads the file that an entry names, and notes that it belongs to k.
func (p *plan) file(k *kustomization, e entry) {
	path := e.text
	if name, file, ok := strings.Cut(path, "="); ok && e.use == asData && name != "" {
		path = file
	}
	file, err := p.own(k, path)
	if err == nil && e.use != asData {
		err = p.check(k, file, filepath.Join(k.shown, path))
	}
	var placed *Error
	switch {
	case errors.As(err, &placed) && len(k.errs) < maxErrors:
		k.errs = append(k.errs, placed)
	case err != nil:
		k.refuseEntry(e, err)
	}
}

// own notes that a file belongs to k, and returns where it is.
func (p *plan) own(k *kustomization, path string) (string, error) {
	if !filepath.IsAbs(path) {
		path = filepath.Join(k.folder, path)
	}
	file, err := followed(path)
	if err != nil {
		return "", err
	}
	if !isBelow(file, k.folder) {
		return "", errOutside
	}
	info, err := os.Stat(file)
	switch {
	case err != nil:
		return "", cause(err)
	case !info.Mode().IsRegular():
		return "", errIrregular
	case info.Size() > MaxFile:
		return "", errTooLarge
	}
	p.owned[file] = k.folder
	return file, nil
}

// check reads a file that kustomize will read as YAML.
func (p *plan) check(k *kustomization, file, shown string) error {
	if err, ok := p.checked[file]; ok {
		return err
	}
	data, err := readWithin(k.folder, file)
	if err == nil {
		p.bytes += len(data)
		if _, err = parseDocuments(data, 1); err != nil {
			err = locate(err, shown)
		}
	}
	p.checked[file] = err
	return err
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
