package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestStages has a policy that warns deny from a moment on: everybody is told before,
// and nothing is restarted or registered anew when it comes.
func TestStages(t *testing.T) {
	define(t)
	s := serveFrom(t, "cluster", "--fail-closed")
	stage := func(from time.Time) string {
		return fmt.Sprintf(`, "enforcement": "warn", "stages": [{"from": %q, "enforcement": "deny"}]`, from.UTC().Format(time.RFC3339))
	}
	kubectl(t, ownedPolicy(t, owned, stage(time.Date(2037, 1, 15, 0, 0, 0, 0, time.UTC))), "apply", "-f", "-")
	create(t, orphan, "Warning: owned (denied from 2037-01-15T00:00:00Z): metadata.labels.owner: owner is missing")
	awaitRow(t, "owned warn deny 2037-01-15T00:00:00Z True Compiled")
	testStageInFiles(t)
	before := registrationOf(t)
	if !strings.Contains(before, `["configmaps"]`) {
		t.Errorf("the entry that can deny asks for %s before the policy denies, want configmaps", before)
	}

	from := time.Now().Add(3 * time.Second).Truncate(time.Second)
	kubectl(t, ownedPolicy(t, owned, stage(from)), "apply", "-f", "-")
	create(t, orphan, "ConfigMap default/orphan breaks 1 policy")
	if time.Now().Before(from) {
		t.Error("a stage began before its time")
	}
	awaitRow(t, "owned deny True Compiled")
	if after := registrationOf(t); after != before {
		t.Errorf("the registration has changed with the stage: from %s to %s", before, after)
	}
	s.end(t, syscall.SIGTERM)
}

// awaitRow waits until kubectl shows just that of the Policy owned, before its revision.
func awaitRow(t *testing.T, want string) {
	t.Helper()
	got := ""
	if !comesTrue(func() bool {
		fields := strings.Fields(kubectl(t, "", "get", "lpol", "owned", "--no-headers"))
		got = strings.Join(fields[:max(len(fields)-2, 0)], " ")
		return got == want
	}) {
		t.Errorf("kubectl get policy: %q, want %q", got, want)
	}
}

// registrationOf returns the generation of the registration, and what its entry that
// can deny asks for.
func registrationOf(t *testing.T) string {
	t.Helper()
	return kubectl(t, "", "get", "validatingwebhookconfiguration", "lintel", "-o",
		`jsonpath={.metadata.generation} {.webhooks[?(@.name=="deny.lintel.dev")].rules[*].resources}`)
}

// testStageInFiles judges a file by the policies of the cluster.
func testStageInFiles(t *testing.T) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "orphan.yaml")
	must(os.WriteFile(file, []byte(orphan), 0o600))
	for command, want := range map[string]string{
		"check":           "high severity, denied from 2037-01-15T00:00:00Z\n",
		"check -o json":   `"deniedFrom": "2037-01-15T00:00:00Z"`,
		"check -o sarif":  "owner is missing (denied from 2037-01-15T00:00:00Z)",
		"check -o junit":  "denied from 2037-01-15T00:00:00Z",
		"check -o github": "denied from 2037-01-15T00:00:00Z",
		"explain -f":      "enforcement warn by its own setting, deny from 2037-01-15T00:00:00Z, patches record\n",
	} {
		args := append([]string{"lintel"}, strings.Fields(command)...)
		args = append(args, file, "-p", "cluster", "--kubeconfig", shared.Cluster(t).Kubeconfig())
		var stdout, stderr strings.Builder
		if code := run(t.Context(), args, streams{strings.NewReader(""), &stdout, &stderr}); code != exitClean || !strings.Contains(stdout.String(), want) {
			t.Errorf("lintel %s: %d %s\n%s\nwant %q", command, code, stderr.String(), stdout.String(), want)
		}
	}
}
