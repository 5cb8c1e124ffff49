package engine

import (
	"slices"
	"time"

	"github.com/lintel-policy/lintel/api/v1alpha1"
)

// EnforcementAt is the enforcement that is in force at a time where no scope says
// otherwise: that of the latest stage that has begun, else the policy's own.
func (i Info) EnforcementAt(now time.Time) v1alpha1.Enforcement {
	enforcement := i.Enforcement
	for _, s := range i.Spec.Stages {
		if !now.Before(s.From.Time) {
			enforcement = s.Enforcement
		}
	}
	return enforcement
}

// NextStage is the one that begins next after a time, nil where none is to come.
func (i Info) NextStage(now time.Time) *v1alpha1.Stage {
	for n := range i.Spec.Stages {
		if s := &i.Spec.Stages[n]; now.Before(s.From.Time) {
			return &v1alpha1.Stage{From: s.From, Enforcement: i.EnforcementAt(s.From.Time)}
		}
	}
	return nil
}

// DeniedFrom is when a stage to come denies what is let by at a time, the zero time
// where none does.
func (i Info) DeniedFrom(now time.Time) time.Time {
	if i.EnforcementAt(now) == v1alpha1.Deny {
		return time.Time{}
	}
	for _, s := range i.Spec.Stages {
		if now.Before(s.From.Time) && i.EnforcementAt(s.From.Time) == v1alpha1.Deny {
			return s.From.Time
		}
	}
	return time.Time{}
}

// Phase counts what of a policy has begun or ended by a time: stages, and exceptions
// from it. Between two times of one phase, time alone changes no verdict of it.
func (s *Set) Phase(policy string, at time.Time) int {
	n := 0
	for _, p := range s.policies {
		for _, stage := range p.info.Spec.Stages {
			if p.info.Name == policy && !at.Before(stage.From.Time) {
				n++
			}
		}
	}
	for _, exceptions := range s.exceptions {
		for _, e := range exceptions {
			if slices.Contains(e.policies, policy) && !at.Before(e.expires) {
				n++
			}
		}
	}
	return n
}

// byTime returns stages in the order in which they begin. Of two that begin at once
// the later in the list counts.
func byTime(stages []v1alpha1.Stage) []v1alpha1.Stage {
	return slices.SortedStableFunc(slices.Values(stages), func(a, b v1alpha1.Stage) int {
		return a.From.Compare(b.From.Time)
	})
}

// Moment returns a time as people read it in messages, and as they write it in
// objects, where it has whole seconds.
func Moment(t time.Time) string { return t.UTC().Format(time.RFC3339) }
