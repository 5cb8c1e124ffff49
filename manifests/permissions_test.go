package manifests_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lintel-policy/lintel/e2e/cluster"
)

// testPermissions holds what the API server says that Lintel's account and the holders
// of the roles may do, and not everybody, to what is written down: who reviews a change
// of the file sees what it gives away. LINTEL_UPDATE=1 writes the file.
func testPermissions(t *testing.T, c *cluster.Cluster) {
	bindRoles(t, c, "listed")
	var text strings.Builder
	const anyAccount = "system:serviceaccount:" + namespace + ":default"
	for _, of := range []struct{ user, namespace, like string }{
		{account, "default", anyAccount}, {account, namespace, anyAccount},
		{"viewer", "listed", "anyone"}, {"editor", "listed", "anyone"}, {"author", "listed", "anyone"}, {"author", "default", "anyone"},
	} {
		fmt.Fprintf(&text, "%s in %s\n", of.user, of.namespace)
		everybody := canI(t, c, of.like, of.namespace)
		for _, line := range canI(t, c, of.user, of.namespace) {
			if !slices.Contains(everybody, line) {
				fmt.Fprintf(&text, "  %s\n", line)
			}
		}
	}
	file := filepath.Join("testdata", "permissions.txt")
	if os.Getenv("LINTEL_UPDATE") != "" {
		must(t, os.WriteFile(file, []byte(text.String()), 0o600))
	}
	want, err := os.ReadFile(file)
	must(t, err)
	if diff := cmp.Diff(string(want), text.String()); diff != "" {
		t.Errorf("kubectl auth can-i --list: -%s, +API server:\n%s", file, diff)
	}
}

// canI returns what a user may do, a line for each kind of object, sorted: the order
// in which rules are found is nobody's business.
func canI(t *testing.T, c *cluster.Cluster, user, namespace string) []string {
	t.Helper()
	var lines []string
	for line := range strings.Lines(kubectl(t, c, "auth", "can-i", "--list", "--no-headers", "--as", user, "-n", namespace)) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	slices.Sort(lines)
	return lines
}

// bindRoles gives the users viewer and editor the roles of those names, and the user
// author, in a new namespace, that of an author of exceptions, for as long as the test
// runs.
func bindRoles(t *testing.T, c *cluster.Cluster, in string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	kubectl(t, c, "apply", "-f", "roles.yaml")
	kubectl(t, c, "create", "namespace", in)
	t.Cleanup(func() {
		c.Kubectl(ctx, nil, "delete", "--ignore-not-found", "clusterrolebinding", in+"-viewer", in+"-editor")
		c.Kubectl(ctx, nil, "delete", "namespace", in, "--wait=false")
		c.Kubectl(ctx, nil, "delete", "-f", "roles.yaml")
	})
	for _, role := range []string{"viewer", "editor"} {
		kubectl(t, c, "create", "clusterrolebinding", in+"-"+role, "--clusterrole=lintel-"+role, "--user="+role)
	}
	kubectl(t, c, "create", "rolebinding", "-n", in, "author", "--clusterrole=lintel-exception-author", "--user=author")
}
