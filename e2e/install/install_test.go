//go:build linux

package install_test

import (
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// broken lacks all that the library asks for.
const broken = `{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "broken", "namespace": "default"}, "spec": {
	"replicas": 2, "selector": {"matchLabels": {"app": "a"}}, "template": {
	"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [{"name": "a", "image": "a"}]}}}}`

// TestInstall follows an installation as docs/install.md has it: it warns, and changes
// nothing; a policy is made to deny, without a restart; when it is removed, nothing of
// it is left.
func TestInstall(t *testing.T) {
	f := newFleet(t)
	f.apply(t)
	f.startAll(t)
	f.must(t, "apply", "-f", policies)
	t.Run("Warns", func(t *testing.T) { testWarns(t, f) })
	t.Run("Denies", func(t *testing.T) { testDenies(t, f) })
	t.Run("Excused", func(t *testing.T) { testExcused(t, f) })
	t.Run("Told", func(t *testing.T) { testTold(t, f) })
	t.Run("Doctor", func(t *testing.T) { testDoctor(t, f) })
	t.Run("Permitted", func(t *testing.T) { testPermitted(t, f) })
	t.Run("NotPermitted", func(t *testing.T) { testNotPermitted(t, f) })
	t.Run("Greedy", func(t *testing.T) { testGreedy(t, f) })
	for n, replica := range f.replicas {
		select {
		case <-replica.Ended():
			t.Errorf("replica %d has ended", n)
		default:
		}
	}
	t.Run("Removed", func(t *testing.T) { testRemoved(t, f) })
}

// testWarns waits for all policies to be in force, as they come.
func testWarns(t *testing.T, f *fleet) {
	const line = `{.metadata.name} {.status.enforcement} {.status.conditions[?(@.type=="Ready")].status}{"\n"}`
	got := ""
	eventually(t, "every policy to be in force", func() bool {
		got = f.must(t, "get", "policies.lintel.dev", "-o", "jsonpath={range .items[*]}"+line+"{end}")
		return strings.Count(got, " warn True\n") == 5
	})
	want := "no-hardcoded-secrets warn True\nprobes warn True\nrequired-labels warn True\nresources warn True\ntopology-spread warn True\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("policies: -want, +got:\n%s", diff)
	}
	eventually(t, "a warning", func() bool {
		_, stderr, code := f.dryRun(t, broken)
		return code == 0 && strings.Contains(stderr, "Warning: probes")
	})
	want = "warn.lintel.dev Ignore lintel-system/lintel\nowned by ClusterRole/lintel\n"
	if diff := cmp.Diff(want, f.judging(t)); diff != "" {
		t.Errorf("a policy that warns holds nothing up: -want, +got:\n%s", diff)
	}
	want = "patch.lintel.dev Ignore lintel-system/lintel\nowned by ClusterRole/lintel\n"
	if diff := cmp.Diff(want, f.registration(t, "mutatingwebhookconfiguration")); diff != "" {
		t.Errorf("registration of patches: -want, +got:\n%s", diff)
	}
	if leaders := f.leaders(); len(leaders) != 1 {
		t.Errorf("leaders: got %v, want one", leaders)
	}
}

// testDenies takes the operator's step, and a step back.
func testDenies(t *testing.T, f *fleet) {
	f.must(t, "patch", "policy.lintel.dev", "probes", "--type=merge", `-p={"spec": {"enforcement": "deny"}}`)
	eventually(t, "a denial", func() bool {
		_, stderr, code := f.dryRun(t, broken)
		return code == 1 && strings.Contains(stderr, `admission webhook "deny.lintel.dev" denied the request`) && strings.Contains(stderr, "probes ")
	})
	f.must(t, "apply", "-f", policies) // as they came
	eventually(t, "a warning again", func() bool {
		_, stderr, code := f.dryRun(t, broken)
		return code == 0 && strings.Contains(stderr, "Warning: probes")
	})
}

// fromTeam is a policy whose Rego is in a ConfigMap of some team's.
const fromTeam = `
apiVersion: v1
kind: Namespace
metadata: {name: rules}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: ours, namespace: rules}
data:
  a.rego: |
    package team
    violation contains {"msg": "it is ours"} if input.review.object.metadata.name == "theirs"
---
apiVersion: lintel.dev/v1alpha1
kind: Policy
metadata: {name: from-team}
spec:
  source: {configMapRef: {namespace: rules, name: ours}}
  match: {kinds: [{apiGroups: [""], kinds: [ConfigMap]}]}
  enforcement: deny
`

const theirs = `{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "theirs", "namespace": "default"}}`

// testPermitted has a policy wait for the permission to read what it is made of, and
// stay as it was when that is broken.
func testPermitted(t *testing.T, f *fleet) {
	f.applyText(t, fromTeam)
	f.awaitPolicy(t, "from-team", "Pending", "system:serviceaccount:lintel-system:lintel may not read ConfigMap rules/ours")
	for line := range strings.Lines(f.must(t, "get", "policy.lintel.dev", "from-team", "-o", "jsonpath={.status.conditions[0].message}")) {
		if args := strings.Fields(line); args[0] == "kubectl" {
			f.must(t, args[1:]...)
		}
	}
	f.awaitPolicy(t, "from-team", "Compiled", "")
	denied := func() bool {
		_, stderr, _ := f.dryRun(t, theirs)
		return strings.Contains(stderr, "it is ours")
	}
	eventually(t, "a denial", denied)
	f.must(t, "patch", "configmap", "ours", "-n", "rules", "--type=merge", `-p={"data": {"a.rego": "package team\n\nviolation contains 1 if nothing"}}`)
	f.awaitPolicy(t, "from-team", "Broken", "ConfigMap rules/ours#a.rego:3: rego_unsafe_var_error: var nothing is unsafe")
	if !denied() {
		t.Error("a policy that is broken does not go on as it last was")
	}
}

// testNotPermitted has policies name ConfigMaps that Lintel is not to read, or that are
// its own: nothing of those is told to anybody.
func testNotPermitted(t *testing.T, f *fleet) {
	policy := fromTeam[strings.Index(fromTeam, "apiVersion: lintel.dev"):]
	const ref, secret = "kube-system/extension-apiserver-authentication", "BEGIN CERTIFICATE" // the authorities of the cluster
	in, name, _ := strings.Cut(ref, "/")
	if !strings.Contains(f.must(t, "get", "configmap", name, "-n", in, "-o", "yaml"), secret) {
		t.Fatalf("ConfigMap %s has no %s: this test says nothing", ref, secret)
	}
	f.applyText(t, strings.NewReplacer("from-team", name, "rules, name: ours", in+", name: "+name).Replace(policy))
	f.awaitPolicy(t, name, "Pending", "may not read ConfigMap "+ref)
	if said := f.must(t, "get", "policy.lintel.dev", name, "-o", "jsonpath={.status}"); strings.Contains(said, secret) {
		t.Errorf("the status tells what is in ConfigMap %s:\n%s", ref, said)
	}
	for n, replica := range f.replicas {
		if strings.Contains(replica.Log(), secret) {
			t.Errorf("replica %d logs what is in ConfigMap %s", n, ref)
		}
	}
	f.must(t, "delete", "policy.lintel.dev", name)

	own := strings.NewReplacer("from-team", "own", "rules, name: ours", "lintel-system, name: lintel-state").Replace(policy)
	_, stderr, code := f.Kubectl(t.Context(), strings.NewReader(own), "apply", "-f", "-")
	if want := "ConfigMap lintel-system/lintel-state has no key that ends in .rego"; code == 0 || !strings.Contains(stderr, want) || strings.Contains(stderr, "registered") {
		t.Errorf("Lintel's own ConfigMap as a source: %s, want %q and no more", stderr, want)
	}
}

// greedy is a policy that asks for what is secret, and says what it is given.
const greedy = `
apiVersion: v1
kind: Secret
metadata: {name: token, namespace: default}
stringData: {token: canary-4711}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: token, namespace: default}
data: {token: canary-4711}
---
apiVersion: lintel.dev/v1alpha1
kind: Policy
metadata: {name: greedy}
spec:
  enforcement: warn
  source:
    modules:
    - name: greedy.rego
      rego: |
        # METADATA
        # title: Greedy
        # custom:
        #   severity: low
        #   category: security
        #   enforcement: warn
        #   match: {kinds: [{apiGroups: [""], kinds: [ConfigMap]}]}
        #   inventory: [{apiVersion: v1, kind: Secret}, {apiVersion: v1, kind: ConfigMap}]
        package lintel.greedy

        violation contains {"msg": sprintf("it was given %v", [given])}

        given := [object.data |
        	some kind in ["ConfigMap", "Secret"]
        	object := data.inventory.namespace["default"]["v1"][kind].token
        ]
`

// testGreedy has a policy read by Lintel's account what its author may not.
func testGreedy(t *testing.T, f *fleet) {
	f.applyText(t, greedy)
	said := ""
	eventually(t, "the policy to say something", func() bool {
		_, said, _ = f.dryRun(t, strings.ReplaceAll(theirs, "theirs", "any"))
		return strings.Contains(said, "greedy: ")
	})
	said += f.must(t, "get", "policy.lintel.dev", "greedy", "-o", "jsonpath={.status}")
	for _, replica := range f.replicas {
		said += replica.Log()
	}
	if strings.Contains(said, "canary-4711") || strings.Contains(said, "Y2FuYXJ5LTQ3MTE") {
		t.Errorf("Lintel tells what is secret:\n%s", said)
	}
	f.must(t, "delete", "policy.lintel.dev", "greedy")
}

// awaitPolicy waits until a policy is ready, or is not, for a reason and with a message.
func (f *fleet) awaitPolicy(t *testing.T, name, reason, message string) {
	t.Helper()
	eventually(t, "policy "+name+" to be "+reason, func() bool {
		got := f.must(t, "get", "policy.lintel.dev", name, "-o", "jsonpath={.status.conditions[0].reason} {.status.conditions[0].message}")
		return strings.HasPrefix(got, reason+" ") && strings.Contains(got, message)
	})
}

// dryRun creates an object in a dry run.
func (f *fleet) dryRun(t *testing.T, object string) (stdout, stderr string, code int) {
	t.Helper()
	return f.Kubectl(t.Context(), strings.NewReader(object), "create", "--dry-run=server", "-f", "-")
}

// testRemoved removes it as docs/install.md has it.
func testRemoved(t *testing.T, f *fleet) {
	f.must(t, "delete", "clusterrole", "lintel")
	f.must(t, "wait", "--for=delete", "validatingwebhookconfiguration/lintel", "mutatingwebhookconfiguration/lintel", "--timeout=60s")
	f.must(t, "delete", "-f", manifest, "--ignore-not-found", "--timeout=60s")
	f.must(t, "delete", "-f", crds, "--timeout=60s")
	f.nothingLeft(t)
}

// nothingLeft checks that the cluster is as before Lintel, and lets everything in.
func (f *fleet) nothingLeft(t *testing.T) {
	t.Helper()
	left := f.must(t, "get", "-f", manifest, "-f", crds, "--ignore-not-found", "-o", "name") +
		f.must(t, "get", "validatingwebhookconfigurations,mutatingwebhookconfigurations", "-o", "name")
	if left != "" {
		t.Errorf("of the installation is left:\n%s", left)
	}
	if _, stderr, code := f.dryRun(t, broken); code != 0 || stderr != "" {
		t.Errorf("a cluster without Lintel: exit code %d\n%s", code, stderr)
	}
}

// judging is the registration of what is judged, without the entry that checks
// Lintel's own objects.
func (f *fleet) judging(t *testing.T) string {
	t.Helper()
	var lines []string
	for line := range strings.Lines(f.registration(t, "validatingwebhookconfiguration")) {
		if !strings.HasPrefix(line, "own.lintel.dev ") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

// registration returns a line for each entry: its name, what becomes of requests
// when nobody answers, the Service that is called, and one for who owns all of it.
func (f *fleet) registration(t *testing.T, kind string) string {
	t.Helper()
	return f.must(t, "get", kind, "lintel", "-o", "jsonpath={range .webhooks[*]}"+
		"{.name} {.failurePolicy} {.clientConfig.service.namespace}/{.clientConfig.service.name}{\"\\n\"}{end}"+
		"{range .metadata.ownerReferences[*]}owned by {.kind}/{.name}{\"\\n\"}{end}")
}

// leaders returns the replicas that say of themselves that they lead.
func (f *fleet) leaders() []int {
	var leaders []int
	for n := range f.replicas {
		if strings.Contains(page("http://"+addressOf(n)+":8080/metrics"), "\nlintel_leader 1\n") {
			leaders = append(leaders, n)
		}
	}
	return leaders
}

// TestLeaderGoes holds that another replica leads when the leader has gone, in
// order or by a crash, and that the registration is kept up.
func TestLeaderGoes(t *testing.T) {
	f := install(t, denying)
	f.startAll(t, "--lame-duck=1s")
	for _, end := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		eventually(t, "a leader", func() bool { return len(f.leaders()) == 1 })
		leader := f.leaders()[0]
		if end == syscall.SIGTERM {
			must(t, f.replicas[leader].Stop())
		} else {
			f.replicas[leader].Kill()
		}
		delete(f.replicas, leader)
		eventually(t, "another leader", func() bool { return len(f.leaders()) == 1 })
		f.must(t, "patch", "validatingwebhookconfiguration", "lintel", "--type=json",
			`-p=[{"op": "replace", "path": "/webhooks/0/timeoutSeconds", "value": 29}]`)
		eventually(t, "the new leader to put right what was edited", func() bool {
			return f.must(t, "get", "validatingwebhookconfiguration", "lintel", "-o", "jsonpath={.webhooks[0].timeoutSeconds}") == "3"
		})
	}
}
