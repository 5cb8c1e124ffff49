package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/resource"
)

// A fixFile is a file that is being fixed.
type fixFile struct {
	path string // as people know it
	info fs.FileInfo

	folder *os.Root // that the path leads to; nil for standard input
	name   string   // in the folder, without symbolic links

	before, now []byte
	first, end  int    // its objects among those of the run
	alone       string // why it is not changed; "" if it may be
	hasSecret   bool
	policies    map[string]bool // that changed it
	places      int             // that were changed
}

// openFile opens a file in a folder and reads it. Symbolic links are followed inside
// of the folder.
func openFile(folder *os.Root, name, path string) (*fixFile, error) {
	f := &fixFile{path: path, folder: folder, policies: map[string]bool{}}
	var err error
	if f.name, err = resolve(folder, name); err != nil {
		return nil, err
	}
	if f.before, f.info, err = readRegularIn(folder, f.name, resource.MaxFile); err != nil {
		return nil, err
	}
	f.now = f.before
	return f, nil
}

// maxLinks is how many symbolic links may follow one another, as in Linux.
const maxLinks = 40

// resolve returns the name of the file that a name leads to.
func resolve(folder *os.Root, name string) (string, error) {
	wanted, err := folder.Stat(name)
	if err != nil {
		return "", errLink // the file was read, so the link leads out
	}
	for range maxLinks {
		info, err := folder.Lstat(name)
		switch {
		case err != nil:
			return "", reason(err)
		case info.Mode()&fs.ModeSymlink == 0 && os.SameFile(info, wanted):
			return name, nil
		case info.Mode()&fs.ModeSymlink == 0:
			return "", errLink
		}
		target, err := folder.Readlink(name)
		if err != nil || filepath.IsAbs(target) {
			return "", errLink
		}
		name = filepath.Join(filepath.Dir(name), target)
	}
	return "", errLink
}

var (
	errLink    = errors.New("the symbolic link is not followed: name the file that it leads to")
	errChanged = errors.New("it was changed by someone else meanwhile")
)

// write puts the file in the place of the one that was read, whole or not at all,
// unless that has changed meanwhile.
func (f *fixFile) write() error {
	if f.info.Mode().Perm()&0o200 == 0 {
		return errors.New("it may not be written to")
	}
	if linksOf(f.info) > 1 {
		return errors.New("it has several names (hard links), of which only one would be changed")
	}
	temp := besides(f.name)
	file, err := f.folder.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("make a file beside it: %w", reason(err))
	}
	err = f.fill(file)
	if err == nil {
		err = f.unchanged()
	}
	if err == nil {
		err = f.folder.Rename(temp, f.name)
	}
	if err != nil {
		_ = f.folder.Remove(temp)
		return err
	}
	return nil
}

// fill writes what is to be in the file to another, and gives that its mode and owner.
func (f *fixFile) fill(file *os.File) error {
	_, err := file.Write(f.now)
	if err == nil {
		err = keepOwner(file, f.info)
	}
	if err == nil {
		err = file.Chmod(f.info.Mode().Perm())
	}
	if err == nil {
		err = file.Sync()
	}
	if closing := file.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return fmt.Errorf("write a file beside it: %w", reason(err))
	}
	return nil
}

// unchanged returns an error unless the file is the one that was read.
func (f *fixFile) unchanged() error {
	info, err := f.folder.Lstat(f.name)
	if err != nil || !os.SameFile(info, f.info) || info.Size() != f.info.Size() || !info.ModTime().Equal(f.info.ModTime()) {
		return errChanged
	}
	if data, _, err := readRegularIn(f.folder, f.name, resource.MaxFile); err != nil || !bytes.Equal(data, f.before) {
		return errChanged
	}
	return nil
}

// done says what was done to the file.
func (f *fixFile) done(verb string) string {
	by := strings.Join(slices.Sorted(maps.Keys(f.policies)), ", ")
	return engine.Printable(fmt.Sprintf("%s %s: %s (%s)", verb, f.path, engine.Counted(f.places, "place", "places"), by))
}
