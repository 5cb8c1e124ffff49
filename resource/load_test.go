package resource_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lintel-policy/lintel/resource"
)

const tinyPod = "apiVersion: v1\nkind: Pod\n"

// tree makes files under a new folder. A name that ends in / is a folder; content
// that begins with -> is where a symbolic link leads.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		target, link := strings.CutPrefix(content, "->")
		switch {
		case link:
			err = os.Symlink(target, path)
		case strings.HasSuffix(name, "/"):
			err = os.MkdirAll(path, 0o755)
		default:
			err = os.WriteFile(path, []byte(content), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// files returns the files of the objects, and the errors, relative to dir.
func files(dir string, r resource.Result) (found, errs []string) {
	for _, o := range r.Objects {
		found = append(found, strings.TrimPrefix(o.File, dir+"/"))
	}
	for _, e := range r.Errors {
		errs = append(errs, strings.ReplaceAll(e.Error(), dir+"/", ""))
	}
	return found, errs
}

func TestLoad(t *testing.T) {
	const leadsOut = ": is a symbolic link that leads nowhere or out of the folder: name the file itself to read it"
	outside := tree(t, map[string]string{"secret.yaml": tinyPod, "folder/a.yaml": tinyPod})
	dir := tree(t, map[string]string{
		"order/b.yaml":        tinyPod,
		"order/a/z.yml":       tinyPod,
		"order/c.json":        `{"apiVersion": "v1", "kind": "Pod"}`,
		"order/b-2.yaml":      tinyPod,
		"order/README.md":     "no YAML: at: all",
		"order/noext":         tinyPod,
		"order/D.YAML":        tinyPod,
		"skip/ci.yaml":        "on: push\n---\n" + tinyPod + "---\n[1]\n---\njust text\n",
		"skip/empty.yaml":     "",
		"bad/a.yaml":          "a: b: c\n---\n" + tinyPod,
		"bad/b.yaml":          tinyPod,
		"bad/chart/t.yaml":    "kind: {{ .Kind }}\n",
		"links/in.yaml":       "->sub/real.yml",
		"links/sub/real.yml":  tinyPod,
		"links/up.yaml":       "->sub/../sub/real.yml",
		"links/out.yaml":      "->" + outside + "/secret.yaml",
		"links/dots.yaml":     "->../order/b.yaml",
		"links/loop.yaml":     "->loop.yaml",
		"links/dangling.json": "->nowhere",
		"links/self":          "->.",
		"links/self.yaml":     "->sub",
		"links/away":          "->" + outside + "/folder",
		"links/ignored":       "->" + outside,
		"alias.link":          "->order/b.yaml",
		"dir.link":            "->order/a",
		"empty/":              "",

		"samples/pol/a/testdata/bad.yaml": tinyPod,
		"samples/pol/a/more.yaml":         tinyPod,
		"samples/web/testdata/a.yaml":     tinyPod,
	})
	cases := map[string]struct {
		reason  string
		paths   []string
		want    []string
		errs    []string
		skipped int
	}{
		"Order":   {reason: "Folders are read in the order of names, and only manifests.", paths: []string{"order"}, want: []string{"order/a/z.yml", "order/b-2.yaml", "order/b.yaml", "order/c.json"}},
		"Named":   {reason: "A file that is named is read whatever it is called.", paths: []string{"order/noext", "order/D.YAML"}, want: []string{"order/noext", "order/D.YAML"}},
		"Skipped": {reason: "What is no Kubernetes object is counted in a folder.", paths: []string{"skip"}, want: []string{"skip/ci.yaml"}, skipped: 3},
		"NotSkipped": {
			reason: "In a file that is named it is an error.",
			paths:  []string{"skip/ci.yaml", "skip/empty.yaml"},
			want:   []string{"skip/ci.yaml"},
			errs: []string{
				"skip/ci.yaml:1: " + resource.ErrNotKubernetes.Error(), "skip/ci.yaml:6: " + resource.ErrNotKubernetes.Error(),
				"skip/ci.yaml:8: " + resource.ErrNotKubernetes.Error(), "skip/empty.yaml: holds no Kubernetes object",
			},
		},
		"Bad": {
			reason: "What cannot be read does not hide the rest.",
			paths:  []string{"bad"},
			want:   []string{"bad/a.yaml", "bad/b.yaml"},
			errs: []string{
				"bad/a.yaml:1: read YAML: mapping values are not allowed in this context",
				"bad/chart/t.yaml:1: read YAML: objects and lists cannot be keys",
			},
		},
		"Links": {
			reason: "Links inside the folder are followed to files; those that lead out are errors, those to folders nothing.",
			paths:  []string{"links"},
			want:   []string{"links/in.yaml", "links/sub/real.yml", "links/up.yaml"},
			errs:   []string{"links/dangling.json" + leadsOut, "links/dots.yaml" + leadsOut, "links/loop.yaml" + leadsOut, "links/out.yaml" + leadsOut},
		},
		"NamedLinks": {reason: "Links that are named are followed.", paths: []string{"alias.link", "dir.link", "links/out.yaml"}, want: []string{"alias.link", "dir.link/z.yml", "links/out.yaml"}},
		"Missing":    {reason: "A path that is not there is an error, and the others are read.", paths: []string{"nowhere", "alias.link"}, want: []string{"alias.link"}, errs: []string{"nowhere: no such file or directory"}},
		"Samples": {
			reason: "Samples of policies are bad on purpose; a folder of that name elsewhere holds objects.",
			paths:  []string{"samples"}, want: []string{"samples/pol/a/more.yaml", "samples/web/testdata/a.yaml"}, skipped: 1,
		},
		"SamplesNamed": {reason: "Who names samples wants them.", paths: []string{"samples/pol/a/testdata"}, want: []string{"samples/pol/a/testdata/bad.yaml"}},
		"Empty":        {reason: "An empty folder is nothing.", paths: []string{"empty"}},
		"Twice": {
			reason: "A file that several paths lead to is read once.",
			paths:  []string{"order/b.yaml", "order", "dir.link", "order/../order/c.json", "order/a"},
			want:   []string{"order/b.yaml", "order/a/z.yml", "order/b-2.yaml", "order/c.json"},
		},
		"SkippedTwice": {reason: "What is skipped is counted once.", paths: []string{"skip", "skip"}, want: []string{"skip/ci.yaml"}, skipped: 3},
		"SkippedThenNamed": {
			reason: "What a folder has skipped is an error if it is named.",
			paths:  []string{"skip", "skip/empty.yaml"}, want: []string{"skip/ci.yaml"}, skipped: 3,
			errs: []string{"skip/empty.yaml: holds no Kubernetes object"},
		},
		"URL": {
			reason: "Nothing is fetched.", paths: []string{"https://example.com/a.yaml"},
			errs: []string{"https://example.com/a.yaml: is a URL, which is not fetched: name a file, or pass what is there to standard input"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var paths []string
			for _, p := range tc.paths {
				if !strings.Contains(p, "://") {
					p = filepath.Join(dir, p)
				}
				paths = append(paths, p)
			}
			got := resource.Load(t.Context(), resource.Options{Policies: []string{filepath.Join(dir, "samples/pol"), dir + "/nowhere"}}, paths...)
			found, errs := files(dir, got)
			if diff := cmp.Diff(tc.want, found); diff != "" {
				t.Errorf("%s\nLoad(...) files: -want, +got:\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff(tc.errs, errs); diff != "" {
				t.Errorf("%s\nLoad(...) errors: -want, +got:\n%s", tc.reason, diff)
			}
			if got.Skipped != tc.skipped {
				t.Errorf("%s\nLoad(...): want %d skipped, got %d", tc.reason, tc.skipped, got.Skipped)
			}
		})
	}
}

func TestLoadStdin(t *testing.T) {
	got := resource.Load(t.Context(), resource.Options{Stdin: strings.NewReader(tinyPod)}, "-", "-")
	if found, errs := files("", got); !cmp.Equal(found, []string{"-"}) || errs != nil {
		t.Errorf("Load(-): got %v, %v", found, errs)
	}
}

// TestLoadSpecial meets files that would block or never end when they are opened or read.
func TestLoadSpecial(t *testing.T) {
	dir := tree(t, map[string]string{"a.yaml": tinyPod, "dev.yaml": "->/dev/zero"})
	if err := syscall.Mkfifo(filepath.Join(dir, "fifo.yaml"), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir) // the address of a socket must be short
	socket, err := net.Listen("unix", "socket.yaml")
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()

	done := make(chan resource.Result)
	go func() {
		done <- resource.Load(context.Background(), resource.Options{}, dir, "fifo.yaml", "socket.yaml", "/dev/zero")
	}()
	select {
	case got := <-done:
		found, errs := files(dir, got)
		want := []string{
			"dev.yaml: is a symbolic link that leads nowhere or out of the folder: name the file itself to read it",
			"fifo.yaml: is a named pipe, no regular file: pass it to standard input",
			"socket.yaml: is a socket, no regular file: pass it to standard input",
			"/dev/zero: is a device, no regular file: pass it to standard input",
		}
		if diff := cmp.Diff(want, errs); diff != "" || !cmp.Equal(found, []string{"a.yaml"}) || got.Skipped != 2 {
			t.Errorf("Load(...): found %v, skipped %d, errors -want, +got:\n%s", found, got.Skipped, diff)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("Load(...) hangs")
	}
}

// TestLoadLarge meets a file of 1 GB, which takes no space on the disk.
func TestLoadLarge(t *testing.T) {
	dir := tree(t, map[string]string{"a.yaml": tinyPod, "big.yaml": ""})
	if err := os.Truncate(filepath.Join(dir, "big.yaml"), 1<<30); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, errs := files(dir, resource.Load(t.Context(), resource.Options{}, dir))
	runtime.ReadMemStats(&after)
	if diff := cmp.Diff([]string{"big.yaml: is larger than 16 MiB"}, errs); diff != "" {
		t.Errorf("Load(...) errors: -want, +got:\n%s", diff)
	}
	if got := after.TotalAlloc - before.TotalAlloc; got > 1<<20 {
		t.Errorf("Load(...) allocated %d bytes: the size is known without reading", got)
	}
}

func TestLoadUnreadable(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root reads everything")
	}
	dir := tree(t, map[string]string{"a.yaml": tinyPod, "b.yaml": tinyPod, "c/d.yaml": tinyPod})
	for _, name := range []string{"b.yaml", "c"} {
		if err := os.Chmod(filepath.Join(dir, name), 0); err != nil {
			t.Fatal(err)
		}
	}
	defer os.Chmod(filepath.Join(dir, "c"), 0o755)
	found, errs := files(dir, resource.Load(t.Context(), resource.Options{}, dir))
	want := []string{"b.yaml: permission denied", "c: read folder: permission denied"}
	if diff := cmp.Diff(want, errs); diff != "" || len(found) != 1 {
		t.Errorf("Load(...): found %v, errors -want, +got:\n%s", found, diff)
	}
}

func TestLoadDeepFolders(t *testing.T) {
	dir := tree(t, map[string]string{strings.Repeat("d/", 80) + "a.yaml": tinyPod, "b.yaml": tinyPod})
	found, errs := files(dir, resource.Load(t.Context(), resource.Options{}, dir))
	if !cmp.Equal(found, []string{"b.yaml"}) || len(errs) != 1 || !strings.Contains(errs[0], "folders nest deeper than 64") {
		t.Errorf("Load(...): got %v, %v", found, errs)
	}
}

// TestWalkVanishing removes the folder while it is read.
func TestWalkVanishing(t *testing.T) {
	dir := tree(t, map[string]string{"a.yaml": tinyPod, "b.yaml": tinyPod, "c/d.yaml": tinyPod})
	var got resource.Result
	err := resource.Walk(t.Context(), resource.Options{}, []string{dir}, func(r resource.Result) error {
		got.Objects = append(got.Objects, r.Objects...)
		got.Errors = append(got.Errors, r.Errors...)
		return os.RemoveAll(dir)
	})
	if err != nil {
		t.Fatalf("Walk(...): %v", err)
	}
	found, errs := files(dir, got)
	want := []string{"b.yaml: no such file or directory", "c: read folder: no such file or directory"}
	if diff := cmp.Diff(want, errs); diff != "" || len(found) != 1 {
		t.Errorf("Walk(...): found %v, errors -want, +got:\n%s", found, diff)
	}
}

func TestWalkStops(t *testing.T) {
	dir := tree(t, map[string]string{"a.yaml": tinyPod, "b.yaml": tinyPod})
	stop := errors.New("enough")
	visits := 0
	err := resource.Walk(t.Context(), resource.Options{}, []string{dir}, func(resource.Result) error {
		visits++
		return stop
	})
	if !errors.Is(err, stop) || visits != 1 {
		t.Errorf("Walk(...): got %v after %d visits", err, visits)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got := resource.Load(ctx, resource.Options{}, dir); len(got.Objects) > 0 || len(got.Errors) != 1 || !errors.Is(got.Errors[0], context.Canceled) {
		t.Errorf("Load(canceled): got %v", texts(got))
	}
}

// BenchmarkLoad reads 1,000 objects in 100 files.
func BenchmarkLoad(b *testing.B) {
	doc := deployment(b)
	dir := b.TempDir()
	for i := range 100 {
		content := strings.Repeat(doc+"---\n", 10)
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%03d.yaml", i)), []byte(content), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(1000 * len(doc)))
	for b.Loop() {
		if got := resource.Load(b.Context(), resource.Options{}, dir); len(got.Objects) != 1000 {
			b.Fatalf("%d objects, %v", len(got.Objects), texts(got))
		}
	}
}
