package engine_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
)

func TestCompileRefuses(t *testing.T) {
	always := `violation contains {"msg": "m"}`
	withSpec := func(spec v1alpha1.PolicySpec) engine.Policy {
		p := policyWith("a", metadataOf+"#   parameters: {type: object, properties: {n: {type: integer, minimum: 1}}}\n", always)
		p.Spec = spec
		return p
	}
	raw := func(s string) *runtime.RawExtension { return &runtime.RawExtension{Raw: []byte(s)} }
	twoPackages := policy("a", always)
	twoPackages.Modules = append(twoPackages.Modules, v1alpha1.Module{Name: "b.rego", Rego: "package lintel.b\n\nx := 1"})
	cases := map[string]struct {
		policy engine.Policy
		want   string
	}{
		"NoRego":            {engine.Policy{Name: "a"}, "there is no Rego"},
		"Syntax":            {policy("a", "violation contains {"), "a.rego:9"},
		"OldSyntax":         {policy("a", `violation[{"msg": "m"}] { true }`), "a.rego:9"},
		"UnknownFunction":   {policy("a", "violation contains {\"msg\": f(1)}"), "f"},
		"OtherPackage":      {engine.Policy{Name: "b", Modules: policy("a", always).Modules}, "package lintel.a, but policy b has package lintel.b"},
		"TwoPackages":       {twoPackages, "package"},
		"LibraryPackage":    {engine.Policy{Name: "workload", Modules: []v1alpha1.Module{{Name: "x", Rego: "package lintel.workload\n\n" + always}}}, "Lintel's own"},
		"BelowLibrary":      {engine.Policy{Name: "x", FreePackage: true, Modules: []v1alpha1.Module{{Name: "x", Rego: "package lintel.workload.x\n\n" + always}}}, "Lintel's own"},
		"AboveLibrary":      {engine.Policy{Name: "x", FreePackage: true, Modules: []v1alpha1.Module{{Name: "x", Rego: "package lintel\n\n" + always}}}, "Lintel's own"},
		"InventoryPackage":  {engine.Policy{Name: "x", FreePackage: true, Modules: []v1alpha1.Module{{Name: "x", Rego: "package inventory\n\n" + always}}}, "Lintel's own"},
		"NoRules":           {policy("a", "x := 1"), "neither a violation nor a patch rule"},
		"NoMatch":           {policyWith("a", "", always), "kinds is empty"},
		"UnknownMetadata":   {policyWith("a", strings.Replace(metadataOf, "severity", "sevrity", 1), always), "sevrity"},
		"BadSeverity":       {policyWith("a", strings.Replace(metadataOf, "high", "hihg", 1), always), "hihg"},
		"BadEnforcement":    {withSpec(v1alpha1.PolicySpec{Enforcement: "block"}), `enforcement is "block"`},
		"UnknownParameter":  {withSpec(v1alpha1.PolicySpec{Parameters: raw(`{"m": 1}`)}), "unknown parameter m"},
		"ParameterType":     {withSpec(v1alpha1.PolicySpec{Parameters: raw(`{"n": "x"}`)}), "parameters.n"},
		"ParameterRange":    {withSpec(v1alpha1.PolicySpec{Parameters: raw(`{"n": 0}`)}), "parameters.n"},
		"ScopeParameter":    {withSpec(v1alpha1.PolicySpec{Scopes: []v1alpha1.Scope{{Users: []string{"u"}, Parameters: raw(`{"n": 0}`)}}}), "scopes[0]"},
		"EmptyScope":        {withSpec(v1alpha1.PolicySpec{Scopes: []v1alpha1.Scope{{}}}), "scopes[0]: neither"},
		"StageWithoutTime":  {withSpec(v1alpha1.PolicySpec{Stages: []v1alpha1.Stage{{Enforcement: v1alpha1.Deny}}}), "stages[0]"},
		"BadSelector":       {withSpec(v1alpha1.PolicySpec{Scopes: []v1alpha1.Scope{{NamespaceSelector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: "Like"}}}}}}), "scopes[0]"},
		"SchemaNotObject":   {policyWith("a", metadataOf+"#   parameters: {type: object, properties: {n: {minimum: 1}}}\n", always), "structural"},
		"UnknownSchemaWord": {policyWith("a", metadataOf+"#   parameters: {type: object, propertis: {}}\n", always), "propertis"},
		"Recursion":         {policy("a", "violation contains {\"msg\": x}\nx := y\ny := x"), "recursive"},
		"TooLarge":          {policy("a", always+"\n"+strings.Repeat("# x\n", 2<<20/4)), "KiB of Rego"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			set, err := engine.Compile(engine.Config{Policies: []engine.Policy{tc.policy, policy("good", always)}})
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Compile(...): error %v, want one with %q", err, tc.want)
			}
			if names := set.Policies(); len(names) != 1 || names[0].Name != "good" {
				t.Errorf("a broken policy keeps the others from compiling: %v", names)
			}
		})
	}
}

func TestCompileRefusesNamesTwice(t *testing.T) {
	one, other := policy("a", `violation contains {"msg": "m"}`), policy("a", `violation contains {"msg": "m"}`)
	one.Origin, other.Origin = "here", "there"
	set, err := engine.Compile(engine.Config{Policies: []engine.Policy{one, other}})
	if err == nil || !strings.Contains(err.Error(), "here") || !strings.Contains(err.Error(), "there") {
		t.Errorf("Compile(...): error %v, want one that names both origins", err)
	}
	if len(set.Policies()) != 0 {
		t.Errorf("Compile(...) chose between two policies of one name")
	}
}

func TestCompileRefusesExceptions(t *testing.T) {
	good := v1alpha1.PolicyExceptionSpec{
		Policies: []string{"a"}, Reason: "r", Owner: "o", Expires: timeAt(now),
		Objects: v1alpha1.Objects{Names: []string{"web"}},
	}
	cases := map[string]func(*v1alpha1.PolicyExceptionSpec){
		"NoPolicies":  func(s *v1alpha1.PolicyExceptionSpec) { s.Policies = nil },
		"AllPolicies": func(s *v1alpha1.PolicyExceptionSpec) { s.Policies = []string{"*"} },
		"NoEnd":       func(s *v1alpha1.PolicyExceptionSpec) { s.Expires = metav1.Time{} },
		"NoReason":    func(s *v1alpha1.PolicyExceptionSpec) { s.Reason = "" },
		"NoOwner":     func(s *v1alpha1.PolicyExceptionSpec) { s.Owner = "" },
		"NoObjects":   func(s *v1alpha1.PolicyExceptionSpec) { s.Objects = v1alpha1.Objects{Kinds: []string{"Pod"}} },
		"AllNames":    func(s *v1alpha1.PolicyExceptionSpec) { s.Objects.Names = []string{"*"} },
		"StarInside":  func(s *v1alpha1.PolicyExceptionSpec) { s.Objects.Names = []string{"a*b*"} },
		"EmptySelector": func(s *v1alpha1.PolicyExceptionSpec) {
			s.Objects = v1alpha1.Objects{LabelSelector: &metav1.LabelSelector{}}
		},
		"BrokenSelector": func(s *v1alpha1.PolicyExceptionSpec) {
			s.Objects.LabelSelector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: "Like"}}}
		},
	}
	for name, spoil := range cases {
		t.Run(name, func(t *testing.T) {
			spec := good
			spoil(&spec)
			exception := v1alpha1.PolicyException{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "x"}, Spec: spec}
			if _, err := engine.Compile(engine.Config{Exceptions: []v1alpha1.PolicyException{exception}}); err == nil || !strings.Contains(err.Error(), "shop/x") {
				t.Errorf("Compile(...): error %v, want one that names the exception", err)
			}
		})
	}
}

func TestRevision(t *testing.T) {
	a, b := policy("a", `violation contains {"msg": "m"}`), policy("b", `violation contains {"msg": "m"}`)
	moved := a
	moved.Origin = "elsewhere"
	warns := a
	warns.Spec.Enforcement = v1alpha1.Warn
	base := setOf(t, a, b).Revision()
	for name, tc := range map[string]struct {
		cfg  engine.Config
		same bool
	}{
		"OtherOrder":     {engine.Config{Policies: []engine.Policy{b, a}}, true},
		"OtherOrigin":    {engine.Config{Policies: []engine.Policy{moved, b}}, true},
		"OtherSpec":      {engine.Config{Policies: []engine.Policy{warns, b}}, false},
		"FewerPolicies":  {engine.Config{Policies: []engine.Policy{a}}, false},
		"OtherNamespace": {engine.Config{Policies: []engine.Policy{a, b}, ExcludedNamespaces: []string{"x"}}, false},
		"OtherUsers":     {engine.Config{Policies: []engine.Policy{a, b}, ExemptUsers: []string{"x"}}, false},
	} {
		if got := compile(t, tc.cfg).Revision(); (got == base) != tc.same {
			t.Errorf("%s: revision %s beside %s, want the same: %t", name, got, base, tc.same)
		}
	}
}

func TestCompileIsBounded(t *testing.T) {
	var rules strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&rules, "violation contains {\"msg\": \"m\"} if input.review.object.spec.f%d\n", i)
	}
	begin := time.Now()
	if _, err := engine.Compile(engine.Config{Policies: []engine.Policy{policy("a", rules.String())}}); err != nil {
		t.Logf("refused: %v", err)
	}
	if took := time.Since(begin); took > time.Minute {
		t.Errorf("Compile(...) of 5,000 rules took %v", took)
	}
}

func TestPolicies(t *testing.T) {
	p := policyWith("a", metadataOf+"#   controlled: deny\n#   inventory: [{apiVersion: v1, kind: Service}]\n", `violation contains {"msg": "m"}`)
	p.Spec.Stages = []v1alpha1.Stage{{From: timeAt(now), Enforcement: v1alpha1.Deny}}
	p.Spec.Enforcement = v1alpha1.Warn
	info := setOf(t, p).Policies()[0]
	if info.Title != "Test" || info.Severity != engine.High || info.Enforcement != v1alpha1.Warn || !info.Controlled ||
		!info.CanDeny() || !info.Reviews || info.PatchesObjects || len(info.Inventory) != 1 || len(info.Match.Kinds) != 1 {
		t.Errorf("Policies(): got %+v", info)
	}
}
