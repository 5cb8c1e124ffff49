package cluster_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/lintel-policy/lintel/e2e/cluster"
	"github.com/lintel-policy/lintel/e2e/cluster/clustertest"
)

// roleVar names the environment variable that makes this test binary play a
// role in a test that another run of it conducts.
const roleVar = "LINTEL_CLUSTER_TEST_ROLE"

// shared is the cluster of the tests that need none of their own.
var shared = clustertest.New(cluster.Config{Controllers: true, Assets: assets()})

// assets is where the binaries are: nowhere for the run that has to miss them.
func assets() string {
	if os.Getenv(roleVar) == "missing" {
		return os.DevNull
	}
	return ""
}

func TestMain(m *testing.M) {
	if role, ok := strings.CutPrefix(os.Getenv(roleVar), "owner:"); ok {
		own(role)
	}
	os.Exit(shared.Run(m))
}

// own starts a cluster, says where it is, and ends without stopping it.
func own(how string) {
	c, err := cluster.Start(context.Background(), cluster.Config{})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(c.Folder())
	switch how {
	case "panics":
		panic("as a test does")
	case "exits":
		os.Exit(0)
	default:
		select {}
	}
}

// TestRole is the test that a run with a role runs.
func TestRole(t *testing.T) {
	switch os.Getenv(roleVar) {
	case "missing":
		shared.Cluster(t)
	case "shares":
		fmt.Println(shared.Cluster(t).Folder())
		select {}
	}
}

// start starts a cluster for one test.
func start(t *testing.T, cfg cluster.Config) *cluster.Cluster {
	t.Helper()
	c, err := cluster.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Stop() })
	return c
}

// run runs kubectl, which must succeed, and returns what it printed.
func run(t *testing.T, c *cluster.Cluster, stdin string, args ...string) string {
	t.Helper()
	stdout, stderr, code := c.Kubectl(t.Context(), strings.NewReader(stdin), args...)
	if code != 0 {
		t.Fatalf("kubectl %s: exit %d\n%s%s", strings.Join(args, " "), code, stdout, stderr)
	}
	return stdout
}
