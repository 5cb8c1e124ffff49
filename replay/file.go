package replay

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// standardName is that of the file in a folder.
const standardName = "reviews.jsonl"

// A file is appended to until it is full; then it becomes the older of two.
type file struct {
	root *os.Root // the folder that it is in
	name string
	most int64
	open *os.File // nil where it could not be opened anew
	size int64
	torn bool // its last line has no end
}

// openFile opens the file at path, or the one of the standard name in that folder.
func openFile(path string, most int64) (*file, error) {
	folder, name := filepath.Split(path)
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		folder, name = path, standardName
	}
	if folder == "" {
		folder = "."
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, err
	}
	f := &file{root: root, name: name, most: most}
	if err := f.reopen(); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return f, nil
}

// reopen opens the file to be appended to. What is there already has to be a file:
// a pipe that nobody reads would hold up the process.
func (f *file) reopen() error {
	opened, err := f.root.OpenFile(f.name, os.O_CREATE|os.O_APPEND|os.O_RDWR|syscall.O_NONBLOCK, 0o600)
	if err != nil {
		return err
	}
	info, err := opened.Stat()
	switch {
	case err != nil:
	case !info.Mode().IsRegular():
		err = errors.New("no regular file")
	default:
		err = opened.Chmod(0o600)
	}
	if err != nil {
		return errors.Join(err, opened.Close())
	}
	f.open, f.size, f.torn = opened, info.Size(), false
	if f.size > 0 {
		last := make([]byte, 1)
		if _, err := opened.ReadAt(last, f.size-1); err != nil || last[0] != '\n' {
			f.torn = true
		}
	}
	return nil
}

// write appends a line. One after a line that was torn begins anew.
func (f *file) write(line []byte) error {
	if f.open != nil && f.size > 0 && f.size+int64(len(line)) > f.most {
		if err := f.turn(); err != nil {
			return err
		}
	}
	if f.open == nil {
		if err := f.reopen(); err != nil {
			return err
		}
	}
	if f.torn {
		line = append([]byte{'\n'}, line...)
	}
	n, err := f.open.Write(line)
	f.size += int64(n)
	if n > 0 {
		f.torn = line[n-1] != '\n'
	}
	return err
}

// turn makes the file the older one, in the place of the one before.
func (f *file) turn() error {
	if err := f.root.Rename(f.name, f.name+".1"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	err := f.open.Close()
	f.open = nil
	return err
}

func (f *file) close() {
	if f.open != nil {
		_ = f.open.Close() // each line was written when it came
	}
	_ = f.root.Close()
}
