package engine_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
)

// noProbe finds containers without a probe, at the path of the container.
const noProbe = `violation contains {"msg": sprintf("%s: no probe", [c.name]), "path": ["spec", "containers", i]} if {
	some i, c in input.review.object.spec.containers
	not c.probe
}
`

func TestRatchet(t *testing.T) {
	containers := func(list ...object) object {
		items := make([]any, len(list))
		for i, c := range list {
			items[i] = c
		}
		return deployment(object{"containers": items})
	}
	web, proxy := object{"name": "web", "image": "web:1"}, object{"name": "proxy", "image": "proxy:1"}
	good := object{"name": "good", "probe": true}
	labelled := func(o object, labels object) object {
		return with(o, object{"metadata": object{"name": "web", "namespace": "shop", "labels": labels}})
	}
	deleting := func(o object) object {
		return with(o, object{"metadata": object{"name": "web", "deletionTimestamp": "2026-01-01T00:00:00Z"}})
	}
	pathless := `violation contains {"msg": "wrong"} if input.review.object.spec.containers[_].name == "web"`
	labelPath := `violation contains {"msg": "no team", "path": ["metadata", "labels", "team"]} if not input.review.object.metadata.labels.team`

	cases := map[string]struct {
		reason   string
		rules    string
		metadata string
		spec     v1alpha1.PolicySpec
		old, new object
		sub      string
		want     []string
	}{
		"Unchanged": {
			reason: "What the request leaves alone does not stand in its way.",
			rules:  noProbe, old: containers(web), new: labelled(containers(web), object{"a": "b"}),
			want: []string{"warn a spec.containers[0]: web: no probe (existing)"},
		},
		"Touched": {
			reason: "What the request touches must be right.",
			rules:  noProbe, old: containers(web), new: containers(with(web, object{"image": "web:2"})),
			want: []string{"deny a spec.containers[0]: web: no probe"},
		},
		"ShiftedIndex": {
			reason: "An item is known by its name, not by its index.",
			rules:  noProbe, old: containers(web, proxy), new: containers(good, proxy, web),
			want: []string{
				"warn a spec.containers[1]: proxy: no probe (existing)",
				"warn a spec.containers[2]: web: no probe (existing)",
			},
		},
		"NewItemAtOldIndex": {
			reason: "A new item does not inherit the excuse of the one that stood there.",
			rules:  noProbe, old: containers(web), new: containers(proxy),
			want: []string{"deny a spec.containers[0]: proxy: no probe"},
		},
		"OneOfTwo": {
			reason: "An old violation does not excuse a new one.",
			rules:  noProbe, old: containers(web), new: containers(web, proxy),
			want: []string{
				"warn a spec.containers[0]: web: no probe (existing)",
				"deny a spec.containers[1]: proxy: no probe",
			},
		},
		"AbsentBefore": {
			reason: "A label that was missing before is still missing.",
			rules:  labelPath, old: containers(web), new: containers(web, good),
			want: []string{"warn a metadata.labels.team: no team (existing)"},
		},
		"Removed": {
			reason: "To remove a label is a new violation.",
			rules:  labelPath, old: labelled(containers(web), object{"team": "x"}), new: labelled(containers(web), object{}),
			want: []string{"deny a metadata.labels.team: no team"},
		},
		"PathlessUnchanged": {
			reason: "A violation without a path is about everything that people write.",
			rules:  pathless, old: containers(web), new: with(containers(web), object{"status": object{"x": 1}}),
			want: []string{"warn a : wrong (existing)"},
		},
		"PathlessTouched": {
			reason: "A violation without a path counts as touched when anything changes.",
			rules:  pathless, old: containers(web), new: containers(web, good),
			want: []string{"deny a : wrong"},
		},
		"Enforce": {
			reason: "A policy may hold old objects to account.",
			rules:  noProbe, spec: v1alpha1.PolicySpec{Existing: v1alpha1.ExistingEnforce}, old: containers(web), new: containers(web, good),
			want: []string{"deny a spec.containers[0]: web: no probe (existing)"},
		},
		"UserInfo": {
			reason: "Who asks is new with each request, so such a policy enforces.",
			rules:  `violation contains {"msg": "m", "path": ["spec"]} if input.review.userInfo.username == "jane"`,
			old:    containers(web), new: containers(web),
			want: []string{"deny a spec: m (existing)"},
		},
		"OldDidNotMatch": {
			reason:   "An object that the policy was never asked about has no old violations.",
			rules:    noProbe,
			metadata: metadataOf + "#     objectSelector: {matchLabels: {tier: web}}\n",
			old:      containers(web), new: labelled(containers(web), object{"tier": "web"}),
			want: []string{"deny a spec.containers[0]: web: no probe"},
		},
		"LabelDroppedToEscape": {
			reason:   "An update is matched by its old labels too.",
			rules:    noProbe,
			metadata: metadataOf + "#     objectSelector: {matchLabels: {tier: web}}\n",
			old:      labelled(containers(web), object{"tier": "web"}), new: containers(with(web, object{"image": "evil"})),
			want: []string{"deny a spec.containers[0]: web: no probe"},
		},
		"Deleting": {
			reason: "Finalizers must be able to go.",
			rules:  noProbe, old: deleting(containers(web)), new: deleting(containers(web)),
			want: []string{},
		},
		"DeletingButChanging": {
			reason: "An object on its way out is judged when its spec changes.",
			rules:  noProbe, old: deleting(containers(good)), new: deleting(containers(web)),
			want: []string{"deny a spec.containers[0]: web: no probe"},
		},
		"DeletionClaimed": {
			reason: "Only the stored object says that it is being deleted.",
			rules:  noProbe, old: containers(web), new: deleting(containers(with(web, object{"image": "x"}))),
			want: []string{"deny a spec.containers[0]: web: no probe"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if tc.metadata == "" {
				tc.metadata = metadataOf
			}
			p := policyWith("a", tc.metadata, tc.rules)
			p.Spec = tc.spec
			set := compile(t, engine.Config{Policies: []engine.Policy{p}})
			got := summary(review(t, set, ask{operation: "UPDATE", object: tc.new, old: tc.old}))
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s\nReview(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// TestNamespaceGoes holds that a Namespace can go, whose finalizers are in its spec.
func TestNamespaceGoes(t *testing.T) {
	set := setOf(t, policyWith("a", strings.Replace(metadataOf, "kinds: [Deployment]", "kinds: ['*']", 1)+"#     subresources: ['', finalize]\n", `violation contains {"msg": "wrong"}`))
	namespace := func(meta object, finalizers ...any) object {
		return object{"kind": "Namespace", "metadata": with(object{"name": "shop"}, meta), "spec": object{"finalizers": finalizers}}
	}
	going := object{"deletionTimestamp": "2026-01-01T00:00:00Z"}
	cases := map[string]struct {
		reason   string
		sub      string
		old, new object
		denied   bool
	}{
		"Going":    {"The last finalizer of what goes can go.", "finalize", namespace(going, "kubernetes"), namespace(going), false},
		"NotGoing": {"Those of what does not are judged.", "finalize", namespace(nil, "kubernetes"), namespace(nil), true},
		"Itself":   {"The object itself is, too.", "", namespace(going, "kubernetes"), namespace(going), true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			d := review(t, set, ask{operation: "UPDATE", kind: "Namespace", sub: tc.sub, object: tc.new, old: tc.old})
			if got := len(d.Violations) > 0; got != tc.denied {
				t.Errorf("%s\nReview(...): got %q, want a violation: %t", tc.reason, summary(d), tc.denied)
			}
		})
	}
}
