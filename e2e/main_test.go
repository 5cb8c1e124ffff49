// Package e2e_test tries Lintel as its users have it: the binary in front of a
// real control plane, asked through a real kubectl.
//
// Each test starts Lintel for itself, in front of a control plane that all share,
// and in namespaces of its own. What a test needs to be there before Lintel, or
// accepted without it, it makes before it starts Lintel.
//
// The verdict on files is held to that of the cluster over everything in
// testdata/corpus and the test data of the policies. To hold it over manifests
// of your own as well, name their folder:
//
//	LINTEL_CORPUS=~/manifests go test ./e2e -run TestVerdictOfYours -v
//
// They are sent to the control plane as dry runs, so that nothing of them comes to
// be but their Namespaces and autoscalers. Objects of kinds and versions that
// Kubernetes does not have, and what it refuses by itself, are counted and left out.
package e2e_test

import (
	"os"
	"sync"
	"testing"

	"github.com/lintel-policy/lintel/e2e/cluster"
	"github.com/lintel-policy/lintel/e2e/cluster/clustertest"
	"github.com/lintel-policy/lintel/e2e/gate"
)

var (
	// Autoscalers act at once, so that nobody has to wait for them.
	shared = clustertest.New(cluster.Config{Controllers: true, ControllerArgs: []string{"--horizontal-pod-autoscaler-sync-period=1s"}})
	built  binary
)

func TestMain(m *testing.M) {
	code := shared.Run(m)
	built.remove()
	os.Exit(code)
}

// A binary is that of lintel, built when it is first asked for.
type binary struct {
	once         sync.Once
	folder, path string
	err          error
}

// Path is where the binary is. The test fails where it does not build.
func (b *binary) Path(t testing.TB) string {
	t.Helper()
	b.once.Do(func() {
		if b.folder, b.err = os.MkdirTemp("", "lintel-e2e-"); b.err != nil {
			return
		}
		b.path, b.err = gate.Build(t.Context(), b.folder)
	})
	if b.err != nil {
		t.Fatal(b.err)
	}
	return b.path
}

func (b *binary) remove() {
	if b.folder != "" {
		_ = os.RemoveAll(b.folder)
	}
}
