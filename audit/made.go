package audit

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/lintel-policy/lintel/engine"
)

// makers are the kinds that built-in controllers make, and what they make them of.
var makers = map[string][]string{
	"Pod":                   {"ReplicaSet", "ReplicationController", "StatefulSet", "DaemonSet", "Job"},
	"ReplicaSet":            {"Deployment"},
	"Job":                   {"CronJob"},
	"PersistentVolumeClaim": {"Pod", "StatefulSet"},
}

// asMade returns the request as made by whoever makes such objects: what a built-in
// controller makes of a workload is recorded, and the workload is where people are told.
func (v *reviewer) asMade(req *engine.Request) *engine.Request {
	ref, owner := req.Ref(), req.Owner()
	if owner != nil && slices.Contains(makers[ref.Kind], owner.Kind) || ref.Kind == "PersistentVolumeClaim" && v.claims.has(ref.Namespace, ref.Name) {
		return req.By(engine.DefaultControllers()[0])
	}
	return req
}

// claims are the beginnings of the names of what StatefulSets claim, with their
// namespaces: a claim carries no reference to what made it.
type claims map[string]bool

var statefulSetKind = Kind{schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "StatefulSet"}, "statefulsets", true}

// isClaims reports whether a kind is that of claims.
func (k Kind) isClaims() bool { return k.Resource == "persistentvolumeclaims" && k.Group == "" }

// claims reads the StatefulSets, if claims are among kinds. It returns the version of
// that list too, "" where they cannot be read: then claims are judged as made by people.
func (l *lister) claims(ctx context.Context, kinds []Kind) (found claims, version string) {
	found = claims{}
	if !slices.ContainsFunc(kinds, Kind.isClaims) {
		return found, ""
	}
	version, _ = l.list(ctx, statefulSetKind, func(object []byte) {
		type named struct {
			Metadata struct{ Namespace, Name string }
		}
		var set struct {
			named
			Spec struct{ VolumeClaimTemplates []named }
		}
		if json.Unmarshal(object, &set) != nil {
			return // it would be no list that the API server sends
		}
		for _, t := range set.Spec.VolumeClaimTemplates {
			found[set.Metadata.Namespace+"/"+t.Metadata.Name+"-"+set.Metadata.Name] = true
		}
	})
	return found, version
}

// has reports whether a claim is one of a StatefulSet's.
func (c claims) has(namespace, name string) bool {
	return isNumbered(name) && c[namespace+"/"+name[:strings.LastIndexByte(name, '-')]]
}

// isNumbered reports whether a name ends in a number, as those of pods and claims of
// StatefulSets do.
func isNumbered(name string) bool {
	number := name[strings.LastIndexByte(name, '-')+1:]
	return len(number) < len(name) && number != "" && strings.Trim(number, "0123456789") == ""
}
