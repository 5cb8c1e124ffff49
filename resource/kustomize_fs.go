package resource

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// maxReadBytes is how much one build may read. It reads a base again each time that
// it is used.
const maxReadBytes = 128 << 20

var errReads = fmt.Errorf("reads more than %d MiB, a base as often as it is used", maxReadBytes>>20)

// A vault is the file system that kustomize sees in one build: files of the plan
// that are regular and in the folder of their kustomization, and nothing else. All
// else of the interface acts on an empty file system in memory.
type vault struct {
	filesys.FileSystem
	ctx    context.Context //nolint:containedctx // that of one call of Walk, which callbacks do not pass on
	plan   *plan
	served map[string][]byte // kustomizations by path, as kustomize shall read them
	bytes  int
	err    error // why the build cannot go on; kustomize does not tell of each
}

// newVault returns a file system for building k, with what the file of k shall say,
// if that is not nil.
func (p *plan) newVault(ctx context.Context, k *kustomization, instead []byte) *vault {
	v := &vault{FileSystem: filesys.MakeFsInMemory(), ctx: ctx, plan: p, served: map[string][]byte{}}
	for _, b := range k.builds() {
		v.served[b.path] = b.data
	}
	if instead != nil {
		v.served[k.path] = instead
	}
	return v
}

// ReadFile returns a file of the plan.
func (v *vault) ReadFile(path string) ([]byte, error) {
	if v.err == nil {
		v.err = v.ctx.Err()
	}
	if v.err == nil && v.bytes > maxReadBytes {
		v.err = errReads
	}
	if v.err != nil {
		return nil, v.err
	}
	data, ok := v.served[path]
	if !ok {
		data, ok = v.plan.plugins[path]
	}
	if !ok {
		folder, ok := v.plan.owned[path]
		if !ok {
			return nil, &os.PathError{Op: "open", Path: path, Err: os.ErrNotExist}
		}
		var err error
		if data, err = readWithin(folder, path); err != nil {
			return nil, &os.PathError{Op: "open", Path: path, Err: err}
		}
	}
	v.bytes += len(data)
	return data, nil
}

// CleanedAbs returns the folder and the name of what a path leads to.
func (v *vault) CleanedAbs(path string) (filesys.ConfirmedDir, string, error) {
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", "", err
	}
	if isFolder(target) {
		return filesys.ConfirmedDir(target), "", nil
	}
	return filesys.ConfirmedDir(filepath.Dir(target)), filepath.Base(target), nil
}

// IsDir reports whether a path is a folder.
func (v *vault) IsDir(path string) bool { return isFolder(path) }

// Exists reports whether there is something at a path.
func (v *vault) Exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// RemoveAll removes nothing.
func (v *vault) RemoveAll(string) error { return nil }
