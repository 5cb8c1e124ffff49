package engine

import "github.com/open-policy-agent/opa/v1/ast"

// literals are the values that JSON writes as words.
var literals = []struct { //nolint:gochecknoglobals // never changed
	text string
	term *ast.Term
}{
	{"true", ast.InternedTerm(true)},
	{"false", ast.InternedTerm(false)},
	{"null", ast.NullTerm()},
}

// maxKnown is the length of the longest of knownTerms, in bytes.
const maxKnown = len("topologySpreadConstraints") + 4

// knownTerms are the terms of strings that are in most manifests. Sharing them
// saves the decoder an allocation and OPA a comparison. They are never changed.
var knownTerms = shareTerms( //nolint:gochecknoglobals // never changed
	// The request.
	"uid", "kind", "group", "version", "resource", "requestKind", "requestResource", "name", "namespace", "operation",
	"userInfo", "username", "groups", "extra", "object", "oldObject", "dryRun", "options", "subResource", "requestSubResource",
	"CREATE", "UPDATE", "DELETE", "CONNECT", "review", "parameters", "time", "namespaceObject", "system:authenticated",
	// Metadata.
	"apiVersion", "metadata", "labels", "annotations", "creationTimestamp", "deletionTimestamp", "generation", "generateName",
	"resourceVersion", "ownerReferences", "controller", "blockOwnerDeletion", "finalizers", "app", "environment", "team", "service",
	"app.kubernetes.io/name", "app.kubernetes.io/part-of", "app.kubernetes.io/component", "app.kubernetes.io/version",
	"v1", "apps", "batch", "apps/v1", "batch/v1", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Pod", "Job", "CronJob", "Service",
	"ConfigMap", "deployments", "pods", "production", "default",
	// Workloads.
	"spec", "status", "replicas", "selector", "matchLabels", "matchExpressions", "key", "operator", "values", "template", "strategy",
	"rollingUpdate", "maxSurge", "maxUnavailable", "type", "RollingUpdate", "revisionHistoryLimit", "progressDeadlineSeconds", "minReadySeconds",
	"serviceName", "volumeClaimTemplates", "updateStrategy", "podManagementPolicy", "jobTemplate", "schedule", "backoffLimit",
	// Pods.
	"containers", "initContainers", "ephemeralContainers", "volumes", "restartPolicy", "Always", "Never", "OnFailure", "serviceAccount",
	"serviceAccountName", "nodeSelector", "affinity", "tolerations", "topologySpreadConstraints", "topologyKey", "maxSkew", "whenUnsatisfiable",
	"labelSelector", "ScheduleAnyway", "DoNotSchedule", "topology.kubernetes.io/zone", "kubernetes.io/hostname", "dnsPolicy", "ClusterFirst",
	"schedulerName", "default-scheduler", "securityContext", "terminationGracePeriodSeconds", "imagePullSecrets", "hostNetwork", "priorityClassName",
	"automountServiceAccountToken",
	// Containers.
	"image", "imagePullPolicy", "IfNotPresent", "command", "args", "env", "envFrom", "value", "valueFrom", "secretKeyRef", "configMapKeyRef",
	"fieldRef", "fieldPath", "resources", "requests", "limits", "cpu", "memory", "ports", "port", "containerPort", "targetPort", "protocol", "TCP",
	"hostPort", "http", "https", "metrics", "livenessProbe", "readinessProbe", "startupProbe", "httpGet", "exec", "tcpSocket", "grpc", "path",
	"scheme", "HTTP", "failureThreshold", "successThreshold", "periodSeconds", "timeoutSeconds", "initialDelaySeconds", "volumeMounts", "mountPath",
	"subPath", "readOnly", "lifecycle", "preStop", "terminationMessagePath", "/dev/termination-log", "terminationMessagePolicy", "File",
	"allowPrivilegeEscalation", "readOnlyRootFilesystem", "runAsNonRoot", "runAsUser", "capabilities", "drop", "ALL", "add", "seccompProfile",
	"RuntimeDefault", "privileged",
	// Volumes and configuration.
	"configMap", "secret", "secretName", "emptyDir", "hostPath", "persistentVolumeClaim", "claimName", "defaultMode", "items", "data",
)

func shareTerms(texts ...string) map[string]*ast.Term {
	terms := make(map[string]*ast.Term, len(texts))
	for _, s := range texts {
		terms[s] = ast.StringTerm(s)
	}
	return terms
}
