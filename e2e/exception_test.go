package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// images holds the pods that controllers make to a registry as well.
const images = `# METADATA
# custom:
#   controlled: deny
#   match: {kinds: [{apiGroups: [""], kinds: [Pod]}]}
package lintel.images

violation contains {"msg": "the image is from elsewhere"} if {
	some container in input.review.object.spec.containers
	not startswith(container.image, "registry.example.com/")
}
`

// excused are exceptions for a Deployment and a Job.
const excused = `apiVersion: lintel.dev/v1alpha1
kind: Policy
metadata: {name: images}
spec: {exceptions: {}}
---
apiVersion: lintel.dev/v1alpha1
kind: PolicyException
metadata: {name: legacy, namespace: excepted}
spec: {policies: [images], objects: {kinds: [Deployment, CronJob], names: [legacy]}, reason: r, owner: o, expires: "2100-01-01T00:00:00Z"}
`

// runs are two Deployments that are alike but for their names, and a CronJob.
const runs = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME}
spec:
  selector: {matchLabels: {app: NAME}}
  template:
    metadata: {labels: {app: NAME}}
    spec: {containers: [{name: a, image: nginx}]}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: NAME}
spec:
  schedule: "* * * * *"
  jobTemplate: {spec: {template: {metadata: {labels: {job: NAME}}, spec: {restartPolicy: Never, containers: [{name: a, image: nginx}]}}}}
`

// pretends is a pod that somebody makes by hand with an owner that is not its own.
const pretends = `{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "legacy", "labels": {"pod-template-hash": "5d8f"},
	"ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "legacy-5d8f", "uid": "1", "controller": true}]},
	"spec": {"containers": [{"name": "a", "image": "nginx"}]}}`

// TestExceptionCoversWhatItsObjectMakes has real controllers make pods of an excused
// workload, and of one that is not.
func TestExceptionCoversWhatItsObjectMakes(t *testing.T) {
	s := newStage(t, "excepted")
	folder := libraryWith(t, "enforcement: dryrun")
	for name, text := range map[string]string{"images/images.rego": images, "excused.yaml": excused} {
		file := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.guard(t, folder)
	for _, name := range []string{"legacy", "other"} {
		s.kubectlWith(t, strings.ReplaceAll(runs, "NAME", name), "apply", "-f", "-").admitted(t, "Workloads themselves have no image that the policy is about.")
		// A minute is long.
		s.must(t, "create", "job", "--from=cronjob/"+name, name+"-29000000")
	}
	pods := func(label string) string { return s.must(t, "get", "pods", "-l", label, "-o", "name") }
	await(t, "the pod of an excused Deployment", func() bool { return pods("app=legacy") != "" })
	await(t, "the pod of a Job of an excused CronJob", func() bool { return pods("job=legacy") != "" })
	await(t, "the controller to say that it may not make a pod", func() bool {
		return strings.Contains(s.must(t, "get", "replicasets", "-l", "app=other", "-o", "jsonpath={.items[*].status.conditions[*].message}"), "the image is from elsewhere")
	})
	if got := pods("app=other") + pods("job=other"); got != "" {
		t.Errorf("what is not excused has %s", got)
	}
	s.kubectlWith(t, pretends, "apply", "-f", "-").denied(t, "An owner that is written into a pod proves nothing.")
}
