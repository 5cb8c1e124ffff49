package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// key is a hash of all that decides what a build with args yields: the
// versions and checksums of every source, the compiler with its settings, and
// args themselves.
func (b *builder) key(ctx context.Context, args []string) (string, error) {
	hash := sha256.New()
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(b.module, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // without dependencies there is no go.sum
			return "", fmt.Errorf("read what is to be built: %w", err)
		}
		fmt.Fprintf(hash, "%s %d\n%s", name, len(text), text)
	}
	settings, err := b.command(ctx, "env", "-json", "GOVERSION", "GOOS", "GOARCH", "GOAMD64", "GOARM64",
		"GOFLAGS", "GOEXPERIMENT", "CGO_ENABLED", "CGO_CFLAGS", "CGO_LDFLAGS", "CC").Output()
	if err != nil {
		return "", fmt.Errorf("ask for the compiler's settings: %w%s", err, stderrOf(err))
	}
	fmt.Fprintf(hash, "%s%q", settings, args)
	return fmt.Sprintf("%x", hash.Sum(nil)), nil
}

// upToDate says whether the binary of that name was built with key and has not
// been touched since.
func (b *builder) upToDate(name, key string) bool {
	want, err := b.stampText(name, key)
	if err != nil {
		return false
	}
	got, err := os.ReadFile(b.stampPath(name))
	return err == nil && string(got) == want
}

// stamp records that the binary of that name was built with key. Where a run
// dies between the binary and its stamp, the next one builds again.
func (b *builder) stamp(name, key string) error {
	text, err := b.stampText(name, key)
	if err != nil {
		return err
	}
	if err := os.WriteFile(b.stampPath(name), []byte(text), 0o644); err != nil {
		return fmt.Errorf("record what was built: %w", err)
	}
	return nil
}

func (b *builder) stampPath(name string) string {
	return filepath.Join(b.folder, "."+name+".stamp")
}

// stampText ties key to the very file it describes, so that a binary which
// somebody put there by hand does not pass for what was built.
func (b *builder) stampText(name, key string) (string, error) {
	info, err := os.Stat(filepath.Join(b.folder, name))
	if err != nil {
		return "", fmt.Errorf("look at the binary: %w", err)
	}
	return fmt.Sprintf("%s %d %d\n", key, info.Size(), info.ModTime().UnixNano()), nil
}

// stderrOf is what a failed command printed, on lines of its own.
func stderrOf(err error) string {
	var exit *exec.ExitError
	if !errors.As(err, &exit) || len(exit.Stderr) == 0 {
		return ""
	}
	return "\n" + strings.TrimSpace(string(exit.Stderr))
}
