package e2e_test

import (
	"testing"
)

// TestNamespaceEnds holds that a namespace which is deleted goes, with objects in
// it that break every policy and that somebody has still to tidy up after.
func TestNamespaceEnds(t *testing.T) {
	s := newStage(t, "ending")
	s.addHeld(t)
	s.guard(t, testdata("outage", "policies"))
	s.kubectl(t, "label", "namespace", s.namespace, "ending=yes").denied(t, "The policy is about namespaces, too.")
	s.end(t)
}

// held are objects with finalizers that nobody but the test removes.
func held() []string {
	return []string{"deployment/held", "persistentvolumeclaim/held", "service/held", "configmap/held", "podtemplate/held"}
}

// addHeld makes what is held in the stage's namespace.
func (s *stage) addHeld(t *testing.T) {
	t.Helper()
	s.kubectl(t, "create", "-f", testdata("outage", "held.yaml")).admitted(t, "Lintel is not there yet.")
}

// end deletes the stage's namespace, and then removes the finalizers of what is
// held in it.
func (s *stage) end(t *testing.T) {
	t.Helper()
	s.must(t, "delete", "namespace", s.namespace, "--wait=false")
	for _, name := range held() {
		await(t, name+" is being deleted", func() bool { return at(s.get(t, name), "metadata", "deletionTimestamp") != nil })
		s.must(t, "patch", name, "--type=merge", "-p", `{"metadata": {"finalizers": null}}`)
	}
	await(t, "the namespace is gone", func() bool { return !s.exists(t, "namespace/"+s.namespace) })
}
