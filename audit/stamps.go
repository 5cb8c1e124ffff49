package audit

import (
	"encoding/json"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/lintel-policy/lintel/engine"
)

// A Window is a time, both ends included. If From is zero it is none, and if To is zero
// it has no end.
type Window struct{ From, To time.Time }

// has reports whether one of some times is in it.
func (w Window) has(times []time.Time) bool {
	return slices.ContainsFunc(times, func(t time.Time) bool { return !t.Before(w.From) && (w.To.IsZero() || !t.After(w.To)) })
}

// String writes it as in "2027-01-31T14:00:00Z/2027-01-31T14:30:00Z".
func (w Window) String() string {
	if w.To.IsZero() {
		return engine.Moment(w.From) + "/"
	}
	return engine.Moment(w.From) + "/" + engine.Moment(w.To)
}

// stamps are what the API server keeps of an object beside what it is.
type stamps struct {
	uid   types.UID
	owner *metav1.OwnerReference // the controller; nil without one
	times []time.Time
}

// stampsOf reads the stamps of an object, as far as they can be read. The times are when
// it was made, and when each of those who have set a field of it last changed one. Who
// writes the status changes nothing that a policy is asked about.
func stampsOf(object []byte) stamps {
	var o struct {
		Metadata struct {
			UID               types.UID
			CreationTimestamp time.Time
			OwnerReferences   []metav1.OwnerReference
			ManagedFields     []struct {
				Time        time.Time
				Subresource string
			}
		}
	}
	_ = json.Unmarshal(object, &o) // the API server writes JSON; what cannot be read is zero
	meta := &o.Metadata
	s := stamps{uid: meta.UID, times: []time.Time{meta.CreationTimestamp}}
	for _, f := range meta.ManagedFields {
		if f.Subresource != "status" && !f.Time.IsZero() && !slices.Contains(s.times, f.Time) {
			s.times = append(s.times, f.Time)
		}
	}
	for _, owner := range meta.OwnerReferences {
		if owner.Controller != nil && *owner.Controller {
			s.owner = &owner
		}
	}
	return s
}
