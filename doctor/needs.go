package doctor

import "strings"

// The objects of an installation, as manifests/install.yaml has them.
const (
	lintel       = "lintel"           // the ClusterRole, the Deployment, the Service, the Lease, both webhook configurations
	secretName   = "lintel-tls"       //nolint:gosec // G101: a name
	stateName    = "lintel-state"     // the ConfigMap of what the leader has registered
	replicasName = "lintel-replicas"  // the ConfigMap of which replica serves which revision
	lastGoodName = "lintel-last-good" // the ConfigMap of the sources of policies
	lastDayName  = "lintel-last-day"  // the ConfigMap of what policies would have denied
	labelsName   = "lintel-namespace-labels"
)

// A Need is what Lintel's account has to be allowed.
type Need struct {
	Group, Resource, Subresource string
	Namespace                    string // if empty, everywhere
	Name                         string // if empty, all of the resource
	Verbs                        []string
	Why                          string // what it is for, or what goes wrong without
}

// Traits are what decides about the needs of an installation.
type Traits struct {
	Namespace string
	// Cluster says that policies are objects of the cluster.
	Cluster bool
	// Has says which ConfigMaps there are in the namespace, by name.
	Has map[string]bool
}

// Needs returns what Lintel's account needs, whatever policies there are.
// manifests holds the roles of an installation to it, in both directions.
func Needs(t Traits) []Need {
	const registrations = "to register the webhook, which otherwise is never asked, or asked about what policies no longer match"
	read, hooks := []string{"get", "list", "watch"}, []string{"get", "create", "patch", "update", "delete"}
	needs := []Need{
		{Resource: "namespaces", Verbs: read, Why: "policies go by the labels of namespaces, and no replica starts without"},
		{Group: "admissionregistration.k8s.io", Resource: "validatingwebhookconfigurations", Name: lintel, Verbs: hooks, Why: registrations},
		{Group: "admissionregistration.k8s.io", Resource: "mutatingwebhookconfigurations", Name: lintel, Verbs: hooks, Why: registrations},
		{Group: "rbac.authorization.k8s.io", Resource: "clusterroles", Name: lintel, Verbs: []string{"get"}, Why: "the registration belongs to that ClusterRole, to go with it"},
		{Group: "events.k8s.io", Resource: "events", Verbs: []string{"create", "patch"}, Why: "Events tell the owners of objects what was found"},
		{Group: "apps", Resource: "replicasets", Verbs: []string{"get"}, Why: "an Event about a pod goes to the Deployment that it comes from"},
		{Group: "batch", Resource: "jobs", Verbs: []string{"get"}, Why: "an Event about a pod goes to the CronJob that it comes from"},
		{Resource: "secrets", Namespace: t.Namespace, Name: secretName, Verbs: []string{"get", "update"}, Why: "replicas share their certificates there"},
		{Group: "coordination.k8s.io", Resource: "leases", Namespace: t.Namespace, Name: lintel, Verbs: []string{"get", "update"}, Why: "one replica leads, by that Lease, and without a leader nothing is registered"},
		{Resource: "configmaps", Namespace: t.Namespace, Name: stateName, Verbs: []string{"get", "update"}, Why: "the leader keeps there what it has registered"},
	}
	for _, name := range []string{replicasName, lastGoodName, lastDayName} {
		if t.Has[name] {
			needs = append(needs, Need{Resource: "configmaps", Namespace: t.Namespace, Name: name, Verbs: []string{"get", "update", "patch"}, Why: "replicas share there what the others have to know"})
		}
	}
	if t.Cluster {
		needs = append(
			needs,
			Need{Group: "lintel.dev", Resource: "policies", Verbs: read, Why: "policies are read from the cluster"},
			Need{Group: "lintel.dev", Resource: "policyexceptions", Verbs: read, Why: "exceptions are read from the cluster"},
			Need{Group: "lintel.dev", Resource: "policies", Subresource: "status", Verbs: []string{"patch"}, Why: "the status of a Policy says whether it is in force"},
			Need{Group: "lintel.dev", Resource: "policyexceptions", Subresource: "status", Verbs: []string{"patch"}, Why: "the status of a PolicyException says whether it is honoured"},
		)
	}
	return needs
}

// what names the resource as kubectl does, with the one object if it is one.
func (n Need) what() string {
	name := n.Resource
	if n.Group != "" {
		name += "." + n.Group
	}
	if n.Subresource != "" {
		name += "/" + n.Subresource
	}
	if n.Name != "" {
		name += " " + strings.TrimPrefix(n.Namespace+"/"+n.Name, "/")
	}
	return name
}
