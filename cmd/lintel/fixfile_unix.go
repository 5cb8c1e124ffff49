//go:build unix

package main

import (
	"io/fs"
	"os"
	"syscall"
)

// identityOf returns what is the same for all names of one file.
func identityOf(info fs.FileInfo) any {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return [2]uint64{uint64(s.Dev), s.Ino} //nolint:unconvert // other systems have other types
	}
	return nil
}

// linksOf returns how many names a file has.
func linksOf(info fs.FileInfo) uint64 {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(s.Nlink) //nolint:unconvert // other systems have other types
	}
	return 1
}

// keepOwner gives a new file the owner and group of another.
func keepOwner(file *os.File, info fs.FileInfo) error {
	have, err := file.Stat()
	if err != nil {
		return err
	}
	old, ok := info.Sys().(*syscall.Stat_t)
	current, known := have.Sys().(*syscall.Stat_t)
	if !ok || !known || old.Uid == current.Uid && old.Gid == current.Gid {
		return nil
	}
	return file.Chown(int(old.Uid), int(old.Gid))
}
