package doctor

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/version"
)

// oldest is the oldest API server that Lintel is made for: it has match conditions
// and ValidatingAdmissionPolicies.
const oldest = "1.30"

// checkServer finds an API server that is too old.
func checkServer(s *Snapshot) []Finding {
	v, err := version.ParseGeneric(s.Server)
	if err != nil || v.AtLeast(version.MustParseGeneric(oldest)) {
		return nil
	}
	return []Finding{{
		Check: "versions.server", Severity: Problem, Object: "API server", Message: fmt.Sprintf("is %s, and Lintel needs %s or newer", s.Server, oldest),
		Why: "an older one takes no match conditions, by which Lintel stays out of the way of the control plane",
	}}
}

// isOutside reports whether the API server calls a Lintel outside of the cluster.
func (s *Snapshot) isOutside() bool {
	for _, e := range s.own() {
		if e.client.URL != nil {
			return true
		}
	}
	return false
}

const applyInstallation = "kubectl apply -f install.yaml"

// checkDeployment looks at the replicas.
func checkDeployment(s *Snapshot) []Finding {
	f := Finding{Check: "replicas.ready", Severity: Problem, Object: s.installed(), Field: "status.readyReplicas", Command: "kubectl -n " + s.Namespace + " describe pods -l app.kubernetes.io/name=lintel"}
	d := s.Deployment
	switch {
	case d == nil && (!s.saw(seenDeployment) || s.isOutside()):
		return nil
	case d == nil:
		f.Check, f.Field, f.Message, f.Command = "replicas.missing", "", "is not there", applyInstallation
		f.Why = "nobody judges anything; is Lintel in another namespace, name it with -n"
		return []Finding{f}
	}
	wanted := int32(1)
	if d.Spec.Replicas != nil {
		wanted = *d.Spec.Replicas
	}
	ready := d.Status.ReadyReplicas
	switch {
	case ready == 0:
		f.Message, f.Why = "no replica is ready", "what policies can deny is refused, and all else is not judged"
	case ready < wanted:
		f.Severity, f.Message, f.Why = Warning, fmt.Sprintf("%d of %d replicas are ready", ready, wanted), "there is less to fall back on"
	case d.Status.UpdatedReplicas < wanted || d.Status.ObservedGeneration < d.Generation:
		f.Severity, f.Message, f.Why = Warning, "its last change has not been rolled out", "replicas of both kinds answer"
		f.Command = "kubectl -n " + s.Namespace + " rollout status deployment lintel"
	case wanted == 1:
		f.Check, f.Severity, f.Field, f.Message = "replicas.one", Warning, "spec.replicas", "there is one replica"
		f.Why, f.Command = "when its node goes, what policies can deny is refused until it is back", "kubectl -n "+s.Namespace+" scale deployment lintel --replicas=3"
	default:
		return nil
	}
	return []Finding{f}
}

// checkEndpoints looks at whether the Service leads anywhere.
func checkEndpoints(s *Snapshot) []Finding {
	if s.Deployment == nil || s.Deployment.Status.ReadyReplicas == 0 || !s.saw(seenEndpoints) {
		return nil
	}
	for _, slice := range s.Endpoints {
		for _, e := range slice.Endpoints {
			if e.Conditions.Ready == nil || *e.Conditions.Ready {
				return nil
			}
		}
	}
	return []Finding{{
		Check: "service.endpoints", Severity: Problem, Object: "Service " + s.Namespace + "/" + lintel, Message: "has no endpoint that is ready",
		Why: "the API server reaches no replica", Command: "kubectl -n " + s.Namespace + " describe service lintel",
	}}
}

// checkBudget looks for what keeps a drain from taking all replicas.
func checkBudget(s *Snapshot) []Finding {
	if s.Deployment == nil || !s.saw(seenBudgets) {
		return nil
	}
	for _, b := range s.Budgets {
		selector, err := metav1.LabelSelectorAsSelector(b.Spec.Selector)
		if err == nil && selector.Matches(labels.Set(s.Deployment.Spec.Template.Labels)) {
			return nil
		}
	}
	return []Finding{{
		Check: "replicas.budget", Severity: Warning, Object: "PodDisruptionBudget " + s.Namespace + "/" + lintel, Message: "is not there",
		Why: "a drain may take all replicas at once", Command: applyInstallation,
	}}
}

// checkKept looks for the objects that replicas share, which they cannot make.
func checkKept(s *Snapshot) []Finding {
	if s.Deployment == nil {
		return nil
	}
	var found []Finding
	missing := func(object, why string) {
		found = append(found, Finding{Check: "replicas.shared", Severity: Problem, Object: object, Message: "is not there", Why: why, Command: applyInstallation})
	}
	if s.saw(seenLease) && s.Lease == nil {
		missing("Lease "+s.Namespace+"/"+lintel, "no replica can lead, and none of them may make it; without a leader nothing is registered")
	}
	if s.saw(seenConfigMaps) && s.configMap(stateName) == nil {
		missing("ConfigMap "+s.Namespace+"/"+stateName, "the leader keeps there what it has registered, and may not make it")
	}
	if s.NoSecret {
		missing("Secret "+s.Namespace+"/"+secretName, "replicas share their certificates there, and none of them may make it")
	}
	return found
}

// checkImages finds replicas of different versions, and ones of another than this is.
func checkImages(s *Snapshot) []Finding {
	container := s.container()
	if container == nil {
		return nil
	}
	images := map[string]bool{}
	for _, p := range s.Pods {
		for _, c := range p.Status.ContainerStatuses {
			if c.Name == container.Name && p.Status.Phase == corev1.PodRunning {
				images[c.ImageID] = true
			}
		}
	}
	var found []Finding
	if len(images) > 1 {
		found = append(found, Finding{
			Check: "versions.replicas", Severity: Warning, Object: s.installed(), Message: "replicas run different images",
			Why: "the same request may be judged by either", Command: "kubectl -n " + s.Namespace + " rollout status deployment lintel",
		})
	}
	mine, mineErr := version.ParseSemantic(s.Version)
	_, tag, _ := strings.Cut(container.Image[strings.LastIndex(container.Image, "/")+1:], ":")
	theirs, theirErr := version.ParseSemantic(tag)
	if mineErr == nil && theirErr == nil && (mine.LessThan(theirs) || theirs.LessThan(mine)) {
		found = append(found, Finding{
			Check: "versions.binary", Severity: Note, Object: s.installed(), Field: "spec.template.spec.containers[0].image",
			Message: fmt.Sprintf("runs %s, and this is lintel %s", tag, s.Version),
			Why:     "policies of the library, and with them what is registered, may differ",
		})
	}
	return found
}

// revision finds a revision in what a replica says of itself.
var revision = regexp.MustCompile(`[0-9a-f]{12,64}`)

// checkRevisions finds replicas that judge by different policies.
func checkRevisions(s *Snapshot) []Finding {
	m := s.configMap(replicasName)
	if m == nil {
		return nil
	}
	revisions := map[string]bool{}
	for replica, text := range m.Data {
		if found := revision.FindString(text); found != "" && s.isAlive(replica) {
			revisions[found] = true
		}
	}
	if len(revisions) < 2 {
		return nil
	}
	return []Finding{{
		Check: "replicas.revisions", Severity: Warning, Object: "ConfigMap " + s.Namespace + "/" + replicasName,
		Message: fmt.Sprintf("replicas judge by %d different sets of policies", len(revisions)),
		Why:     "within five seconds of a change all have the same, unless one cannot read the cluster",
		Command: "kubectl -n " + s.Namespace + " get configmap " + replicasName + " -o yaml",
	}}
}

// isAlive reports whether a replica, whose identity begins with the name of its pod,
// is there still, as far as that is known.
func (s *Snapshot) isAlive(replica string) bool {
	return len(s.Pods) == 0 || slices.ContainsFunc(s.Pods, func(p corev1.Pod) bool { return strings.HasPrefix(replica, p.Name) })
}
