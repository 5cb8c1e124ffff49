package main

import (
	"encoding/json"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lintel-policy/lintel/doctor"
)

// nowhere is what is said of a cluster without Lintel.
const nowhere = `problem: CustomResourceDefinition policies.lintel.dev: is not there
  why: replicas read policies from the cluster, and do not start without
  mend: kubectl apply -f crds

problem: CustomResourceDefinition policyexceptions.lintel.dev: is not there
  why: replicas read policies from the cluster, and do not start without
  mend: kubectl apply -f crds

problem: Deployment lintel-system/lintel: is not there
  why: nobody judges anything; is Lintel in another namespace, name it with -n
  mend: kubectl apply -f install.yaml

problem: ValidatingWebhookConfiguration lintel: is not there
  why: the API server asks nobody
  mend: kubectl -n lintel-system logs -l app.kubernetes.io/name=lintel --tail=200 | grep -i regist

problem: MutatingWebhookConfiguration lintel: is not there
  why: the API server asks nobody
  mend: kubectl -n lintel-system logs -l app.kubernetes.io/name=lintel --tail=200 | grep -i regist

not seen:
  what Lintel's account may do: its name is not known: give it with --account

5 problems in namespace lintel-system
`

// runDoctor returns what lintel doctor says.
func runDoctor(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs strings.Builder
	code = run(t.Context(), append([]string{"lintel", "doctor"}, args...), streams{strings.NewReader(""), &out, &errs})
	return code, out.String(), errs.String()
}

// TestDoctor has a cluster looked at that has no Lintel, and then one behind a Lintel
// that runs outside of it.
func TestDoctor(t *testing.T) {
	admin := shared.Cluster(t).Kubeconfig()
	code, stdout, stderr := runDoctor(t, "--kubeconfig", admin)
	if diff := cmp.Diff(nowhere, stdout); diff != "" || code != exitDenied || stderr != "" {
		t.Errorf("without Lintel: exit code %d, %q, -want, +got:\n%s", code, stderr, diff)
	}

	define(t)
	kubectl(t, ownedPolicy(t, owned, ""), "apply", "-f", "-")
	s := serveFrom(t, "cluster", "--fail-closed")
	create(t, orphan, "denied the request")
	if !comesTrue(func() bool {
		return registrations(t, `jsonpath={.items[*].webhooks[?(@.name=="deny.lintel.dev")].failurePolicy}`) == "Fail"
	}) {
		t.Fatal("it does not fail closed")
	}
	code, stdout, stderr = runDoctor(t, "--kubeconfig", admin, "-o", "json")
	var r doctor.Report
	must(json.Unmarshal([]byte(stdout), &r))
	want := doctor.Report{Namespace: "lintel-system", Findings: []doctor.Finding{}, Unseen: []doctor.Unseen{
		{What: "what Lintel's account may do", Why: "its name is not known: give it with --account"},
	}}
	if diff := cmp.Diff(want, r); diff != "" || code != exitClean || stderr != "" {
		t.Errorf("behind Lintel: exit code %d, %q, -want, +got:\n%s", code, stderr, diff)
	}
	kubectl(t, "", "create", "clusterrolebinding", "doctor", "--clusterrole=view", "--user=robot")
	defer kubectl(t, "", "delete", "clusterrolebinding", "doctor")
	_, stdout, _ = runDoctor(t, "--kubeconfig", admin, "--account", "robot")
	for _, want := range []string{
		"problem: User robot: may not get, list, watch namespaces\n",
		"  - apiGroup: rbac.authorization.k8s.io\n      kind: User\n      name: robot\n",
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("of another account: %q is not in\n%s", want, stdout)
		}
	}
	s.end(t, syscall.SIGTERM)
}

// TestDoctorBlind holds that a cluster in which nothing may be seen is not taken for a
// healthy one, and that what is not seen is said all the same.
func TestDoctorBlind(t *testing.T) {
	stranger, err := shared.Cluster(t).KubeconfigFor("passer-by")
	must(err)
	code, stdout, stderr := runDoctor(t, "--kubeconfig", stranger)
	want := "lintel: you may read neither the Deployment nor the registration, so nothing is known\n"
	if code != exitUntold || stderr != want || !strings.HasPrefix(stdout, "not seen:\n  the Deployment: ") || !strings.HasSuffix(stdout, "\n\nnothing is wrong with what was seen in namespace lintel-system\n") {
		t.Errorf("exit code %d, %q, %q", code, stdout, stderr)
	}
}

// TestDoctorCannotLook holds that what could not be looked at is not healthy.
func TestDoctorCannotLook(t *testing.T) {
	for what, args := range map[string][]string{
		"format":  {"-o", "yaml"},
		"file":    {"--kubeconfig", "nowhere"},
		"name":    {"-n", "Not/A/Name"},
		"account": {"--account"},
		"word":    {"now"},
	} {
		if code, stdout, stderr := runDoctor(t, args...); code != exitUntold || stdout != "" || !strings.HasPrefix(stderr, "lintel: ") {
			t.Errorf("%s: exit code %d, %q, %q", what, code, stdout, stderr)
		}
	}
}
