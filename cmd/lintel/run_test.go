package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// owner is a policy that each ConfigMap without an owner breaks.
const owner = `# METADATA
# custom: {match: {kinds: [{apiGroups: [""], kinds: [ConfigMap]}]}}
package lintel.owner

violation contains {"msg": "owner is missing", "path": ["metadata", "labels", "owner"]} if {
	not input.review.object.metadata.labels.owner
}
`

// TestResultsAreInOrder checks many objects on one processor and on many: neither
// how many there are nor which object is done first may be seen in the results.
func TestResultsAreInOrder(t *testing.T) {
	dir := t.TempDir()
	policy := filepath.Join(dir, "policies", "owner")
	objects := filepath.Join(dir, "objects.yaml")
	must(os.MkdirAll(policy, 0o755))
	must(os.WriteFile(filepath.Join(policy, "owner.rego"), []byte(owner), 0o600))
	var all, want strings.Builder
	for i := range 300 {
		fmt.Fprintf(&all, "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: c%d\n", i)
		fmt.Fprintf(&want, "denied: ConfigMap default/c%d breaks 1 policy (1 violation):\n", i)
	}
	must(os.WriteFile(objects, []byte(all.String()), 0o600))

	for _, processors := range []int{1, 8} {
		before := runtime.GOMAXPROCS(processors)
		var stdout, stderr bytes.Buffer
		code := run(t.Context(), []string{"lintel", "check", "-p", filepath.Dir(policy), objects}, streams{strings.NewReader(""), &stdout, &stderr})
		runtime.GOMAXPROCS(before)
		if code != exitDenied || stderr.Len() > 0 {
			t.Fatalf("on %d processors: got exit code %d and %q, want %d and nothing", processors, code, stderr.String(), exitDenied)
		}
		var got strings.Builder
		for line := range strings.Lines(stdout.String()) {
			if strings.HasPrefix(line, "denied: ConfigMap ") {
				got.WriteString(line)
			}
		}
		if got.String() != want.String() {
			t.Errorf("on %d processors the objects are not in the order of the file", processors)
		}
	}
}

// A full is a disk with no room left.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, fmt.Errorf("no space left on device") }

// TestResultsThatCannotBeWritten are no success: nobody has read them.
func TestResultsThatCannotBeWritten(t *testing.T) {
	objects := filepath.Join(t.TempDir(), "a.json")
	must(os.WriteFile(objects, []byte(`{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}`), 0o600))
	for _, args := range [][]string{{"check", objects}, {"check", "-o", "json", objects}, {"policies"}, {"version"}} {
		var stderr bytes.Buffer
		code := run(t.Context(), append([]string{"lintel"}, args...), streams{strings.NewReader(""), full{}, &stderr})
		if code != exitUntold || !strings.Contains(stderr.String(), "no space left on device") {
			t.Errorf("lintel %q: got exit code %d and %q, want %d and the reason", args, code, stderr.String(), exitUntold)
		}
	}
}
