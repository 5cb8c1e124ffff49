package manifests_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
)

// dockerfile returns the instructions of the Dockerfile.
func dockerfile(t testing.TB) []string {
	t.Helper()
	text, err := os.ReadFile("../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	var instructions []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			instructions = append(instructions, line)
		}
	}
	return instructions
}

// buildCommand is what builds the binary in the image, by the Dockerfile, except
// for flags that are left out here, writing to a file.
func buildCommand(t testing.TB, file string, without ...string) string {
	t.Helper()
	for _, line := range dockerfile(t) {
		if command, ok := strings.CutPrefix(line, "RUN CGO_ENABLED=0 "); ok {
			for _, flag := range without {
				command = strings.ReplaceAll(command, flag, "")
			}
			return "CGO_ENABLED=0 " + strings.ReplaceAll(command, "-o /lintel", "-o "+file)
		}
	}
	t.Fatal("the Dockerfile builds no binary")
	return ""
}

// TestDockerfile holds the image to what makes it small, the same each time, and
// no business of root.
func TestDockerfile(t *testing.T) {
	mod, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	language := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindSubmatch(mod)
	if language == nil {
		t.Fatal("go.mod names no version of Go")
	}
	pod := one[*appsv1.Deployment](t, "lintel").Spec.Template.Spec
	user := fmt.Sprintf("USER %d:%d", *pod.SecurityContext.RunAsUser, *pod.SecurityContext.RunAsGroup)
	got := dockerfile(t)
	for _, tc := range []struct{ reason, want string }{
		{"A compiler of one version, that of go.mod.", `FROM --platform=\$BUILDPLATFORM golang:` + regexp.QuoteMeta(string(language[1])) + `\.\d+ AS build`},
		{"No other compiler is fetched.", `ENV GOTOOLCHAIN=local GOFLAGS=-mod=readonly`},
		{"Modules are those of go.sum.", `RUN go mod download && go mod verify`},
		{"No folder, commit or machine is in the binary, and no C.", `RUN CGO_ENABLED=0 .* go build -trimpath -buildvcs=false -ldflags "-s -w -X main\.version=.*" -o /lintel \./cmd/lintel`},
		{"Nothing else is in the image.", `FROM scratch`},
		{"The user is that of the Deployment.", user},
		{"What runs is the binary.", `ENTRYPOINT \["/lintel"\]`},
	} {
		expression := regexp.MustCompile("(?m)^" + tc.want + "$")
		if !expression.MatchString(strings.Join(got, "\n")) {
			t.Errorf("%s\nthe Dockerfile has no %s", tc.reason, expression)
		}
	}
}

// TestContext holds that builders get all that the binary is made of, and neither
// keys nor what is built already.
func TestContext(t *testing.T) {
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	const format = `{{if not .Standard}}{{$p := .}}{{if eq .Module.Path "github.com/lintel-policy/lintel"}}` +
		`{{range .GoFiles}}{{$p.Dir}}/{{.}}{{"\n"}}{{end}}{{range .EmbedFiles}}{{$p.Dir}}/{{.}}{{"\n"}}{{end}}{{end}}{{end}}`
	needed := strings.Fields(run(t, "go", "list", "-deps", "-f", format, "github.com/lintel-policy/lintel/cmd/lintel"))
	if len(needed) < 20 {
		t.Fatalf("the binary is made of %d files: this test says nothing", len(needed))
	}
	for _, file := range append(needed, root+"/go.mod", root+"/go.sum") {
		if file, ours := strings.CutPrefix(file, root+"/"); !ours || isIgnored(t, file) {
			t.Errorf("%s is not sent to builders", file)
		}
	}
	for _, file := range []string{".git/config", ".cache/controlplane/etcd", "bin/lintel", "e2e/cluster/pki.go", "webhook/testdata/x"} {
		if !isIgnored(t, file) {
			t.Errorf("%s is sent to builders", file)
		}
	}
}

// TestBinary holds the binary of the image to knowing its version, and to finding
// nothing wrong with the manifest that it comes with.
func TestBinary(t *testing.T) {
	lintel := filepath.Join(t.TempDir(), "lintel")
	build := exec.Command("sh", "-c", buildCommand(t, lintel, "-trimpath")) // which would compile everything anew
	build.Dir = ".."
	build.Env = append(os.Environ(), "VERSION=v9.8.7", "TARGETOS="+runtime.GOOS, "TARGETARCH="+runtime.GOARCH)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", build, err, out)
	}
	if out := run(t, lintel, "version"); !strings.HasPrefix(out, "lintel v9.8.7 ") {
		t.Errorf("lintel version: got %q, want the one it was built as", out)
	}
	// The library denies, whatever the manifest says of it.
	var got struct{ Summary map[string]int }
	if err := json.Unmarshal([]byte(run(t, lintel, "check", "-p", "embedded", "-o", "json", manifest)), &got); err != nil {
		t.Fatal(err)
	}
	for _, count := range []string{"denied", "warned", "patched", "excused", "passed", "undecided", "skipped"} {
		if n, ok := got.Summary[count]; n != 0 || !ok {
			t.Errorf("lintel check %s: %s %d, want 0", manifest, count, n)
		}
	}
	if want := len(objects(t)); got.Summary["objects"] != want {
		t.Errorf("lintel check %s: %d objects, want %d", manifest, got.Summary["objects"], want)
	}
}

// run runs a command, which has to succeed and say nothing on standard error.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil || stderr.Len() > 0 {
		t.Fatalf("%s: %v\n%s%s", cmd, err, &stdout, &stderr)
	}
	return stdout.String()
}

// TestReproducible builds the image's binary twice, in two folders, with nothing
// compiled before. That takes minutes, so it has to be asked for.
func TestReproducible(t *testing.T) {
	if os.Getenv("LINTEL_REPRODUCE") == "" {
		t.Skip("LINTEL_REPRODUCE is not set: compiling everything twice takes minutes")
	}
	var built [2][]byte
	for i := range built {
		folder := filepath.Join(t.TempDir(), strings.Repeat("deeper/", i), "src")
		copyContext(t, folder)
		file := filepath.Join(t.TempDir(), "lintel")
		build := exec.Command("sh", "-c", buildCommand(t, file))
		build.Dir = folder
		build.Env = append(os.Environ(), "GOCACHE="+t.TempDir(), "GOTOOLCHAIN=local", "GOFLAGS=-mod=readonly", "VERSION=v0.1.0")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", build, err, out)
		}
		var err error
		if built[i], err = os.ReadFile(file); err != nil {
			t.Fatal(err)
		}
		t.Logf("%d bytes, SHA-256 %x", len(built[i]), sha256.Sum256(built[i]))
	}
	if !bytes.Equal(built[0], built[1]) {
		t.Error("the same sources make two binaries")
	}
}

// copyContext copies what a builder gets: the files that git knows or could know,
// without those that .dockerignore names.
func copyContext(t *testing.T, to string) {
	t.Helper()
	files := run(t, "git", "-C", "..", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	for file := range strings.SplitSeq(strings.TrimRight(files, "\x00"), "\x00") {
		if isIgnored(t, file) {
			continue
		}
		data, err := os.ReadFile(filepath.Join("..", file))
		if err != nil {
			t.Fatal(err)
		}
		copied := filepath.Join(to, file)
		if err := os.MkdirAll(filepath.Dir(copied), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(copied, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// isIgnored reports whether a pattern of .dockerignore is for a file or for a folder
// that it is in: from the top, or after "**/" from anywhere.
func isIgnored(t *testing.T, file string) bool {
	t.Helper()
	patterns, err := os.ReadFile("../.dockerignore")
	if err != nil {
		t.Fatal(err)
	}
	ignored := false // by the last pattern that matches
	for pattern := range strings.Lines(string(patterns)) {
		pattern, included := strings.CutPrefix(strings.TrimSpace(pattern), "!")
		pattern, anywhere := strings.CutPrefix(pattern, "**/")
		if pattern == "" || strings.HasPrefix(pattern, "#") {
			continue
		}
		for part := file; part != "."; part = path.Dir(part) {
			name := part
			if anywhere {
				name = path.Base(part)
			}
			matches, err := path.Match(pattern, name)
			if err != nil {
				t.Fatal(err)
			}
			if matches {
				ignored = !included
			}
		}
	}
	return ignored
}
