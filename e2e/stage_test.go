package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/lintel-policy/lintel/e2e/cluster"
	"github.com/lintel-policy/lintel/e2e/gate"
)

// A stage is where a test plays: a namespace of its own in the shared control
// plane, whose labels say whose it is.
type stage struct {
	*cluster.Cluster
	namespace string
}

// ownerLabels are the labels of each stage's namespace.
func ownerLabels() map[string]string {
	return map[string]string{"environment": "production", "team": "checkout"}
}

// namespaceLabels are the same for lintel check.
const namespaceLabels = "environment=production,team=checkout"

// newStage makes a namespace and removes it when the test has ended.
func newStage(t *testing.T, namespace string) *stage {
	t.Helper()
	s := &stage{shared.Cluster(t), namespace}
	s.awaitGone(t, namespace)
	if err := s.CreateNamespace(t.Context(), namespace, ownerLabels()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Kubectl(context.WithoutCancel(t.Context()), nil, "delete", "namespace", namespace, "--wait=false")
	})
	return s
}

// awaitGone waits for the end of a namespace that another test has deleted.
func (s *stage) awaitGone(t *testing.T, namespace string) {
	t.Helper()
	get := []string{"get", "namespace", namespace, "--ignore-not-found", "-o", "jsonpath={.status.phase}"}
	if phase, _, _ := s.Kubectl(t.Context(), nil, get...); phase != "Terminating" {
		return
	}
	// It is an error as well if the namespace has gone before kubectl looks.
	s.Kubectl(t.Context(), nil, "wait", "--for=delete", "namespace/"+namespace, "--timeout=60s")
}

// guard starts Lintel in front of the cluster until the test has ended, with the
// policies of the library and those in folders.
func (s *stage) guard(t *testing.T, folders ...string) *gate.Gate {
	t.Helper()
	g, err := gate.Start(t.Context(), gate.Config{
		Binary: built.Path(t), Cluster: s.Cluster, Policies: append([]string{"embedded"}, folders...),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Stop(); err != nil {
			t.Error(err)
		}
	})
	return g
}

// libraryWith is a folder with an object for each policy of the library, which sets
// something in its spec.
func libraryWith(t *testing.T, setting string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join("..", "policies", "*", "*.rego"))
	if err != nil || len(found) == 0 {
		t.Fatalf("no policies in the library: %v", err)
	}
	folder := t.TempDir()
	for _, path := range found {
		name := filepath.Base(filepath.Dir(path))
		policy := "apiVersion: lintel.dev/v1alpha1\nkind: Policy\nmetadata: {name: " + name + "}\nspec: {source: {library: " + name + "}, " + setting + "}\n"
		if err := os.WriteFile(filepath.Join(folder, name+".yaml"), []byte(policy), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// A result is how a program ended.
type result struct {
	stdout, stderr string
	code           int
}

// kubectl runs kubectl in the stage's namespace.
func (s *stage) kubectl(t *testing.T, args ...string) result {
	t.Helper()
	return s.kubectlWith(t, "", args...)
}

// kubectlWith runs kubectl with standard input, and once more where a controller has
// written a status between what kubectl read and what it wrote.
func (s *stage) kubectlWith(t *testing.T, stdin string, args ...string) result {
	t.Helper()
	var r result
	args = append([]string{"--namespace", s.namespace}, args...)
	for range 10 {
		r.stdout, r.stderr, r.code = s.Kubectl(t.Context(), strings.NewReader(stdin), args...)
		if !strings.Contains(r.stderr, "(Conflict)") {
			break
		}
	}
	return r
}

// must runs kubectl, which has to succeed, and returns what it printed.
func (s *stage) must(t *testing.T, args ...string) string {
	t.Helper()
	r := s.kubectl(t, args...)
	if r.code != 0 {
		t.Fatalf("kubectl %s: exit code %d, want 0\n%s%s", strings.Join(args, " "), r.code, r.stdout, r.stderr)
	}
	return r.stdout
}

// get reads an object back, named as TYPE/NAME.
func (s *stage) get(t *testing.T, name string) object {
	t.Helper()
	return decode(t, s.must(t, "get", name, "-o", "json"))
}

// exists says whether an object, named as TYPE/NAME, is stored.
func (s *stage) exists(t *testing.T, name string) bool {
	t.Helper()
	r := s.kubectl(t, "get", name, "-o", "name", "--ignore-not-found")
	if r.code != 0 {
		t.Fatalf("kubectl get %s: exit code %d\n%s", name, r.code, r.stderr)
	}
	return r.stdout != ""
}

// check runs lintel check on paths, for the stage's namespace.
func (s *stage) check(t *testing.T, paths ...string) report {
	t.Helper()
	args := append([]string{"check", "-o", "json", "-n", s.namespace, "--namespace-labels", namespaceLabels}, paths...)
	r := run(t, built.Path(t), args...)
	var found report
	if err := json.Unmarshal([]byte(r.stdout), &found); err != nil {
		t.Fatalf("lintel %s: exit code %d, and its output is no report: %v\n%s%s", strings.Join(args, " "), r.code, err, r.stdout, r.stderr)
	}
	found.code = r.code
	return found
}

// run runs a program.
func run(t *testing.T, name string, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// send sends bytes to the API server as they are, which kubectl would not do, and
// returns the status code and the answer.
func (s *stage) send(t *testing.T, method, path, contentType, body string) (int, object) {
	t.Helper()
	return sendAs(t, s.Config(), method, path, contentType, body)
}

// sendAs does so as whoever has the credentials.
func sendAs(t *testing.T, user *rest.Config, method, path, contentType, body string) (int, object) {
	t.Helper()
	code, _, answer := exchange(t, user, method, path, contentType, body)
	return code, answer
}

// exchange returns the header of the answer as well.
func exchange(t *testing.T, user *rest.Config, method, path, contentType, body string) (int, http.Header, object) {
	t.Helper()
	client, err := rest.HTTPClientFor(user)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, user.Host+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, decode(t, string(answer))
}

// list returns all objects of some resources of a group and version in the stage's
// namespace, one resource after another. It does not take a kubectl for each.
func (s *stage) list(t *testing.T, of string, resources ...string) []object {
	t.Helper()
	var all []object
	for _, resource := range resources {
		path := "/" + of + "/namespaces/" + s.namespace + "/" + resource
		code, answer := s.send(t, http.MethodGet, path, "", "")
		items, ok := answer["items"].([]any)
		if code != http.StatusOK || !ok {
			t.Fatalf("list %s: status %d: %v", path, code, answer)
		}
		for _, item := range items {
			all = append(all, item.(map[string]any))
		}
	}
	return all
}

// await waits until something is so.
func await(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); !so(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within 30 seconds", what)
		}
	}
}

// testdata is the path of a file of test data.
func testdata(path ...string) string { return filepath.Join(append([]string{"testdata"}, path...)...) }

// read reads a file of test data.
func read(t *testing.T, path ...string) string {
	t.Helper()
	data, err := os.ReadFile(testdata(path...))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
