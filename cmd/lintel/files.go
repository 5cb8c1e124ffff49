package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// readRegular reads a regular file of at most a size.
func readRegular(name string, most int64) ([]byte, error) {
	data, _, err := readOpened(func(flag int) (*os.File, error) { return os.OpenFile(name, flag, 0) }, most)
	return data, err
}

// readRegularIn reads a regular file of a folder, of at most a size, and says which
// file it was.
func readRegularIn(folder *os.Root, name string, most int64) ([]byte, fs.FileInfo, error) {
	return readOpened(func(flag int) (*os.File, error) { return folder.OpenFile(name, flag, 0) }, most)
}

// readOpened reads what is opened. It does not wait for what is no regular file.
func readOpened(open func(flag int) (*os.File, error), most int64) ([]byte, fs.FileInfo, error) {
	f, err := open(os.O_RDONLY | syscall.O_NONBLOCK)
	if err != nil {
		return nil, nil, reason(err)
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, nil, reason(err)
	case !info.Mode().IsRegular():
		return nil, nil, errNotRegular
	}
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	switch {
	case err != nil:
		return nil, nil, reason(err)
	case int64(len(data)) > most:
		return nil, nil, fmt.Errorf("it is larger than %d MiB", most>>20)
	}
	return data, info, nil
}

var errNotRegular = errors.New("it is no regular file")

// canReplace reports why a file could not be written by [replaceFile], as far as
// that can be seen.
func canReplace(name string) error {
	folder := filepath.Dir(name)
	if info, err := os.Stat(folder); err != nil {
		return fmt.Errorf("write %s: folder %s: %w", name, folder, reason(err))
	} else if !info.IsDir() {
		return fmt.Errorf("write %s: %s is no folder", name, folder)
	}
	info, err := os.Lstat(name)
	if err == nil && !info.Mode().IsRegular() && info.Mode()&fs.ModeSymlink == 0 {
		return fmt.Errorf("write %s: %w", name, errNotRegular)
	}
	return nil
}

// replaceFile writes a file, whole or not at all: who reads it meanwhile sees the
// old one. A symbolic link is replaced and not followed, so that a repository
// cannot have its link written through.
func replaceFile(name string, data []byte) error {
	f, err := os.OpenFile(besides(name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666) //nolint:gosec // what a user writes has the mode that the umask says
	if err != nil {
		return reason(err)
	}
	_, err = f.Write(data)
	if info, gone := os.Lstat(name); err == nil && gone == nil && info.Mode().IsRegular() {
		err = f.Chmod(info.Mode().Perm())
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return reason(err)
}

// besides returns a name in the same folder that nobody else uses. No check reads
// it as a manifest, should it be left behind.
func besides(name string) string {
	return filepath.Join(filepath.Dir(name), ".lintel-"+rand.Text())
}

// reason returns what is wrong without the name of the file, which is told already.
func reason(err error) error {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &path):
		return path.Err
	case errors.As(err, &link):
		return link.Err
	}
	return err
}
