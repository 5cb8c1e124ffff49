package certs_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/lintel-policy/lintel/certs"
)

// readAsPermitted reads what nobody may read as nobody does, since root may read
// everything.
func readAsPermitted(folder string) (certs.Pair, error) {
	info, err := os.Stat(filepath.Join(folder, "tls.key"))
	if err != nil || info.Mode().Perm() != 0 || os.Geteuid() != 0 {
		return readFolder(folder)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const nobody = 65534
	if err := syscall.Setfsuid(nobody); err != nil {
		return certs.Pair{}, err
	}
	defer func() { _ = syscall.Setfsuid(0) }()
	return readFolder(folder)
}

func TestForbiddenFilesKeepTheOldPair(t *testing.T) {
	authority := newAuthority(t, year)
	good, later := issue(t, authority, []string{"good.test"}, day), issue(t, authority, []string{"later.test"}, day)
	f := follow(t, swap, good, readAsPermitted)
	must(t, "forbid", os.Chmod(filepath.Join(f.path, "tls.key"), 0))
	eventually(t, "what is wrong being told", func() bool { return len(f.changesSoFar()) > 0 })
	if err := f.changesSoFar()[0]; !errors.Is(err, os.ErrPermission) {
		t.Errorf("told: want that it is not permitted, got %v", err)
	}
	f.keeps(t, "Files that may not be read leave what is served alone.", authority, later)
}
