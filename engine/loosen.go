package engine

import (
	"fmt"
	"maps"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// authorities are the API groups that say who may do what: nothing of theirs is patched.
var authorities = []string{"rbac.authorization.k8s.io", "admissionregistration.k8s.io"} //nolint:gochecknoglobals // never changed

// specs are where the pod specs of kinds are, beside those in templates.
var specs = map[string]Path{"Pod": {"spec"}, "Job": {"spec", "template", "spec"}} //nolint:gochecknoglobals // never changed

// podSpec returns where the pod spec of a kind is.
func podSpec(kind string) (Path, bool) {
	if spec, ok := specs[kind]; ok {
		return spec, true
	}
	template, ok := templates[kind]
	return append(slices.Clone(template), "spec"), ok
}

// containerLists are the fields of a pod spec that hold containers.
var containerLists = []string{"containers", "initContainers", "ephemeralContainers"} //nolint:gochecknoglobals // never changed

// loosening are the settings by which pods may do more, and their values by which they
// do: those of the Pod Security Standards, and the account that pods run as.
var loosening = map[string]ast.Boolean{ //nolint:gochecknoglobals // never changed
	"allowPrivilegeEscalation": true, "automountServiceAccountToken": true, "hostIPC": true, "hostNetwork": true, "hostPID": true,
	"hostProcess": true, "hostUsers": true, "privileged": true, "readOnlyRootFilesystem": false, "runAsNonRoot": false,
}

// A leash is what a pod spec says of what its pods may do: powers that it gives, and
// restrictions. Each is named by its path, with containers by their names.
type leash struct{ powers, restrictions map[string]bool }

// leashOf reads the pod spec of an object.
func leashOf(object *ast.Term, path Path) leash {
	l := leash{map[string]bool{}, map[string]bool{}}
	spec := lookup(object, path)
	l.flags("", spec)
	l.powers["serviceAccountName "+accountOf(spec)] = true
	for _, volume := range listOf(child(spec, "volumes")) {
		if host := child(volume, "hostPath"); isPresent(host) {
			l.powers["volumes.hostPath "+host.String()] = true
		}
	}
	l.context("securityContext", child(spec, "securityContext"))
	for _, list := range containerLists {
		for _, container := range listOf(child(spec, list)) {
			name, _ := textAt(container, "name")
			where := fmt.Sprintf("%s[%s].", list, Printable(name))
			l.context(where+"securityContext", child(container, "securityContext"))
			for _, port := range listOf(child(container, "ports")) {
				if host := child(port, "hostPort"); isPresent(host) {
					l.powers[where+"ports.hostPort "+host.String()] = true
				}
			}
		}
	}
	return l
}

// accountOf is the service account of a pod spec.
func accountOf(spec *ast.Term) string {
	for _, field := range []string{"serviceAccountName", "serviceAccount"} {
		if name, _ := textAt(spec, field); name != "" {
			return Printable(name)
		}
	}
	return "default"
}

// flags reads the settings of t that are true or false.
func (l leash) flags(where string, t *ast.Term) {
	for field, power := range loosening {
		if value, ok := valueOf[ast.Boolean](child(t, field)); ok && value == power {
			l.powers[where+field] = true
		} else if ok {
			l.restrictions[where+field] = true
		}
	}
}

// context reads the security context of a pod or a container.
func (l leash) context(where string, t *ast.Term) {
	where += "."
	l.flags(where, t)
	l.flags(where+"windowsOptions.", child(t, "windowsOptions"))
	l.one(where+"runAsUser", child(t, "runAsUser"), "0")
	l.one(where+"procMount", child(t, "procMount"), `"Unmasked"`)
	for _, field := range []string{"seccompProfile", "appArmorProfile"} {
		l.one(where+field, at(t, field, "type"), `"Unconfined"`)
	}
	for _, field := range []string{"seLinuxOptions", "sysctls"} {
		if value := child(t, field); isPresent(value) {
			l.powers[where+field+" "+value.String()] = true
		}
	}
	for _, added := range listOf(at(t, "capabilities", "add")) {
		l.powers[where+"capabilities.add "+added.String()] = true
	}
	for _, dropped := range listOf(at(t, "capabilities", "drop")) {
		l.restrictions[where+"capabilities.drop "+dropped.String()] = true
	}
}

// one reads a setting that gives a power by one value, and restricts by others.
func (l leash) one(where string, value *ast.Term, power string) {
	switch {
	case !isPresent(value):
	case value.String() == power:
		l.powers[where] = true
	default:
		l.restrictions[where] = true
	}
}

// listOf returns the items of a list.
func listOf(t *ast.Term) []*ast.Term {
	var items []*ast.Term
	if list, ok := valueOf[*ast.Array](t); ok {
		list.Foreach(func(item *ast.Term) { items = append(items, item) })
	}
	return items
}

// looser returns what l gives or takes off that before does not, "" if there is none.
func (l leash) looser(before leash) string {
	for _, power := range slices.Sorted(maps.Keys(l.powers)) {
		if !before.powers[power] {
			return power
		}
	}
	for _, restriction := range slices.Sorted(maps.Keys(before.restrictions)) {
		if !l.restrictions[restriction] {
			return restriction
		}
	}
	return ""
}

// loosens returns an error if the pods of after may do what those of the request's own
// object may not. Patches are made in the name of whoever sent the object, with all that
// its pods may do: who writes a policy is not to get at that.
func (pt *patcher) loosens(after *ast.Term) error {
	path, ok := podSpec(pt.req.kind.Kind)
	if !ok {
		return nil
	}
	if more := leashOf(after, path).looser(leashOf(pt.req.object, path)); more != "" {
		return fmt.Errorf("no patch lets pods do more than what was sent does: %s", more)
	}
	return nil
}

// mayLoosen reports whether a write to a path can change what pods may do. What is below
// a container otherwise, such as its resources, is written often, and cannot.
func (pt *patcher) mayLoosen(path Path) bool {
	spec, ok := podSpec(pt.req.kind.Kind)
	if !ok || !touches(path, []Path{spec}) {
		return false
	}
	rest := path[min(len(spec), len(path)):]
	if len(rest) == 0 {
		return true
	}
	field, _ := rest[0].(string)
	_, isFlag := loosening[field]
	switch {
	case slices.Contains(containerLists, field):
		return len(rest) < 3 || rest[2] == "securityContext" || rest[2] == "ports" || rest[2] == "name"
	case isFlag:
		return true
	}
	return slices.Contains([]string{"securityContext", "serviceAccountName", "serviceAccount", "volumes"}, field)
}

// checkLoosening returns an error if a change alone lets pods do more.
func (pt *patcher) checkLoosening(c change, object *ast.Term) error {
	if !pt.mayLoosen(c.path) {
		return nil
	}
	after, err := c.apply(object, c.path)
	if err != nil {
		return nil //nolint:nilerr // it is said when it is applied
	}
	if err := pt.loosens(after); err != nil {
		return fmt.Errorf("%s: %w", c.path, err)
	}
	return nil
}
