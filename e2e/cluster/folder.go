package cluster

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// lockName is the file in a folder that its owner holds locked while it lives.
const lockName = "lock"

// A folder holds a cluster's data. It is locked, so that others can tell
// whether its owner is alive.
type folder struct {
	path string
	lock *os.File
}

// newFolder makes a folder for one cluster and removes those of dead owners.
func newFolder() (*folder, error) {
	base, err := baseFolder()
	if err != nil {
		return nil, err
	}
	// One at a time: else one would remove what another has made and not yet
	// locked.
	gate, err := lockFile(filepath.Join(base, lockName), os.O_CREATE|os.O_RDWR, syscall.LOCK_EX)
	if err != nil {
		return nil, err
	}
	defer gate.Close()
	if err := sweep(base); err != nil {
		return nil, err
	}
	path, err := os.MkdirTemp(base, "cluster-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for the cluster: %w", err)
	}
	lock, err := lockFile(filepath.Join(path, lockName), os.O_CREATE|os.O_RDWR, syscall.LOCK_EX)
	if err != nil {
		return nil, err
	}
	return &folder{path: path, lock: lock}, nil
}

// baseFolder is the folder of all clusters of this user. It has keys in it, so
// it must be the user's own and nobody else's to read.
func baseFolder() (string, error) {
	base := filepath.Join(os.TempDir(), "lintel-clusters-"+strconv.Itoa(os.Getuid()))
	if err := os.Mkdir(base, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("make a folder for clusters: %w", err)
	}
	info, err := os.Lstat(base)
	if err != nil {
		return "", fmt.Errorf("look at the folder for clusters: %w", err)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.IsDir() || info.Mode().Perm() != 0o700 || int(stat.Uid) != os.Getuid() {
		return "", fmt.Errorf("use %q for clusters: it is not a folder of this user alone", base)
	}
	return base, nil
}

// sweep removes the folders in base whose owners are dead. One that cannot be
// removed now, because a component is still dying in it, is left for the next
// sweep.
func sweep(base string) error {
	paths, err := filepath.Glob(filepath.Join(base, "cluster-*"))
	if err != nil {
		return fmt.Errorf("look for left clusters: %w", err)
	}
	for _, path := range paths {
		lock, err := lockFile(filepath.Join(path, lockName), os.O_RDWR, syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			lock.Close()
			_ = os.RemoveAll(path)
		case errors.Is(err, fs.ErrNotExist): // its owner died while making or removing it
			_ = os.RemoveAll(path)
		}
	}
	return nil
}

// lockFile opens and locks a file. The lock goes when the file is closed, or
// the process ends.
func lockFile(path string, flags, how int) (*os.File, error) {
	file, err := os.OpenFile(path, flags, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open a lock: %w", err)
	}
	for {
		err = syscall.Flock(int(file.Fd()), how)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("lock %q: %w", path, err)
	}
	return file, nil
}

// remove removes the folder with all that is in it, and then its lock.
func (f *folder) remove() error {
	defer f.lock.Close()
	if err := os.RemoveAll(f.path); err != nil {
		return fmt.Errorf("remove the cluster's folder: %w", err)
	}
	return nil
}
