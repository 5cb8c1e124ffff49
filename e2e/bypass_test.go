package e2e_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// wellPod is a pod that keeps all policies, as JSON with room for more in its
// spec and beside it.
func wellPod(name, more, spec string) string {
	return `{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "` + name + `", "labels": {"service": "shop"}}` + more +
		`, "spec": {"containers": [` + wellContainer("registry.example.com/a") + `]` + spec + `}}`
}

// wellContainer is a container that keeps all policies, if the image does.
func wellContainer(image string) string {
	return `{"name": "a", "image": "` + image + `", "livenessProbe": {"tcpSocket": {"port": 80}}, "readinessProbe": {"tcpSocket": {"port": 80}},` +
		` "resources": {"limits": {"cpu": "1", "memory": "1Mi"}}}`
}

// TestOtherContainers holds the containers that are easily forgotten to the same.
func TestOtherContainers(t *testing.T) {
	s := newStage(t, "other-containers")
	s.guard(t, testdata("policies"))
	const limits = `"resources": {"limits": {"cpu": "1", "memory": "1Mi"}}`
	cases := map[string]struct {
		reason string
		spec   string
		want   []string // lines of the denial begin so
	}{
		"Init": {
			reason: "An init container needs cpu and memory, but no probes.",
			spec:   `, "initContainers": [{"name": "init", "image": "evil/x"}]`,
			want: []string{
				"images  spec.initContainers[0].image (init)",
				"resources  spec.initContainers[0].resources.limits.memory (init)",
				"resources  spec.initContainers[0].resources.requests.cpu (init)",
				"resources  spec.initContainers[0].resources.requests.memory (init)",
			},
		},
		"Sidecar": {
			reason: "An init container that keeps running needs probes.",
			spec:   `, "initContainers": [{"name": "side", "image": "registry.example.com/a", "restartPolicy": "Always", ` + limits + `}]`,
			want:   []string{"probes  spec.initContainers[0] (side): no liveness", "probes  spec.initContainers[0] (side): no readiness"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			pod := wellPod(strings.ToLower(name), "", tc.spec)
			begins(t, tc.reason, s.kubectlWith(t, pod, "create", "-f", "-").denied(t, tc.reason).lines, tc.want)
		})
	}
	t.Run("Ephemeral", func(t *testing.T) {
		s.kubectlWith(t, wellPod("debugged", "", ""), "create", "-f", "-").admitted(t, "The pod itself keeps all policies.")
		reason := "A container that is added later, to debug, is asked about too."
		d := s.kubectl(t, "debug", "debugged", "--image=evil/debug", "--container=debug", "--attach=false", "--profile=general").denied(t, reason)
		begins(t, reason, d.lines, []string{"images  spec.ephemeralContainers[0].image (debug)"})
		r := s.kubectl(t, "debug", "debugged", "--image=registry.example.com/debug", "--container=debug", "--attach=false", "--profile=general")
		if r.code != 0 {
			t.Errorf("a good container to debug with is refused:\n%s", r.stderr)
		}
	})
	t.Run("Status", func(t *testing.T) {
		reason := "The labels of a pod can be changed through its status."
		d := s.kubectl(t, "patch", "pod", "debugged", "--subresource=status", "--type=merge", "-p", `{"metadata": {"labels": {"service": null}}}`).
			denied(t, reason)
		begins(t, reason, d.lines, []string{"required-labels  metadata.labels.service"})
	})
}

// begins holds lines to begin as wanted, one by one.
func begins(t *testing.T, reason string, lines, want []string) {
	t.Helper()
	same := slices.EqualFunc(lines, want, strings.HasPrefix)
	if !same {
		t.Errorf("%s\ngot the lines\n%s\nwant them to begin with\n%s", reason, strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
}

// TestKeys sends keys that are there twice, or in another case, which decoders
// take differently: the verdict is on what the API server stores.
func TestKeys(t *testing.T) {
	s := newStage(t, "keys")
	s.guard(t, testdata("policies"))
	good, evil := `[`+wellContainer("registry.example.com/a")+`]`, `[`+wellContainer("evil/x")+`]`
	cases := map[string]struct {
		reason string
		spec   string
		want   string // image that is stored; empty: it is denied
	}{
		"OtherCaseLast":  {"Another case is another key, which the API server drops.", `"containers": ` + good + `, "Containers": ` + evil, "registry.example.com/a"},
		"OtherCaseFirst": {"The order makes no difference.", `"Containers": ` + evil + `, "containers": ` + good, "registry.example.com/a"},
		"EvilLast":       {"A good list under another case hides nothing.", `"Containers": ` + good + `, "containers": ` + evil, ""},
		"EvilFirst":      {"Nor in the other order.", `"containers": ` + evil + `, "Containers": ` + good, ""},
		"TwiceGoodLast":  {"Of a key that is there twice the last counts.", `"containers": ` + evil + `, "containers": ` + good, "registry.example.com/a"},
		"TwiceEvilLast":  {"The first does not count.", `"containers": ` + good + `, "containers": ` + evil, ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			pod := `{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "` + strings.ToLower(name) + `", "labels": {"service": "shop"}}, "spec": {` + tc.spec + `}}`
			code, answer := s.send(t, http.MethodPost, "/api/v1/namespaces/keys/pods?fieldValidation=Ignore", "application/json", pod)
			if tc.want == "" {
				message, _ := answer["message"].(string)
				if code != http.StatusForbidden || !strings.Contains(message, `image "evil/x" is from elsewhere`) {
					t.Errorf("%s\ngot status %d, %q, want 403 and that the image is from elsewhere", tc.reason, code, message)
				}
				return
			}
			if code != http.StatusCreated {
				t.Fatalf("%s\ngot status %d, want 201: %v", tc.reason, code, answer)
			}
			if got := at(s.get(t, "pod/"+strings.ToLower(name)), "spec", "containers", 0, "image"); got != tc.want {
				t.Errorf("%s\nstored is image %q, want %q", tc.reason, got, tc.want)
			}
		})
	}
	t.Run("File", func(t *testing.T) {
		r := run(t, built.Path(t), "check", testdata("keys", "duplicate.yaml"))
		if want := "lintel: testdata/keys/duplicate.yaml:13: "; r.code != 2 || !strings.HasPrefix(r.stderr, want) {
			t.Errorf("lintel check: got exit code %d, want 2 and the line of the key that is there twice, %q:\n%s", r.code, want, r.stderr)
		}
	})
}

// TestUnseen holds that policies see neither who manages which field nor, of a
// Secret, what is secret.
func TestUnseen(t *testing.T) {
	s := newStage(t, "unseen")
	s.must(t, "create", "secret", "generic", "told", "--from-literal=password=hunter2", "--save-config")
	s.guard(t, testdata("policies"))
	stored := s.must(t, "get", "secret", "told", "-o", "json", "--show-managed-fields")
	for _, part := range []string{`"data"`, `"managedFields"`, `last-applied-configuration"`} {
		if !strings.Contains(stored, part) {
			t.Fatalf("the API server does not keep %s, which is to be unseen:\n%s", part, stored)
		}
	}
	d := s.kubectl(t, "label", "secret", "told", "tell=all").denied(t, "The policy denies, and tells what it sees.")
	want := []string{"seen  metadata: apiVersion, kind, metadata, metadata.annotations, metadata.creationTimestamp, metadata.labels, " +
		"metadata.labels.tell, metadata.name, metadata.namespace, metadata.resourceVersion, metadata.uid, type"}
	if diff := cmp.Diff(want, d.lines); diff != "" {
		t.Errorf("policies see: -want, +got:\n%s", diff)
	}
}
