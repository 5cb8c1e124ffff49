package cluster_test

import (
	"strings"
	"testing"

	"github.com/lintel-policy/lintel/e2e/cluster"
)

// onlyReplicaSetController refuses pods in the namespace shop that anybody but
// the ReplicaSet controller creates.
const onlyReplicaSetController = `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: only-replicaset-controller}
spec:
  failurePolicy: Fail
  matchConstraints:
    namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}
    resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods]}]
  validations:
  - expression: request.userInfo.username == "system:serviceaccount:kube-system:replicaset-controller"
    message: not the ReplicaSet controller
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: only-replicaset-controller}
spec: {policyName: only-replicaset-controller, validationActions: [Deny]}
`

// refused says whether the administrator's pod is refused already.
func refused(t *testing.T, c *cluster.Cluster) bool {
	t.Helper()
	_, stderr, code := c.Kubectl(t.Context(), nil, "run", "mine", "--image=nginx", "-n", "shop", "--dry-run=server")
	return code != 0 && strings.Contains(stderr, "not the ReplicaSet controller")
}
