package replay

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// OpenSources opens the files that paths name: "-" is stdin, and a folder is one in
// which reviews were recorded. What can be opened is to be closed by the caller, also
// where there is an error, which joins those of the paths.
func OpenSources(stdin io.Reader, paths ...string) (sources []Source, closeAll func(), err error) {
	var files []*os.File
	var errs []error
	for _, path := range paths {
		if path == "-" {
			sources = append(sources, Source{Name: "-", Reader: stdin})
			continue
		}
		opened, err := openPath(path)
		if err != nil {
			errs = append(errs, err)
		}
		for _, f := range opened {
			files = append(files, f)
			sources = append(sources, Source{Name: f.Name(), Reader: f})
		}
	}
	return sources, func() {
		for _, f := range files {
			_ = f.Close() // nothing was written
		}
	}, errors.Join(errs...)
}

// openPath opens a file, or those of a folder.
func openPath(path string) ([]*os.File, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", path, withoutPath(err))
	case info.IsDir():
		return openFolder(path)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s: no regular file: pass it to standard input", path)
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	return regular(f)
}

// withoutPath returns what is wrong without the path and what was done to it.
func withoutPath(err error) error {
	var failed *fs.PathError
	if errors.As(err, &failed) {
		return failed.Err
	}
	return err
}

// openFolder opens the files that a [Recorder] writes in a folder.
func openFolder(path string) ([]*os.File, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	var files []*os.File
	var errs []error
	for _, name := range []string{standardName + ".1", standardName} {
		f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			opened, failed := regular(f)
			files, err = append(files, opened...), failed
		}
		if err != nil {
			errs = append(errs, err)
		}
	}
	if len(files)+len(errs) == 0 {
		return nil, fmt.Errorf("%s: there is no %s in this folder", path, standardName)
	}
	return files, errors.Join(errs...)
}

// regular returns f if it is still a regular file, now that it is open.
func regular(f *os.File) ([]*os.File, error) {
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s: no regular file", f.Name())
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return []*os.File{f}, nil
}
