package engine_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
)

// now is the time of every request that says nothing else.
var now = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// metadataOf is the METADATA of a test policy that matches Deployments.
const metadataOf = `# METADATA
# title: Test
# custom:
#   severity: high
#   match:
#     kinds: [{apiGroups: [apps], kinds: [Deployment]}]
`

// policy returns a policy with rules behind METADATA that matches Deployments.
func policy(name, rules string) engine.Policy {
	return policyWith(name, metadataOf, rules)
}

func policyWith(name, metadata, rules string) engine.Policy {
	source := metadata + "package lintel." + strings.ReplaceAll(name, "-", "_") + "\n\n" + rules
	return engine.Policy{Name: name, Origin: name + ".rego", Modules: []v1alpha1.Module{{Name: name + ".rego", Rego: source}}}
}

// compile returns the Set of cfg, which must compile.
func compile(t testing.TB, cfg engine.Config) *engine.Set {
	t.Helper()
	set, err := engine.Compile(cfg)
	if err != nil {
		t.Fatalf("Compile(...): %v", err)
	}
	return set
}

func setOf(t testing.TB, policies ...engine.Policy) *engine.Set {
	t.Helper()
	return compile(t, engine.Config{Policies: policies})
}

// object is what tests write objects as.
type object = map[string]any

// deployment returns a Deployment whose spec is given.
func deployment(spec object) object {
	return object{
		"apiVersion": "apps/v1", "kind": "Deployment",
		"metadata": object{"name": "web", "namespace": "shop"},
		"spec":     spec,
	}
}

// An ask is an AdmissionRequest to be; what is empty is filled in as for the
// creation of a Deployment by a person.
type ask struct {
	operation            string
	group, version, kind string
	resource, sub        string
	object, old          object
	user                 string
	namespace            string
	labels               map[string]string // of the namespace
	at                   time.Time
}

func (a ask) json(t testing.TB) []byte {
	t.Helper()
	or := func(s, d string) string {
		if s == "" {
			return d
		}
		return s
	}
	kind := object{"group": or(a.group, "apps"), "version": or(a.version, "v1"), "kind": or(a.kind, "Deployment")}
	if a.group == "core" {
		kind["group"] = ""
	}
	request := object{
		"uid": "u-1", "operation": or(a.operation, "CREATE"), "kind": kind,
		"resource":    object{"group": kind["group"], "version": kind["version"], "resource": or(a.resource, strings.ToLower(kind["kind"].(string))+"s")},
		"subResource": a.sub, "namespace": or(a.namespace, "shop"), "name": "web",
		"userInfo": object{"username": or(a.user, "jane")}, "object": a.object, "oldObject": a.old,
	}
	if meta, ok := a.object["metadata"].(object); ok {
		request["name"] = meta["name"]
	}
	if a.resource == "deployments" {
		request["resource"] = object{"group": "apps", "version": "v1", "resource": "deployments"}
	}
	if a.namespace == "-" {
		delete(request, "namespace")
	}
	data, err := json.Marshal(object{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request})
	if err != nil {
		t.Fatalf("encode the request: %v", err)
	}
	return data
}

// request returns the request that a stands for.
func (a ask) request(t testing.TB) *engine.Request {
	t.Helper()
	req, err := engine.Decode(a.json(t))
	if err != nil {
		t.Fatalf("Decode(...): %v", err)
	}
	at := a.at
	if at.IsZero() {
		at = now
	}
	ns := object{"apiVersion": "v1", "kind": "Namespace", "metadata": object{"name": req.Namespace(), "labels": a.labels}}
	return req.At(at).In(objectOf(t, ns))
}

func objectOf(t testing.TB, o object) *engine.Object {
	t.Helper()
	data, err := json.Marshal(o)
	if err != nil {
		t.Fatalf("encode the object: %v", err)
	}
	decoded, err := engine.DecodeObject(data)
	if err != nil {
		t.Fatalf("DecodeObject(...): %v", err)
	}
	return decoded
}

// review returns what set decides about a.
func review(t testing.TB, set *engine.Set, a ask) *engine.Decision {
	t.Helper()
	d, err := set.Review(t.Context(), a.request(t), nil)
	if err != nil {
		t.Fatalf("Review(...): %v", err)
	}
	return d
}

// summary returns a line for each violation and error: the enforcement, the
// policy, the path and the message.
func summary(d *engine.Decision) []string {
	lines := []string{}
	for _, v := range d.Violations {
		line := fmt.Sprintf("%s %s %s: %s", v.Enforcement, v.Policy, v.Path, v.Message)
		if v.Existing {
			line += " (existing)"
		}
		if v.Controlled {
			line += " (controlled)"
		}
		lines = append(lines, line)
	}
	for _, e := range d.Errors {
		lines = append(lines, fmt.Sprintf("error %s %s: %v", e.OnError, e.Policy, e.Err))
	}
	return lines
}

// with returns a copy of o with more keys.
func with(o object, more object) object {
	c := maps.Clone(o)
	maps.Copy(c, more)
	return c
}

func timeAt(t time.Time) metav1.Time { return metav1.NewTime(t) }
