package controller

import (
	admissionv1 "k8s.io/api/admissionregistration/v1"

	"github.com/lintel-policy/lintel/engine"
)

// Expect returns what a [Registrar] tells the API server for a set of policies once
// it has been asked, but for where the webhook is and who owns the registration. The
// error joins one for each policy that asks for what cannot be.
func Expect(set *engine.Set, catalog *Catalog) (Registration, error) {
	p := plan{set: set, name: "lintel", failure: admissionv1.Fail, own: ownRules(catalog), target: Target{CABundle: func() []byte { return nil }}}
	var err error
	p.rules, err = newEntryRules(set.Policies(), catalog)
	return p.register(), err
}
