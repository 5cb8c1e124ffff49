package engine_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lintel-policy/lintel/engine"
)

// matching returns a policy that matches kinds, written as in METADATA.
func matching(name, kinds string) engine.Policy {
	return policyWith(name, fmt.Sprintf("# METADATA\n# custom: {match: {kinds: [%s]}}\n", kinds), `violation contains {"msg": "asked"} if input.review`)
}

// TestWhoIsAskedAboutPlans asks that what a plan of Terraform has is for policies
// that name its group, and in no namespace.
func TestWhoIsAskedAboutPlans(t *testing.T) {
	set := setOf(t,
		matching("all-groups", `{apiGroups: ["*"], kinds: ["*"]}`),
		matching("all-types", `{apiGroups: [terraform.lintel.dev], kinds: ["*"]}`),
		matching("both", `{apiGroups: ["*", terraform.lintel.dev], kinds: ["*"]}, {apiGroups: [terraform.lintel.dev], kinds: ["*", aws_instance]}`),
		matching("buckets", `{apiGroups: [terraform.lintel.dev], kinds: [aws_s3_bucket]}`),
		matching("instances", `{apiGroups: [terraform.lintel.dev], kinds: [aws_instance]}`),
		matching("pods", `{apiGroups: [""], kinds: [Pod]}`),
		matching("version-two", `{apiGroups: [terraform.lintel.dev], versions: [v2], kinds: ["*"]}`),
	)
	for name, tc := range map[string]struct {
		object string
		ref    string
		want   []string
	}{
		"Instance": {
			`{"apiVersion":"terraform.lintel.dev/v1","kind":"aws_instance","metadata":{"name":"module.a[\"b c\"].aws_instance.d[0]"}}`,
			`aws_instance module.a["b c"].aws_instance.d[0]`, []string{"all-types", "both", "instances"},
		},
		"Variable": {
			`{"apiVersion":"terraform.lintel.dev/v1","kind":"variable","metadata":{"name":"var.a"}}`,
			"variable var.a", []string{"all-types", "both"},
		},
		"Pod": {`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"}}`, "Pod shop/a", []string{"all-groups", "both", "pods"}},
	} {
		req, err := engine.NewRequest([]byte(tc.object), "shop")
		if err != nil {
			t.Fatalf("%s: NewRequest(...): %v", name, err)
		}
		if got := req.Ref().String(); got != tc.ref {
			t.Errorf("%s: want %s, got %s", name, tc.ref, got)
		}
		if req.Namespace() != "" {
			req = req.In(objectOf(t, object{"apiVersion": "v1", "kind": "Namespace", "metadata": object{"name": "shop"}}))
		}
		d, err := set.Review(t.Context(), req.At(now), nil)
		if err != nil {
			t.Fatalf("%s: Review(...): %v", name, err)
		}
		if diff := cmp.Diff(tc.want, d.Evaluated); diff != "" {
			t.Errorf("%s: -want, +got:\n%s", name, diff)
		}
	}
}
