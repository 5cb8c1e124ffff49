package resource

import (
	"maps"
	"reflect"
	"slices"

	"sigs.k8s.io/kustomize/api/types"
)

// choose decides which kustomizations are built: those that no other uses, then those
// that only components use which are not built themselves, then one of each cycle,
// of which kustomize tells.
func (p *plan) choose() {
	var all []*kustomization
	named := map[*kustomization]bool{}
	for _, folder := range slices.Sorted(maps.Keys(p.known)) {
		k := p.known[folder]
		if k == nil {
			continue
		}
		all = append(all, k)
		for _, inner := range k.inner {
			named[inner] = true
		}
	}
	p.take(all, named)
	named = map[*kustomization]bool{}
	for _, k := range all {
		if k.used || k.isComponent() {
			continue
		}
		for _, inner := range k.inner {
			named[inner] = true
		}
	}
	p.take(all, named)
	p.take(all, nil)
}

// take has all built that others do not name and that nothing built so far uses.
func (p *plan) take(all []*kustomization, named map[*kustomization]bool) {
	for _, k := range all {
		if k.isComponent() || k.used || named[k] {
			continue
		}
		k.chosen = true
		for _, b := range k.builds() {
			b.used = true
		}
	}
}

// builds returns all that is built with k, each once, k first.
func (k *kustomization) builds() []*kustomization {
	out := []*kustomization{k}
	seen := map[*kustomization]bool{k: true}
	for i := 0; i < len(out); i++ {
		for _, inner := range out[i].inner {
			if !seen[inner] {
				seen[inner] = true
				out = append(out, inner)
			}
		}
	}
	return out
}

// maxBuilds is how many kustomizations may be built for one, each as often as it is
// used: what is used twice on every level is used a million times on twenty.
const maxBuilds = 10_000

// count returns how many kustomizations are built for k, at most one more than
// allowed. Those in a cycle count once; kustomize refuses them.
func (k *kustomization) count(counted map[*kustomization]int) int {
	if n, ok := counted[k]; ok {
		return n
	}
	counted[k] = 1
	n := 1
	for _, inner := range k.inner {
		n = min(n+inner.count(counted), maxBuilds+1)
	}
	counted[k] = n
	return n
}

// isPlain reports whether a kustomization does nothing but list objects.
func (k *kustomization) isPlain() bool {
	return reflect.DeepEqual(k.Kustomization, types.Kustomization{TypeMeta: k.TypeMeta, MetaData: k.MetaData, Resources: k.Resources})
}
