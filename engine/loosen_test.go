package engine_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
)

// guardedPod is a pod spec with restrictions that it has itself.
const guardedPod = `{"hostUsers": false, "automountServiceAccountToken": false, "serviceAccountName": "web", "volumes": [{"name": "v", "emptyDir": {}}],
	"securityContext": {"runAsNonRoot": true, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
	"containers": [{"name": "a", "image": "i", "ports": [{"containerPort": 80}], "securityContext": {"allowPrivilegeEscalation": false,
		"readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]}}}]}`

// TestPatchesLoosenNothing has policies try to get at what pods of others may do: the
// object is sent by somebody who may do more than who writes the policy.
func TestPatchesLoosenNothing(t *testing.T) {
	const container = `"containers", 0, `
	cases := map[string]struct {
		change string // its path is below the pod spec
		want   string // what it would loosen; "" if the change is made
	}{
		"HostNetwork":      {`{"path": ["hostNetwork"], "value": true}`, "hostNetwork"},
		"HostPID":          {`{"path": ["hostPID"], "value": true}`, "hostPID"},
		"HostIPC":          {`{"path": ["hostIPC"], "value": true}`, "hostIPC"},
		"HostUsers":        {`{"path": ["hostUsers"], "op": "set", "value": true}`, "hostUsers"},
		"HostUsersRemoved": {`{"path": ["hostUsers"], "op": "remove"}`, "hostUsers"},
		"HostPath":         {`{"path": ["volumes"], "op": "append", "value": {"name": "h", "hostPath": {"path": "/"}}}`, `volumes.hostPath {"path": "/"}`},
		"HostPathInto":     {`{"path": ["volumes", 0, "hostPath", "path"], "value": "/"}`, `volumes.hostPath {"path": "/"}`},
		"HostPort":         {`{"path": [` + container + `"ports", 0, "hostPort"], "value": 80}`, "containers[a].ports.hostPort 80"},
		"Account":          {`{"path": ["serviceAccountName"], "op": "set", "value": "admin"}`, "serviceAccountName admin"},
		"AccountRemoved":   {`{"path": ["serviceAccountName"], "op": "remove"}`, "serviceAccountName default"},
		"Token":            {`{"path": ["automountServiceAccountToken"], "op": "remove"}`, "automountServiceAccountToken"},
		"Root":             {`{"path": ["securityContext", "runAsUser"], "op": "set", "value": 0}`, "securityContext.runAsUser"},
		"RootOfContainer":  {`{"path": [` + container + `"securityContext", "runAsNonRoot"], "value": false}`, "containers[a].securityContext.runAsNonRoot"},
		"Context":          {`{"path": ["securityContext"], "op": "remove"}`, "securityContext.runAsNonRoot"},
		"Privileged":       {`{"path": [` + container + `"securityContext", "privileged"], "value": true}`, "containers[a].securityContext.privileged"},
		"Escalation":       {`{"path": [` + container + `"securityContext", "allowPrivilegeEscalation"], "op": "remove"}`, "containers[a].securityContext.allowPrivilegeEscalation"},
		"Root filesystem":  {`{"path": [` + container + `"securityContext", "readOnlyRootFilesystem"], "op": "set", "value": false}`, "containers[a].securityContext.readOnlyRootFilesystem"},
		"Added":            {`{"path": [` + container + `"securityContext", "capabilities", "add"], "op": "append", "value": "SYS_ADMIN"}`, `containers[a].securityContext.capabilities.add "SYS_ADMIN"`},
		"NotDropped":       {`{"path": [` + container + `"securityContext", "capabilities", "drop", 0], "op": "remove"}`, `containers[a].securityContext.capabilities.drop "ALL"`},
		"Unmasked":         {`{"path": [` + container + `"securityContext", "procMount"], "value": "Unmasked"}`, "containers[a].securityContext.procMount"},
		"Unconfined":       {`{"path": ["securityContext", "seccompProfile", "type"], "op": "set", "value": "Unconfined"}`, "securityContext.seccompProfile"},
		"SELinux":          {`{"path": ["securityContext", "seLinuxOptions", "type"], "value": "spc_t"}`, `securityContext.seLinuxOptions {"type": "spc_t"}`},
		"Sysctl":           {`{"path": ["securityContext", "sysctls"], "op": "append", "value": {"name": "kernel.msgmax", "value": "1"}}`, `securityContext.sysctls`},
		"Windows":          {`{"path": ["securityContext", "windowsOptions", "hostProcess"], "value": true}`, "securityContext.windowsOptions.hostProcess"},
		"Container":        {`{"path": ["initContainers"], "op": "append", "value": {"name": "b", "image": "i", "securityContext": {"privileged": true}}}`, "initContainers[b].securityContext.privileged"},
		"Debugged":         {`{"path": ["ephemeralContainers"], "op": "append", "value": {"name": "b", "image": "i", "securityContext": {"privileged": true}}}`, "ephemeralContainers[b].securityContext.privileged"},
		"Containers":       {`{"path": ["containers"], "op": "set", "value": [{"name": "a", "image": "i"}]}`, "containers[a].securityContext.allowPrivilegeEscalation"},
		"Renamed":          {`{"path": [` + container + `"name"], "op": "set", "value": "b"}`, "containers[a].securityContext.allowPrivilegeEscalation"},

		"Stricter":      {`{"path": [` + container + `"securityContext", "runAsNonRoot"], "value": true}`, ""},
		"OtherUser":     {`{"path": ["securityContext", "runAsUser"], "op": "set", "value": 2000}`, ""},
		"Localhost":     {`{"path": ["securityContext", "seccompProfile"], "op": "set", "value": {"type": "Localhost", "localhostProfile": "a"}}`, ""},
		"OtherImage":    {`{"path": [` + container + `"image"], "op": "set", "value": "mirror/i"}`, ""},
		"Resources":     {`{"path": [` + container + `"resources", "requests", "cpu"], "value": "1"}`, ""},
		"EmptyDir":      {`{"path": ["volumes"], "op": "append", "value": {"name": "w", "emptyDir": {}}}`, ""},
		"PullSecret":    {`{"path": ["imagePullSecrets"], "op": "append", "value": {"name": "pull"}}`, ""},
		"GuardedBeside": {`{"path": ["initContainers"], "op": "append", "value": {"name": "b", "image": "i"}}`, ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			for kind, in := range map[string]string{"Pod": "", "Deployment": `"spec", "template", `, "CronJob": `"spec", "jobTemplate", "spec", "template", `, "Job": `"spec", "template", `} {
				rule := add(strings.Replace(tc.change, `"path": [`, `"path": [`+in+`"spec", `, 1))
				m := patch(t, setOf(t, ofAll(policy("a", rule))), ask{kind: kind, object: podOf(t, kind)})
				said := ""
				for _, err := range m.Errors {
					said += err.Error()
				}
				refused := strings.Contains(said, "no patch lets pods do more than what was sent does: "+tc.want)
				if tc.want != "" && (!refused || m.Patch != nil) || tc.want == "" && (said != "" || m.Patch == nil) {
					t.Errorf("%s: patch %s, errors %q, want %q", kind, m.Patch, said, tc.want)
				}
			}
		})
	}
}

// ofAll is a policy about all kinds.
func ofAll(p engine.Policy) engine.Policy {
	p.Spec.Match = &v1alpha1.Match{Kinds: []v1alpha1.Kinds{{APIGroups: []string{"*"}, Kinds: []string{"*"}}}}
	return p
}

// podOf is an object of a kind with the spec of guardedPod.
func podOf(t *testing.T, kind string) object {
	t.Helper()
	var spec any
	if err := json.Unmarshal([]byte(guardedPod), &spec); err != nil {
		t.Fatal(err)
	}
	template := object{"spec": spec}
	switch kind {
	case "Pod":
		return template
	case "CronJob":
		return object{"spec": object{"jobTemplate": object{"spec": object{"template": template}}}}
	}
	return object{"spec": object{"template": template}}
}

// TestPatchesLoosenNothingTogether has two policies that do nothing each, but together
// put another container in the place of one that is restricted.
func TestPatchesLoosenNothingTogether(t *testing.T) {
	const in = `"path": ["spec", "template", "spec", "containers"`
	a := policy("a", add(`{`+in+`], "op": "append", "key": "image", "value": {"name": "a", "image": "evil"}}`))
	b := policy("b", "patch contains {"+in+`, 0], "op": "remove"} if count(input.review.object.spec.template.spec.containers) == 2`)
	m := patch(t, setOf(t, a, b), ask{object: podOf(t, "Deployment")})
	want := mutation{
		Patch: `[{"op":"add","path":"/spec/template/spec/containers/1","value":{"image":"evil","name":"a"}}]`, Policies: []string{"a"}, // two of a name, which the API server refuses
		Errors: []string{"policy b: patch: spec.template.spec.containers[0]: no patch lets pods do more than what was sent does: containers[a].securityContext.allowPrivilegeEscalation"},
	}
	if diff := cmp.Diff(want, mutationOf(m)); diff != "" {
		t.Errorf("Patch(...): -want, +got:\n%s", diff)
	}
}

// TestAuthoritiesAreNotPatched holds that nobody is given a role by a policy.
func TestAuthoritiesAreNotPatched(t *testing.T) {
	rule := ofAll(policy("a", add(`{"path": ["subjects"], "op": "append", "value": {"kind": "User", "name": "mallory"}}`)))
	for _, kind := range []string{"ClusterRoleBinding", "RoleBinding"} {
		m := patch(t, setOf(t, rule), ask{group: "rbac.authorization.k8s.io", kind: kind, object: object{"subjects": []any{}}})
		if m.Patch != nil {
			t.Errorf("%s: patched by %s", kind, m.Patch)
		}
	}
}
