package engine_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
)

// explain returns what the only policy of set makes of a request.
func explain(t *testing.T, set *engine.Set, a ask) engine.Explanation {
	t.Helper()
	all, passed, err := set.Explain(t.Context(), a.request(t), nil)
	if err != nil || passed != "" || len(all) != 1 {
		t.Fatalf("Explain(...): %d policies, passed %q, %v", len(all), passed, err)
	}
	return all[0]
}

// readings returns a line for each field that was read.
func readings(x engine.Explanation) []string {
	lines := []string{}
	for _, r := range x.Reads {
		value := r.Value
		if r.Absent {
			value = "absent"
		}
		lines = append(lines, fmt.Sprintf("%s: %s", r.Path, value))
	}
	return lines
}

func firings(x engine.Explanation) []string {
	lines := []string{}
	for _, f := range x.Firings {
		lines = append(lines, fmt.Sprintf("%s:%d %s %s: %s", f.File, f.Row, f.Rule, f.Path, f.Text))
	}
	for _, err := range x.Errors {
		lines = append(lines, "error "+err.Error())
	}
	return lines
}

func TestExplainReads(t *testing.T) {
	const token = "ghp_" + "Zk3pQ7vXr9Lm2Tn8Yw4Bs6Hd1Jf5Gc0AeUiO" // of no account
	web := deployment(object{
		"replicas": 2,
		"paused":   false,
		"template": object{"spec": object{"containers": []any{
			object{"name": "web", "image": "nginx:1.27", "env": []any{
				object{"name": "TOKEN", "value": token}, object{"name": "MODE", "value": "fast"},
			}},
			object{"name": token, "image": "a line\nand another"},
		}}},
	})
	cases := map[string]struct {
		reason string
		rules  string
		want   []string
	}{
		"Reference": {
			reason: "A reference from the input names the field.",
			rules:  `violation contains {"msg": "x"} if input.review.object.spec.replicas == 1`,
			want:   []string{"spec.replicas: 2"},
		},
		"Absent": {
			reason: "What the object lacks is what most violations are about.",
			rules:  `violation contains {"msg": "x"} if input.review.object.spec.strategy.type == "Recreate"`,
			want:   []string{"spec.strategy: absent"},
		},
		"Get": {
			reason: "The built-in for fields that may be absent reads them too, by a key or by a path.",
			rules: `violation contains {"msg": "x"} if {
	object.get(input.review.object.spec, "paused", true)
	object.get(input.review.object, ["spec", "replicas"], 1) == 1
}
violation contains {"msg": "y"} if object.get(input.review.object, ["metadata", "labels", "team"], "") == "z"`,
			want: []string{"metadata.labels: absent", "spec.paused: false"},
		},
		"Function": {
			reason: "A function is given a part of the object and reads on from there.",
			rules: `_image(container) := container.image
violation contains {"msg": "x"} if {
	some container in input.review.object.spec.template.spec.containers
	_image(container) == "busybox"
}`,
			want: []string{
				`spec.template.spec.containers[0].image: "nginx:1.27"`,
				"spec.template.spec.containers[1].image: a string, not shown",
			},
		},
		"Library": {
			reason: "So do the functions of the library, whatever else has asked it.",
			rules: `violation contains {"msg": "x"} if {
	some container in data.lintel.workload.containers
	object.get(container.container, "tty", false)
}`,
			want: []string{
				"spec.template.spec.containers[0].tty: absent",
				"spec.template.spec.containers[1].tty: absent",
			},
		},
		"Withheld": {
			reason: "A secret is never shown, nor is what stands where people put secrets.",
			rules: `violation contains {"msg": "x"} if {
	some container in input.review.object.spec.template.spec.containers
	container.name == "db"
}
violation contains {"msg": "y"} if {
	some variable in input.review.object.spec.template.spec.containers[0].env
	variable.value == "slow"
}`,
			want: []string{
				"spec.template.spec.containers[0].env[0].value: a string, not shown",
				"spec.template.spec.containers[0].env[1].value: a string, not shown",
				`spec.template.spec.containers[0].name: "web"`,
				"spec.template.spec.containers[1].name: a string, not shown",
			},
		},
		"Whole": {
			reason: "A value with parts is described.",
			rules:  `violation contains {"msg": "x"} if count(input.review.object.spec.template.spec.containers) > 2`,
			want:   []string{"spec.template.spec.containers: a list of 2 items"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			x := explain(t, setOf(t, policy("test", tc.rules)), ask{object: web})
			got := readings(x)
			if name == "Library" {
				got = withSuffix(got, ".tty: absent")
			}
			if diff := cmp.Diff(tc.want, got); diff != "" || len(x.Errors) > 0 {
				t.Errorf("%s\nreads: -want, +got:\n%s%v", tc.reason, diff, x.Errors)
			}
			if strings.Contains(fmt.Sprint(x), token) {
				t.Errorf("%s\nthe explanation has the secret", tc.reason)
			}
		})
	}
}

func withSuffix(lines []string, suffix string) []string {
	var found []string
	for _, line := range lines {
		if strings.HasSuffix(line, suffix) {
			found = append(found, line)
		}
	}
	return found
}

func TestExplainFirings(t *testing.T) {
	web := deployment(object{"replicas": 2})
	cases := map[string]struct {
		reason string
		rules  string
		want   []string
	}{
		"Violation": {
			reason: "The row is that of the rule that fired, and not of one beside it.",
			rules: `violation contains {"msg": "one"} if input.review.object.spec.replicas == 1

violation contains {"msg": "two", "path": ["spec", "replicas"]} if input.review.object.spec.replicas == 2`,
			want: []string{"test.rego:11 violation spec.replicas: two"},
		},
		"List": {
			reason: "A rule may yield a list.",
			rules:  `patch := [{"path": ["metadata", "labels", "a"], "value": "b"}, {"path": ["spec", "replicas"], "value": 3}]`,
			want:   []string{`test.rego:9 patch metadata.labels.a: default "b"`},
		},
		"Rounds": {
			reason: "Patch rules are asked again until nothing changes.",
			rules: `patch contains {"path": ["metadata", "labels", "a"], "value": "b"} if input.review.object.spec.replicas == 2

patch contains {"path": ["spec", "paused"], "value": true} if input.review.object.metadata.labels.a == "b"`,
			want: []string{
				`test.rego:9 patch metadata.labels.a: default "b"`,
				`test.rego:11 patch spec.paused: default true`,
			},
		},
		"Patched": {
			reason: "Violations are judged on what patches made of the object.",
			rules: `patch contains {"path": ["spec", "replicas"], "op": "set", "value": 3}

violation contains {"msg": "two"} if input.review.object.spec.replicas == 2`,
			want: []string{`test.rego:9 patch spec.replicas: set 3`},
		},
		"Error": {
			reason: "A rule that errs is told of, without the values it met.",
			rules:  `violation contains {"msg": "x"} if 1 / (input.review.object.spec.replicas - 2) == 1`,
			want:   []string{"error violation: eval_builtin_error at test.rego:9"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			x := explain(t, setOf(t, policy("test", tc.rules)), ask{object: web})
			if diff := cmp.Diff(tc.want, firings(x)); diff != "" {
				t.Errorf("%s\nfirings: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestExplainClauses(t *testing.T) {
	cases := map[string]struct {
		match string
		ask   ask
		asked bool
		why   string
	}{
		"Kind":      {match: `kinds: [{apiGroups: [batch], kinds: [Job]}, {apiGroups: [apps], kinds: [Deployment]}]`, asked: true, why: "match.kinds[1] has Deployment of apps"},
		"OtherKind": {match: `kinds: [{apiGroups: [batch], kinds: [Job]}]`, why: "match.kinds has no Deployment of apps"},
		"Version":   {match: `kinds: [{apiGroups: [apps], kinds: [Deployment], versions: [v2]}]`, why: `match.kinds[0].versions is ["v2"], without v1`},
		"Operation": {match: `{kinds: [{apiGroups: [apps], kinds: [Deployment]}], operations: [DELETE]}`, why: "match.operations is [DELETE], without CREATE"},
		"Subresource": {
			match: `{kinds: [{apiGroups: [apps], kinds: [Deployment]}], subresources: [scale]}`, why: `match.subresources is ["scale"], without ""`,
		},
		"Namespace":         {match: `{kinds: [{apiGroups: [apps], kinds: [Deployment]}], namespaces: [bank]}`, why: `match.namespaces is ["bank"], without "shop"`},
		"ExcludedNamespace": {match: `{kinds: [{apiGroups: [apps], kinds: [Deployment]}], excludedNamespaces: [shop]}`, why: `match.excludedNamespaces has "shop"`},
		"Object": {
			match: `{kinds: [{apiGroups: [apps], kinds: [Deployment]}], objectSelector: {matchLabels: {a: b}}}`, why: "match.objectSelector does not select the object's labels",
		},
		"NamespaceLabels": {
			match: `{kinds: [{apiGroups: [apps], kinds: [Deployment]}], namespaceSelector: {matchLabels: {a: b}}}`, why: "match.namespaceSelector does not select the namespace's labels",
		},
		"NamespaceLabelsFit": {
			match: `{kinds: [{apiGroups: [apps], kinds: [Deployment]}], namespaceSelector: {matchLabels: {a: b}}}`, ask: ask{labels: map[string]string{"a": "b"}},
			asked: true, why: "match.kinds[0] has Deployment of apps",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			metadata := "# METADATA\n# custom:\n#   match: " + tc.match + "\n"
			if !strings.HasPrefix(tc.match, "{") {
				metadata = "# METADATA\n# custom:\n#   match: {" + tc.match + "}\n"
			}
			set := setOf(t, policyWith("test", metadata, `violation contains {"msg": "x"}`))
			tc.ask.object = deployment(object{})
			x := explain(t, set, tc.ask)
			if x.Asked != tc.asked || x.Why != tc.why {
				t.Errorf("asked %v: %s\nwant %v: %s", x.Asked, x.Why, tc.asked, tc.why)
			}
			if asked := len(review(t, set, tc.ask).Evaluated) > 0; asked != x.Asked {
				t.Errorf("the review asks: %v, the explanation says %v", asked, x.Asked)
			}
		})
	}
}

func TestExplainSetting(t *testing.T) {
	p := policy("test", `violation contains {"msg": "x"}`)
	p.Spec.Enforcement = v1alpha1.Warn
	p.Spec.Stages = []v1alpha1.Stage{{From: timeAt(now.Add(time.Hour)), Enforcement: v1alpha1.Deny}}
	p.Spec.Scopes = []v1alpha1.Scope{
		{Users: []string{"robot"}, Enforcement: v1alpha1.DryRun},
		{NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}, Enforcement: v1alpha1.DryRun},
	}
	set := setOf(t, p)
	cases := map[string]struct {
		ask  ask
		want string
	}{
		"Own":   {ask{}, "warn by its own setting"},
		"Stage": {ask{at: now.Add(time.Hour)}, "deny by the stage from 2026-06-01T13:00:00Z"},
		"Scope": {ask{at: now.Add(time.Hour), labels: map[string]string{"a": "b"}}, "dryrun by scopes[1]"},
	}
	for name, tc := range cases {
		tc.ask.object = deployment(object{})
		x := explain(t, set, tc.ask)
		if got := fmt.Sprintf("%s by %s", x.Enforcement, x.Setting); got != tc.want {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
	}
}

func TestExplainExceptions(t *testing.T) {
	exception := func(change func(*v1alpha1.PolicyException)) v1alpha1.PolicyException {
		e := v1alpha1.PolicyException{Spec: v1alpha1.PolicyExceptionSpec{
			Policies: []string{"test"}, Reason: "r", Owner: "o", Expires: timeAt(now.Add(time.Hour)),
		}}
		e.Name, e.Namespace = "legacy", "shop"
		e.Spec.Objects.Names = []string{"web"}
		change(&e)
		return e
	}
	cases := map[string]struct {
		change func(*v1alpha1.PolicyException)
		labels map[string]string
		off    bool
		want   []engine.Considered
	}{
		"Excuses": {
			labels: map[string]string{"exceptions": "allowed"},
			want:   []engine.Considered{{Exception: "shop/legacy", Excuses: true, Why: "until 2026-06-01T13:00:00Z"}},
		},
		"Expired": {
			labels: map[string]string{"exceptions": "allowed"},
			change: func(e *v1alpha1.PolicyException) { e.Spec.Expires = timeAt(now) },
			want:   []engine.Considered{{Exception: "shop/legacy", Why: "it expired on 2026-06-01T12:00:00Z"}},
		},
		"OtherObject": {
			labels: map[string]string{"exceptions": "allowed"},
			change: func(e *v1alpha1.PolicyException) { e.Spec.Objects.Names = []string{"db"} },
			want:   []engine.Considered{{Exception: "shop/legacy", Why: "its spec.objects does not select the object"}},
		},
		"NamespaceNotSelected": {
			want: []engine.Considered{{Exception: "shop/legacy", Why: "the policy's spec.exceptions does not select the namespace"}},
		},
		"Off": {
			off:  true,
			want: []engine.Considered{{Exception: "shop/legacy", Why: "the policy honours no exceptions: its spec.exceptions is missing"}},
		},
		"OtherPolicy":    {change: func(e *v1alpha1.PolicyException) { e.Spec.Policies = []string{"other"} }},
		"OtherNamespace": {change: func(e *v1alpha1.PolicyException) { e.Namespace = "bank" }},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			p := policy("test", `violation contains {"msg": "x"}`)
			if !tc.off {
				p.Spec.Exceptions = &v1alpha1.Exceptions{NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"exceptions": "allowed"}}}
			}
			if tc.change == nil {
				tc.change = func(*v1alpha1.PolicyException) {}
			}
			set := compile(t, engine.Config{Policies: []engine.Policy{p}, Exceptions: []v1alpha1.PolicyException{exception(tc.change)}})
			a := ask{object: deployment(object{}), labels: tc.labels}
			x := explain(t, set, a)
			if diff := cmp.Diff(tc.want, x.Exceptions); diff != "" {
				t.Errorf("exceptions: -want, +got:\n%s", diff)
			}
			if excused := len(review(t, set, a).Excused) > 0; excused != (len(tc.want) > 0 && tc.want[0].Excuses) || excused == (len(x.Firings) > 0) {
				t.Errorf("the review excuses: %v; fired: %q", excused, firings(x))
			}
		})
	}
}

func TestExplainPassed(t *testing.T) {
	set := setOf(t, policy("test", `violation contains {"msg": "x"}`))
	req := ask{object: deployment(object{}), namespace: "kube-system"}.request(t)
	all, passed, err := set.Explain(t.Context(), req, nil)
	if len(all) > 0 || passed != "namespace kube-system is excluded" || err != nil {
		t.Errorf("Explain(...): %d policies, passed %q, %v", len(all), passed, err)
	}
}
