package certs_test

import (
	"os"
	"testing"
	"time"

	"github.com/lintel-policy/lintel/certs"
	"github.com/lintel-policy/lintel/e2e/cluster"
	"github.com/lintel-policy/lintel/e2e/cluster/clustertest"
)

var shared = clustertest.New(cluster.Config{})

func TestMain(m *testing.M) { os.Exit(shared.Run(m)) }

func must(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// eventually waits for something that is certain to come, if all is well.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("a minute has passed without %s", what)
		}
	}
}

func newKeyring(t *testing.T, at time.Time) *certs.Keyring {
	t.Helper()
	k, err := certs.NewKeyring(hosts(), at)
	must(t, "NewKeyring(...)", err)
	return k
}

func hosts() []string { return []string{"lintel.lintel-system.svc", "127.0.0.1"} }

func newSource(t *testing.T, pair certs.Pair, at time.Time) *certs.Source {
	t.Helper()
	source, err := certs.NewSource(pair, at)
	must(t, "NewSource(...)", err)
	return source
}
