package main

import (
	"context"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// An operator runs `lintel breakglass` with rights of their own.
type operator struct{ kubeconfig string }

const bothKinds = "validatingwebhookconfigurations,mutatingwebhookconfigurations"

// newOperator makes a user who may do something to webhook configurations.
func newOperator(t *testing.T, name, verbs, kinds string) operator {
	t.Helper()
	kubeconfig, err := shared.Cluster(t).KubeconfigFor(name)
	must(err)
	if verbs == "" {
		return operator{kubeconfig}
	}
	permit(t, "create", "clusterrole", name, "--verb="+verbs, "--resource="+kinds, "--resource-name=lintel")
	permit(t, "create", "clusterrolebinding", name, "--clusterrole="+name, "--user="+name)
	t.Cleanup(func() {
		shared.Cluster(t).Kubectl(context.WithoutCancel(t.Context()), nil, "delete", "clusterrole/"+name, "clusterrolebinding/"+name)
	})
	return operator{kubeconfig}
}

// times are those of the clock, which tests cannot know.
var times = regexp.MustCompile(`20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ`)

// breakglass runs the command and returns its exit code and both streams, in which
// TIME stands for times and HOST for the cluster.
func (o operator) breakglass(t *testing.T, args ...string) (int, string, string) {
	t.Helper()
	var stdout, stderr strings.Builder
	code := run(t.Context(), append([]string{"lintel", "breakglass", "--kubeconfig", o.kubeconfig}, args...), streams{strings.NewReader(""), &stdout, &stderr})
	out := strings.ReplaceAll(times.ReplaceAllString(stdout.String(), "TIME"), shared.Cluster(t).Config().Host, "HOST")
	return code, out, stderr.String()
}

// says holds the command to what it says, and to succeeding.
func (o operator) says(t *testing.T, want string, args ...string) {
	t.Helper()
	code, stdout, stderr := o.breakglass(t, args...)
	if diff := cmp.Diff(want, stdout); diff != "" || code != exitClean || stderr != "" {
		t.Errorf("lintel breakglass %q: %d, %q\n-want, +got:\n%s", args, code, stderr, diff)
	}
}

// unregister removes what a killed Lintel has left.
func unregister(t *testing.T) {
	t.Helper()
	shared.Cluster(t).Kubectl(context.WithoutCancel(t.Context()), nil, "delete", "--ignore-not-found", bothKinds, "lintel")
}

// TestBreakglass opens the gate of a Lintel that is dead and fails closed, by rights to
// just that, and has the next Lintel close it in time.
func TestBreakglass(t *testing.T) {
	jane := newOperator(t, "jane", "get,patch", bothKinds)
	s := serve(t, "--fail-closed")
	t.Cleanup(func() { unregister(t) })
	create(t, orphan, "owner is missing") // a first review
	if !comesTrue(func() bool {
		return registrations(t, "jsonpath={.items[*].webhooks[*].failurePolicy}") == "Fail Ignore Ignore"
	}) {
		t.Fatal("it does not fail closed")
	}
	must(s.cmd.Process.Kill())
	const refused = `failed calling webhook "deny.lintel.dev"`
	create(t, mended, refused)
	before := registrations(t, "jsonpath={.items[*].webhooks}")

	const closed = "cluster HOST\nValidatingWebhookConfiguration lintel: closed: 2 entries are asked\n" +
		"MutatingWebhookConfiguration lintel: closed: 1 entry is asked\n"
	const open = "cluster HOST\nValidatingWebhookConfiguration lintel: open: none of its entries is asked\n  until   TIME\n  reason  INC-1: all down\n  by      jane\n" +
		"MutatingWebhookConfiguration lintel: open: none of its entries is asked\n  until   TIME\n  reason  INC-1: all down\n  by      jane\n"
	jane.says(t, closed)
	jane.says(t, open+"to close it before: lintel breakglass --end\n", "--for", "1h", "--reason", "INC-1: all down")
	create(t, mended, `"name": "mended"`)
	create(t, strings.Replace(mended, `"owner"`, `"lintel.dev/breakglass": "", "owner"`, 1), `"name": "mended"`) // no label is held up
	jane.says(t, open, "--status")
	jane.says(t, closed, "--end")
	create(t, mended, refused)
	if got := registrations(t, "jsonpath={.items[*].webhooks}"); got != before {
		t.Errorf("-before, +after the gate was open:\n%s", cmp.Diff(before, got))
	}

	jane.says(t, open+"to close it before: lintel breakglass --end\n", "--for", "5s", "--reason", "INC-1: all down")
	s = serveUntil(t, "the glass is whole again", owners(t), "--fail-closed")
	create(t, orphan, "owner is missing")
	s.end(t, syscall.SIGTERM)
	events := kubectl(t, "", "get", "events", "--field-selector=involvedObject.name=lintel,involvedObject.kind=ValidatingWebhookConfiguration",
		"-o", `jsonpath={range .items[*]}{.reason}: {.message}{"\n"}{end}`)
	for _, want := range []string{
		"BreakglassOpened: The gate is open until TIME. By: jane. Reason: INC-1: all down\n",
		"BreakglassEnded: The time is over. The gate was seen open at TIME. By: jane. Reason: INC-1: all down\n",
	} {
		if !strings.Contains(times.ReplaceAllString(events, "TIME"), want) {
			t.Errorf("Events: %q is not among\n%s", want, events)
		}
	}
}

// TestBreakglassOfOne opens what there is, and says so.
func TestBreakglassOfOne(t *testing.T) {
	admin := operator{shared.Cluster(t).Kubeconfig()}
	const nothing = `lintel: there is no webhook configuration "lintel" in the cluster: nothing of Lintel's stands in the way, and nothing could be recorded` + "\n"
	if code, _, stderr := admin.breakglass(t, "--reason", "r"); code != exitUntold || stderr != nothing {
		t.Errorf("with nothing registered: %d %q, want %d %q", code, stderr, exitUntold, nothing)
	}
	t.Cleanup(func() { unregister(t) })
	kubectl(t, `{"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration", "metadata": {"name": "lintel"}, "webhooks": []}`, "create", "-f", "-")
	admin.says(t, "cluster HOST\nValidatingWebhookConfiguration lintel: is not there, so nothing of it is asked\n"+
		"MutatingWebhookConfiguration lintel: open: it has no entries\n  until   TIME\n  reason  r\n  by      kubernetes-admin\n"+
		"to close it before: lintel breakglass --end\n", "--reason", "r")
}

// TestBreakglassWithoutPermission says which right is missing.
func TestBreakglassWithoutPermission(t *testing.T) {
	t.Cleanup(func() { unregister(t) })
	kubectl(t, `{"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration", "metadata": {"name": "lintel"}, "webhooks": []}`, "create", "-f", "-")
	const needed = "\nlintel: it takes the verbs \"get\" and \"patch\" on both webhook configurations \"lintel\"\n"
	cases := map[string]struct {
		reason, verbs, kinds, want string
		opened                     bool // one of the two
	}{
		"Nothing": {
			reason: "Who may not read cannot know what to open.",
			want:   `User "glass-nothing" cannot get resource "mutatingwebhookconfigurations" in API group "admissionregistration.k8s.io" at the cluster scope`,
		},
		"ReadOnly": {
			reason: "Who may read alone cannot open.", verbs: "get", kinds: bothKinds,
			want: `lintel: patch MutatingWebhookConfiguration "lintel": mutatingwebhookconfigurations.admissionregistration.k8s.io "lintel" is forbidden: ` +
				`User "glass-readonly" cannot patch resource "mutatingwebhookconfigurations" in API group "admissionregistration.k8s.io" at the cluster scope`,
		},
		"OneOfTwo": {
			reason: "What can be opened is.", verbs: "get,patch", kinds: "mutatingwebhookconfigurations", opened: true,
			want: `User "glass-oneoftwo" cannot get resource "validatingwebhookconfigurations" in API group "admissionregistration.k8s.io" at the cluster scope`,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			o := newOperator(t, "glass-"+strings.ToLower(name), tc.verbs, tc.kinds)
			code, stdout, stderr := o.breakglass(t, "--reason", "r")
			if code != exitUntold || !strings.Contains(stderr, tc.want) || !strings.Contains(stderr, needed) {
				t.Errorf("%s\ngot %d and\n%s\nwant %d and\n%s", tc.reason, code, stderr, exitUntold, tc.want+needed)
			}
			if strings.Contains(stdout, "to close it before") != tc.opened {
				t.Errorf("%s\nopened: want %t:\n%s", tc.reason, tc.opened, stdout)
			}
		})
	}
}
