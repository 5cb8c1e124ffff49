package engine //nolint:testpackage // it gives the tests of this package another evaluator

// WithoutPlans returns s with topdown in place of plans. It changes s.
func WithoutPlans(s *Set) *Set {
	for _, p := range s.policies {
		for _, q := range []*query{p.violations, p.patches} {
			if q != nil {
				q.plan = nil
			}
		}
	}
	return s
}
