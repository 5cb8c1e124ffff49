package engine_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
)

// noReplicas denies a Deployment without replicas.
const noReplicas = `violation contains {"msg": "no replicas", "path": ["spec", "replicas"]} if not input.review.object.spec.replicas`

func TestReview(t *testing.T) {
	cases := map[string]struct {
		reason   string
		policies []engine.Policy
		ask      ask
		want     []string
	}{
		"Clean": {
			reason:   "What no rule complains of is admitted.",
			policies: []engine.Policy{policy("a", noReplicas)},
			ask:      ask{object: deployment(object{"replicas": 1})},
			want:     []string{},
		},
		"EveryViolationInOrder": {
			reason: "Worst first, then by policy, path and message; indexes are numbers and exact repeats are dropped.",
			policies: []engine.Policy{
				policy("b", `violation contains {"msg": "m", "path": ["l", 10]}
violation contains {"msg": "m", "path": ["l", 9]}
violation contains {"msg": "a", "path": ["l", 9]}`),
				policyWith("c", strings.Replace(metadataOf, "high", "critical", 1), `violation contains {"msg": "worst"}`),
				policy("a", `violation := [{"msg": "twice", "path": []}, {"msg": "twice"}]`),
			},
			ask: ask{object: deployment(object{})},
			want: []string{
				"deny c : worst", "deny a : twice", "deny b l[9]: a", "deny b l[9]: m", "deny b l[10]: m",
			},
		},
		"BuiltinErrorIsNoPermission": {
			reason:   "A function that fails makes a rule undefined; that is an error and never an approval.",
			policies: []engine.Policy{policy("a", `violation contains {"msg": "m"} if 1 / input.review.object.spec.zero > 1`)},
			ask:      ask{object: deployment(object{"zero": 0})},
			want:     []string{"error deny a: eval_builtin_error at a.rego:9"},
		},
		"ConflictIsNoPermission": {
			reason:   "Rules that contradict each other decide nothing.",
			policies: []engine.Policy{policy("a", "violation := [{\"msg\": \"x\"}] if true\nviolation := [] if input.review.object.kind")},
			ask:      ask{object: deployment(object{})},
			want:     []string{"error deny a: eval_conflict_error at a.rego:10"},
		},
		"UndefinedIsNoPermission": {
			reason:   "A rule without a value decides nothing.",
			policies: []engine.Policy{policy("a", `violation := [] if input.review.object.kind == "x"`)},
			ask:      ask{object: deployment(object{})},
			want:     []string{"error deny a: the rule is undefined"},
		},
		"NoMessage": {
			reason:   "A result that says nothing is a mistake in the policy.",
			policies: []engine.Policy{policy("a", `violation contains {"message": "x"}`)},
			ask:      ask{object: deployment(object{})},
			want:     []string{"error deny a: violation: a result has no msg"},
		},
		"BadPath": {
			reason:   "A path that is none is a mistake in the policy.",
			policies: []engine.Policy{policy("a", `violation contains {"msg": "x", "path": "spec.replicas"}`)},
			ask:      ask{object: deployment(object{})},
			want:     []string{"error deny a: violation: path is not a list of keys and indexes"},
		},
		"ErrorsStayWithTheirPolicy": {
			reason: "One broken policy does not keep the others from deciding.",
			policies: []engine.Policy{
				policy("a", `violation contains {"msg": "m"} if 1 / 0 > 1`),
				policy("b", noReplicas),
			},
			ask:  ask{object: deployment(object{})},
			want: []string{"deny b spec.replicas: no replicas", "error deny a: eval_builtin_error at a.rego:9"},
		},
		"OtherKindsDoNotMatch": {
			reason:   "A policy is asked only about what it matches.",
			policies: []engine.Policy{policy("a", `violation contains {"msg": "m"}`)},
			ask:      ask{kind: "StatefulSet", object: object{}},
			want:     []string{},
		},
		"DeleteIsNotTheDefault": {
			reason:   "Deletions are matched by policies that say so.",
			policies: []engine.Policy{policy("a", `violation contains {"msg": "m"}`)},
			ask:      ask{operation: "DELETE", old: deployment(object{})},
			want:     []string{},
		},
		"DeleteCollection": {
			reason:   "An item of a collection that is deleted has no name and no object, only the old one.",
			policies: []engine.Policy{policyWith("a", metadataOf+"#     operations: [DELETE]\n", `violation contains {"msg": input.review.oldObject.kind}`)},
			ask:      ask{operation: "DELETE", old: deployment(object{})},
			want:     []string{"deny a : Deployment"},
		},
		"ScaleOfADeployment": {
			reason:   "Kinds name the object that owns the subresource, whose own kind is another.",
			policies: []engine.Policy{policyWith("a", metadataOf+"#     subresources: [\"\", scale]\n", `violation contains {"msg": input.review.object.kind}`)},
			ask:      ask{group: "autoscaling", kind: "Scale", resource: "deployments", sub: "scale", object: object{"kind": "Scale"}},
			want:     []string{"deny a : Scale"},
		},
		"OtherSubresourcesDoNotMatch": {
			reason:   "The object itself is the only subresource unless the policy names others.",
			policies: []engine.Policy{policy("a", `violation contains {"msg": "m"}`)},
			ask:      ask{group: "autoscaling", kind: "Scale", resource: "deployments", sub: "scale", object: object{}},
			want:     []string{},
		},
		"ExcludedNamespace": {
			reason:   "A cluster that cannot start its own pods is no cluster.",
			policies: []engine.Policy{policy("a", `violation contains {"msg": "m"}`)},
			ask:      ask{namespace: "kube-system", object: deployment(object{})},
			want:     []string{},
		},
		"ExemptByExactNameOnly": {
			reason:   "A namespace that is called like an excluded one is not excluded.",
			policies: []engine.Policy{policy("a", `violation contains {"msg": "m"}`)},
			ask:      ask{namespace: "kube-system-2", object: deployment(object{})},
			want:     []string{"deny a : m"},
		},
		"APIServer": {
			reason:   "The API server's own objects are never held up.",
			policies: []engine.Policy{policy("a", `violation contains {"msg": "m"}`)},
			ask:      ask{user: "system:apiserver", object: deployment(object{})},
			want:     []string{},
		},
		"NeverMatched": {
			reason: "Leases keep the control plane alive, whatever a policy says.",
			policies: []engine.Policy{policyWith("a", strings.NewReplacer("[apps]", `["*"]`, "[Deployment]", `["*"]`).Replace(metadataOf),
				`violation contains {"msg": "m"}`)},
			ask:  ask{group: "coordination.k8s.io", kind: "Lease", object: object{}},
			want: []string{},
		},
		"OwnObjects": {
			reason: "Who puts a policy right is not held up by that policy.",
			policies: []engine.Policy{policyWith("a", strings.NewReplacer("[apps]", `["*"]`, "[Deployment]", `["*"]`).Replace(metadataOf),
				`violation contains {"msg": "m"}`)},
			ask:  ask{group: "lintel.dev", kind: "Policy", resource: "policies", object: object{}},
			want: []string{},
		},
		"Wildcards": {
			reason: "A policy may match all kinds of all groups.",
			policies: []engine.Policy{policyWith("a", strings.NewReplacer("[apps]", `["*"]`, "[Deployment]", `["*"]`).Replace(metadataOf),
				`violation contains {"msg": "m"}`)},
			ask:  ask{group: "x.example.com", kind: "Thing", object: object{}},
			want: []string{"deny a : m"},
		},
		"OtherVersion": {
			reason: "A policy that names a version sees no other shape.",
			policies: []engine.Policy{policyWith("a", strings.Replace(metadataOf, "kinds: [Deployment]", "kinds: [Deployment], versions: [v2]", 1),
				`violation contains {"msg": "m"}`)},
			ask:  ask{object: deployment(object{})},
			want: []string{},
		},
		"ControllersAreRecorded": {
			reason:   "What a workload's controller makes is recorded: people were told about the workload.",
			policies: []engine.Policy{policy("a", `violation contains {"msg": "m"}`)},
			ask:      ask{user: "system:serviceaccount:kube-system:deployment-controller", object: deployment(object{})},
			want:     []string{"dryrun a : m (controlled)"},
		},
		"ControllersAreHeld": {
			reason:   "A policy about privileges holds controllers too.",
			policies: []engine.Policy{policyWith("a", metadataOf+"#   controlled: deny\n", `violation contains {"msg": "m"}`)},
			ask:      ask{user: "system:serviceaccount:kube-system:deployment-controller", object: deployment(object{})},
			want:     []string{"deny a : m"},
		},
		"ControllersByExactName": {
			reason:   "An account of that name in another namespace is nobody.",
			policies: []engine.Policy{policy("a", `violation contains {"msg": "m"}`)},
			ask:      ask{user: "system:serviceaccount:shop:deployment-controller", object: deployment(object{})},
			want:     []string{"deny a : m"},
		},
		"OwnerReferenceAloneProvesNothing": {
			reason:   "Anyone can write an owner into an object.",
			policies: []engine.Policy{policy("a", `violation contains {"msg": "m"}`)},
			ask: ask{object: with(deployment(object{}), object{"metadata": object{"name": "web",
				"ownerReferences": []any{object{"controller": true, "kind": "ReplicaSet", "name": "x", "uid": "1"}}}})},
			want: []string{"deny a : m"},
		},
		"SecretDataIsWithheld": {
			reason: "No policy can repeat what it never sees.",
			policies: []engine.Policy{policyWith("a", strings.NewReplacer("[apps]", `[""]`, "[Deployment]", `[Secret]`).Replace(metadataOf),
				`violation contains {"msg": sprintf("%v", [object.keys(input.review.object)])}`)},
			ask:  ask{group: "core", kind: "Secret", object: object{"apiVersion": "v1", "kind": "Secret", "data": object{"a": "b"}, "stringData": object{}}},
			want: []string{`deny a : {"apiVersion", "kind"}`},
		},
		"ManagedFieldsWhenRead": {
			reason:   "A policy that reads managedFields gets them.",
			policies: []engine.Policy{policy("a", `violation contains {"msg": input.review.object.metadata.managedFields[0].manager}`)},
			ask: ask{object: with(deployment(object{}), object{"metadata": object{"name": "web",
				"managedFields": []any{object{"manager": "kubectl"}}}})},
			want: []string{"deny a : kubectl"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := summary(review(t, setOf(t, tc.policies...), tc.ask))
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s\nReview(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestReviewEnforcement(t *testing.T) {
	always := `violation contains {"msg": sprintf("limit %d", [input.parameters.limit])}`
	metadata := metadataOf + "#   parameters: {type: object, properties: {limit: {type: integer, default: 1}, other: {type: string}}}\n"
	dev := &metav1.LabelSelector{MatchLabels: map[string]string{"environment": "development"}}
	raw := func(s string) *runtime.RawExtension { return &runtime.RawExtension{Raw: []byte(s)} }
	spec := v1alpha1.PolicySpec{
		Enforcement: v1alpha1.Warn,
		Parameters:  raw(`{"limit": 2, "other": "x"}`),
		Stages: []v1alpha1.Stage{
			{From: timeAt(now.Add(2 * time.Hour)), Enforcement: v1alpha1.DryRun},
			{From: timeAt(now.Add(time.Hour)), Enforcement: v1alpha1.Deny},
		},
		Scopes: []v1alpha1.Scope{
			{Users: []string{"robot"}, Enforcement: v1alpha1.Deny, Parameters: raw(`{"limit": 3}`)},
			{NamespaceSelector: dev, Enforcement: v1alpha1.DryRun},
		},
		Exceptions: &v1alpha1.Exceptions{NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"exceptions": "allowed"}}},
	}
	exception := v1alpha1.PolicyException{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "x"},
		Spec: v1alpha1.PolicyExceptionSpec{
			Policies: []string{"a"}, Reason: "r", Owner: "o", Expires: timeAt(now.Add(time.Minute)),
			Objects: v1alpha1.Objects{Kinds: []string{"Deployment"}, Names: []string{"w*"}},
		},
	}
	p := policyWith("a", metadata, always)
	p.Spec = spec
	set := compile(t, engine.Config{Policies: []engine.Policy{p}, Exceptions: []v1alpha1.PolicyException{exception}})

	allowed := map[string]string{"exceptions": "allowed"}
	cases := map[string]struct {
		reason string
		ask    ask
		want   []string
	}{
		"Spec":               {"The Policy's enforcement goes before the METADATA's.", ask{}, []string{"warn a : limit 2"}},
		"BeforeStage":        {"A stage that has not begun does not count.", ask{at: now.Add(time.Hour - 1)}, []string{"warn a : limit 2"}},
		"Stage":              {"A stage begins at its moment.", ask{at: now.Add(time.Hour)}, []string{"deny a : limit 2"}},
		"LatestStage":        {"The latest stage that has begun counts, however they are listed.", ask{at: now.Add(3 * time.Hour)}, []string{"dryrun a : limit 2"}},
		"ScopeByUser":        {"A scope goes before stages, and lays its parameters over the Policy's.", ask{user: "robot", at: now.Add(3 * time.Hour)}, []string{"deny a : limit 3"}},
		"ScopeByExactUser":   {"Users are exact names.", ask{user: "robot2"}, []string{"warn a : limit 2"}},
		"ScopeByNamespace":   {"The namespace's labels select.", ask{labels: dev.MatchLabels}, []string{"dryrun a : limit 2"}},
		"FirstScope":         {"The first scope that matches wins.", ask{user: "robot", labels: dev.MatchLabels}, []string{"deny a : limit 3"}},
		"Exception":          {"An exception excuses its object.", ask{labels: allowed}, []string{}},
		"ExceptionBeforeEnd": {"It counts until it expires.", ask{labels: allowed, at: now.Add(time.Minute - 1)}, []string{}},
		"ExceptionAtEnd":     {"It ends exactly when it expires.", ask{labels: allowed, at: now.Add(time.Minute)}, []string{"warn a : limit 2"}},
		"ExceptionUnallowed": {"It is not honoured where the Policy does not honour any.", ask{}, []string{"warn a : limit 2"}},
		"ExceptionElsewhere": {"It is confined to its own namespace.", ask{labels: allowed, namespace: "other"}, []string{"warn a : limit 2"}},
		"ClusterScoped":      {"Scopes and exceptions never apply outside namespaces.", ask{labels: allowed, user: "robot", namespace: "-"}, []string{"warn a : limit 2"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			tc.ask.object = deployment(object{})
			if diff := cmp.Diff(tc.want, summary(review(t, set, tc.ask))); diff != "" {
				t.Errorf("%s\nReview(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
	t.Run("NamespaceUnknown", func(t *testing.T) {
		req, err := engine.Decode(ask{object: deployment(object{})}.json(t))
		if err != nil {
			t.Fatal(err)
		}
		d, err := set.Review(t.Context(), req.At(now), nil)
		if err != nil {
			t.Fatal(err)
		}
		want := []string{"error allow a: the labels of the namespace are not known"}
		if diff := cmp.Diff(want, summary(d)); diff != "" {
			t.Errorf("A selector that cannot be applied is no answer: -want, +got:\n%s", diff)
		}
	})
}

func TestReviewWithoutTheNamespace(t *testing.T) {
	set := setOf(t,
		policy("a", `violation contains {"msg": "m"} if input.review.namespaceObject.metadata.labels.x`),
		policy("b", noReplicas),
	)
	req, err := engine.Decode(ask{object: deployment(object{})}.json(t))
	if err != nil {
		t.Fatal(err)
	}
	d, err := set.Review(t.Context(), req.At(now), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"deny b spec.replicas: no replicas", "error deny a: the labels of the namespace are not known"}
	if diff := cmp.Diff(want, summary(d)); diff != "" {
		t.Errorf("A policy that reads a namespace nobody knows cannot decide: -want, +got:\n%s", diff)
	}
}

func TestUndecided(t *testing.T) {
	warns := policy("b", noReplicas)
	warns.Spec.Enforcement = v1alpha1.Warn
	set := setOf(t, policy("a", noReplicas), warns)
	got := set.Undecided(ask{object: deployment(object{})}.request(t), errors.New("lost"))
	if diff := cmp.Diff([]string{"error deny a: lost", "error allow b: lost"}, summary(got)); diff != "" {
		t.Errorf("Each policy's onError decides: -want, +got:\n%s", diff)
	}
	got = set.Undecided(ask{namespace: "kube-system", object: deployment(object{})}.request(t), errors.New("lost"))
	if diff := cmp.Diff([]string{}, summary(got)); diff != "" {
		t.Errorf("Nothing is held up in an excluded namespace: -want, +got:\n%s", diff)
	}
}

func TestReviewAnswersInTime(t *testing.T) {
	loop := `violation contains {"msg": "m"} if count([1 | some i in numbers.range(1, 5000); some j in numbers.range(1, 5000); i == j + 10000]) > 0`
	set := setOf(t, policy("a", noReplicas), policy("slow", loop), policy("z", noReplicas))
	const limit = 200 * time.Millisecond
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	req := ask{object: deployment(object{})}.request(t)
	begin := time.Now()
	d, err := set.Review(ctx, req, nil)
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took > 20*limit {
		t.Errorf("Review(...) answered after %v, with a deadline of %v", took, limit)
	}
	want := []string{"deny a spec.replicas: no replicas", "error deny slow: ran out of time", "error deny z: ran out of time"}
	if diff := cmp.Diff(want, summary(d)); diff != "" {
		t.Errorf("What was decided in time counts, the rest is named: -want, +got:\n%s", diff)
	}
}

func TestReviewSaysWhyItWasStopped(t *testing.T) {
	set := setOf(t, policy("a", noReplicas), policy("b", add(`{"path": ["metadata", "labels", "x"], "value": "y"}`)))
	ctx, stop := context.WithCancelCause(t.Context())
	stop(errors.New("memory ran short"))
	for name, size := range map[string]int{"Small": 1, "Large": 20_000} {
		req := ask{object: deployment(object{"pad": strings.Repeat("y", size)})}.request(t)
		d, err := set.Review(ctx, req, nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"error deny a: memory ran short"}, summary(d)); diff != "" {
			t.Errorf("%s: Review(...) names the cause that the caller gave: -want, +got:\n%s", name, diff)
		}
		m, err := set.Patch(ctx, req, nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(mutation{Errors: []string{"policy b: memory ran short"}}, mutationOf(m)); diff != "" {
			t.Errorf("%s: Patch(...) names the cause that the caller gave: -want, +got:\n%s", name, diff)
		}
	}
}

// TestReviewLeavesTheEvaluatorBehind has a policy that matches an expression
// against a long text, which looks for no deadline until it is done.
func TestReviewLeavesTheEvaluatorBehind(t *testing.T) {
	set := setOf(t, policy("a", "violation contains {\"msg\": \"m\"} if regex.match(`((a{1,30}){1,30})c`, input.review.object.spec.text)"))
	req := ask{object: deployment(object{"text": strings.Repeat("a", 1<<15)})}.request(t)
	begin := time.Now()
	d, err := set.Review(t.Context(), req, nil)
	if err != nil || d.Left != nil {
		t.Fatalf("Review(...) with all the time it wants: %v, or something was left behind", err)
	}
	whole := time.Since(begin)

	ctx, cancel := context.WithTimeout(t.Context(), whole/10)
	defer cancel()
	begin = time.Now()
	d, err = set.Review(ctx, req, nil)
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took > whole/2 {
		t.Errorf("Review(...) answered after %v, with a deadline of %v; the evaluator alone takes %v", took, whole/10, whole)
	}
	if diff := cmp.Diff([]string{"error deny a: ran out of time"}, summary(d)); diff != "" {
		t.Errorf("Who was too slow is named: -want, +got:\n%s", diff)
	}
	assertLeft(t, "Review", d.Left)
}

// TestPatchLeavesTheEvaluatorBehind is the same for patches.
func TestPatchLeavesTheEvaluatorBehind(t *testing.T) {
	rule := "patch contains {\"path\": [\"metadata\", \"labels\", \"a\"], \"value\": \"b\"} if not regex.match(`((a{1,30}){1,30})c`, input.review.object.spec.text)"
	set := setOf(t, policy("a", rule))
	req := ask{object: deployment(object{"text": strings.Repeat("a", 1<<15)})}.request(t)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer cancel()
	m, err := set.Patch(ctx, req, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(mutation{Errors: []string{"policy a: ran out of time"}}, mutationOf(m)); diff != "" {
		t.Errorf("What was not asked for in time is not patched: -want, +got:\n%s", diff)
	}
	assertLeft(t, "Patch", m.Left)
	if m, err = set.Patch(t.Context(), req, nil); err != nil || m.Left != nil {
		t.Errorf("Patch(...) with all the time it wants: got %v, and something left behind: %t", err, m.Left != nil)
	}
}

// assertLeft holds that something was left behind, and waits for it to end.
func assertLeft(t *testing.T, of string, left <-chan struct{}) {
	t.Helper()
	select {
	case <-left:
		t.Errorf("%s(...) had ended when it answered, or left nothing to wait for", of)
	default:
	}
	select {
	case <-left:
	case <-time.After(time.Minute):
		t.Fatalf("%s(...): what was left behind is never reported to have ended", of)
	}
}

func TestExceptionsCoverWhatTheirObjectMakes(t *testing.T) {
	metadata := strings.NewReplacer("[apps]", `[""]`, "[Deployment]", "[Pod, PersistentVolumeClaim]").Replace(metadataOf) + "#   controlled: deny\n"
	p := policyWith("a", metadata, `violation contains {"msg": "m"}`)
	p.Spec.Exceptions = &v1alpha1.Exceptions{}
	exception := func(kind, name string) v1alpha1.PolicyException {
		return v1alpha1.PolicyException{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: strings.ToLower(kind)},
			Spec: v1alpha1.PolicyExceptionSpec{
				Policies: []string{"a"}, Reason: "r", Owner: "o", Expires: timeAt(now.Add(time.Hour)),
				Objects: v1alpha1.Objects{Kinds: []string{kind}, Names: []string{name}},
			},
		}
	}
	set := compile(t, engine.Config{Policies: []engine.Policy{p}, Exceptions: []v1alpha1.PolicyException{
		exception("Deployment", "web"), exception("CronJob", "nightly"), exception("StatefulSet", "db"),
	}})
	owned := func(kind, name string) object {
		return object{"kind": "Pod", "metadata": object{"name": "p", "labels": object{"pod-template-hash": "5d8f"},
			"ownerReferences": []any{object{"controller": true, "kind": kind, "name": name}}}}
	}
	claim := object{"kind": "PersistentVolumeClaim", "metadata": object{"name": "data-db-0"}}
	const controller = "system:serviceaccount:kube-system:replicaset-controller"
	cases := map[string]struct {
		reason string
		ask    ask
		want   int
	}{
		"PodOfDeployment":  {"A pod belongs to the Deployment of its ReplicaSet.", ask{kind: "Pod", user: controller, object: owned("ReplicaSet", "web-5d8f")}, 0},
		"PodOfOther":       {"Another Deployment's pod is not excused.", ask{kind: "Pod", user: controller, object: owned("ReplicaSet", "web2-5d8f")}, 1},
		"PodOfCronJob":     {"A pod belongs to the CronJob of its Job.", ask{kind: "Pod", user: controller, object: owned("Job", "nightly-29000000")}, 0},
		"PodOfStatefulSet": {"A pod belongs to its owner.", ask{kind: "Pod", user: controller, object: owned("StatefulSet", "db")}, 0},
		"PodByUser":        {"Owners that a user writes prove nothing.", ask{kind: "Pod", object: owned("ReplicaSet", "web-5d8f")}, 1},
		"ClaimOfSet":       {"A claim carries no owner but is named after its StatefulSet.", ask{kind: "PersistentVolumeClaim", user: controller, object: claim}, 0},
		"ClaimByUser":      {"A name that a user gives proves nothing.", ask{kind: "PersistentVolumeClaim", object: claim}, 1},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			tc.ask.group = "core"
			if got := review(t, set, tc.ask); len(got.Violations) != tc.want {
				t.Errorf("%s\nReview(...): got %d violations, want %d", tc.reason, len(got.Violations), tc.want)
			}
		})
	}
}
