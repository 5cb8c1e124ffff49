package main

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// A module is what the go command knows of a module that is built from.
type module struct {
	Version string     // such as v1.37.2
	Time    *time.Time // when that version was made, if known
	Sum     string     // as in go.sum: "h1:" and a SHA-256 in base64
}

// lookUp finds the version of a module that go.mod asks for.
func (b *builder) lookUp(ctx context.Context, path string) (module, error) {
	out, err := b.command(ctx, "list", "-m", "-json", path).Output()
	if err != nil {
		return module{}, fmt.Errorf("look up the version of %s: %w%s", path, err, stderrOf(err))
	}
	var mod module
	if err := json.Unmarshal(out, &mod); err != nil {
		return module{}, fmt.Errorf("read the version of %s: %w", path, err)
	}
	return mod, nil
}

// ldflags are the linker flags that tell a Kubernetes binary its version. The
// API server and the controller manager read component-base's copy, clients'
// user agents client-go's; both get the same, as in Kubernetes' own builds. A
// variable that a binary does not have is passed over by the linker.
func ldflags(mod module) string {
	flags := []string{"-s", "-w"} // no debugger is attached here, and linking is half as long
	for _, pkg := range []string{"k8s.io/component-base/version", "k8s.io/client-go/pkg/version"} {
		for _, v := range versionVars(mod) {
			flags = append(flags, fmt.Sprintf("-X %s.%s=%s", pkg, v[0], v[1]))
		}
	}
	return strings.Join(flags, " ")
}

// versionVars pairs Kubernetes' version variables with their values.
func versionVars(mod module) [][2]string {
	major, minor := majorMinor(mod.Version)
	vars := [][2]string{
		{"gitVersion", mod.Version},
		{"gitMajor", major},
		{"gitMinor", minor},
		{"gitCommit", commit(mod.Sum)},
		{"gitTreeState", "clean"},
	}
	// The time of the release, not the clock's: the same sources then make the
	// same binary.
	if mod.Time != nil {
		vars = append(vars, [2]string{"buildDate", mod.Time.UTC().Format(time.RFC3339)})
	}
	return vars
}

// majorMinor splits v1.37.2 into "1" and "37".
func majorMinor(version string) (major, minor string) {
	parts := strings.SplitN(strings.TrimPrefix(version, "v"), ".", 3)
	if len(parts) < 2 {
		return "", ""
	}
	return parts[0], parts[1]
}

// commit names the sources. A module proxy does not tell the commit, so it is
// the checksum of the sources themselves, in hexadecimal as commits are.
func commit(sum string) string {
	hash, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(sum, "h1:"))
	if err != nil || len(hash) == 0 {
		return "unknown"
	}
	return hex.EncodeToString(hash)
}
