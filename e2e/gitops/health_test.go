package gitops_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const excused = `{"apiVersion": "lintel.dev/v1alpha1", "kind": "PolicyException", "metadata": {"name": "excused", "namespace": "default"},
	"spec": {"policies": ["good"], "objects": {"names": ["a"]}, "reason": "r", "owner": "o", "expires": "2037-01-01T00:00:00Z"}}`

// TestHealth holds what is said of policies to what Flux reads in it, and Argo CD too
// with the health check of docs/gitops.md.
func TestHealth(t *testing.T) {
	s := newSite(t)
	flux, argo := tool(t, "kstatus", "./kstatus"), tool(t, "luahealth", "./luahealth")
	script := filepath.Join(t.TempDir(), "health.lua")
	must(t, os.WriteFile(script, []byte(luaOf(t, "../../docs/gitops.md")), 0o600))
	s.must(t, "apply", "-f", "../../manifests/crds")
	s.must(t, "wait", "--for=condition=Established", "crd/policies.lintel.dev", "crd/policyexceptions.lintel.dev")
	const good = `{"apiVersion": "lintel.dev/v1alpha1", "kind": "Policy", "metadata": {"name": "good"}, "spec": {"source": {"library": "probes"}%s}}`
	const waiting = `{"apiVersion": "lintel.dev/v1alpha1", "kind": "Policy", "metadata": {"name": "waiting"}, "spec": {"source": {"configMapRef": {"namespace": "default", "name": "later"}}}}`
	s.mustWith(t, fmt.Sprintf(good, ""), "apply", "-f", "-")
	s.mustWith(t, waiting, "apply", "-f", "-")
	s.mustWith(t, broken, "apply", "-f", "-")
	s.mustWith(t, excused, "apply", "-f", "-")

	is := func(name string) string {
		object := s.must(t, "get", "policies.lintel.dev", name, "-o", "json")
		return run(t, object, flux) + run(t, object, argo, script)
	}
	holds := func(name, flux, argo string) {
		t.Helper()
		s.eventually(t, name+" to be "+flux+" and "+argo, func() (bool, string) {
			got := is(name)
			return strings.HasPrefix(got, flux+": ") && strings.Contains(got, "\n"+argo+": "), got
		})
	}
	for _, name := range []string{"good", "waiting", "broken"} {
		if got, want := is(name), "Progressing: Lintel has not said anything of it yet"; !strings.HasPrefix(got, "InProgress: ") || !strings.Contains(got, want) {
			t.Errorf("before Lintel has said anything of %s: got %q, want InProgress and %s", name, got, want)
		}
	}
	exception := func() string { return run(t, s.must(t, "get", "lpex", "excused", "-n", "default", "-o", "json"), flux) }
	if got := exception(); !strings.HasPrefix(got, "InProgress: ") {
		t.Errorf("an exception that Lintel has not seen yet: got %q, want InProgress", got)
	}
	stop := s.startLintel(t)
	holds("good", "Current", "Healthy")
	s.eventually(t, "the exception to be Current", func() (bool, string) {
		got := exception()
		return strings.HasPrefix(got, "Current: "), got
	})
	holds("waiting", "InProgress", "Progressing")
	holds("broken", "Failed", "Degraded")
	if got := is("broken"); !strings.Contains(got, "var nothing is unsafe") {
		t.Errorf("why it failed: %s", got)
	}
	s.must(t, "create", "configmap", "later", "--from-literal=a.rego=package team\n\nviolation contains 1 if nothing")
	s.eventually(t, "the Rego of waiting to be read", func() (bool, string) {
		got := s.must(t, "get", "policies.lintel.dev", "waiting", "-o", `jsonpath={.status.conditions[?(@.type=="Ready")].reason}`)
		return got == "Broken", got
	})
	holds("waiting", "InProgress", "Degraded") // it may be mended without the policy itself

	stop()
	s.mustWith(t, fmt.Sprintf(good, `, "enforcement": "warn"`), "apply", "-f", "-")
	s.mustWith(t, strings.Replace(broken, "if nothing", "if false", 1), "apply", "-f", "-")
	for _, name := range []string{"good", "broken"} {
		if got := is(name); !strings.HasPrefix(got, "InProgress: ") || !strings.Contains(got, "\nProgressing: ") {
			t.Errorf("a change of %s that Lintel has not seen yet: got %q, want InProgress", name, got)
		}
	}
	s.startLintel(t)
	holds("good", "Current", "Healthy")
}

// luaOf returns the Lua of a page.
func luaOf(t *testing.T, page string) string {
	t.Helper()
	_, rest, _ := strings.Cut(read(t, page), "```lua\n")
	script, _, ok := strings.Cut(rest, "```\n")
	if !ok {
		t.Fatalf("%s has no Lua", page)
	}
	return script
}

// run runs a program, which has to succeed, and returns what it printed.
func run(t *testing.T, stdin, program string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", program, err, out)
	}
	return string(out)
}
