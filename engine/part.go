package engine

import "slices"

// A Part is some of the policies of a [Set]. For each request every policy is in
// just one of Enforcing and Recording, so that two webhooks that are both asked
// about a request judge nothing twice.
type Part int

const (
	// Whole is all policies.
	Whole Part = iota
	// Enforcing is the policies that can deny, for requests that may wait for a
	// verdict however long that takes to come.
	Enforcing
	// Recording is all others, and all policies for requests that go on when nobody
	// answers: those of the built-in controllers, whose violations do not deny, and
	// scaling, which an outage must not stop.
	Recording
)

// Part returns the Set that answers for one part only. It has the same revision,
// and its descriptions are those of the whole.
func (s *Set) Part(part Part) *Set {
	c := *s
	c.part = part
	return &c
}

// answers reports whether p is in the part of the Set that answers.
func (s *Set) answers(p *policy, r *Request) bool {
	return s.part == Whole || (s.part == Enforcing) == s.mayHold(p, r)
}

// mayHold reports whether r is to be held up until p has judged it.
func (s *Set) mayHold(p *policy, r *Request) bool {
	return p.canDeny && r.subresource != ScaleSubresource && (p.info.Controlled || !s.controllers[r.user])
}

// ScaleSubresource is the one by which people and autoscalers set replicas.
const ScaleSubresource = "scale"

// Controllers returns the users whose violations are recorded and not denied, sorted.
func (s *Set) Controllers() []string { return sortedKeys(s.controllers) }

// ExemptUsers returns the users who are never judged, sorted.
func (s *Set) ExemptUsers() []string { return sortedKeys(s.exempt) }

func sortedKeys(set map[string]bool) []string {
	keys := make([]string, 0, len(set))
	for key := range set {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
