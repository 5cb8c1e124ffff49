package engine

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/lintel-policy/lintel/api/v1alpha1"
)

// revision is a hash of the policies and all that configures them, whatever order
// they come in and wherever they come from. What discovery says of a cluster is
// left out, so that the same policies are the same everywhere.
func (c Config) revision() (string, error) {
	policies := slices.Clone(c.Policies)
	for i := range policies {
		policies[i].Origin = ""
	}
	slices.SortStableFunc(policies, func(a, b Policy) int { return cmp.Compare(a.Name, b.Name) })

	return revisionOf(policies, c.excuses(), c.ExcludedNamespaces, c.ExemptUsers, c.Controllers)
}

// revisionOf returns a hash of parts.
func revisionOf(parts ...any) (string, error) {
	hash := sha256.New()
	for _, part := range parts {
		if err := json.NewEncoder(hash).Encode(part); err != nil {
			return "", fmt.Errorf("hash the policies: %w", err)
		}
	}
	return hex.EncodeToString(hash.Sum(nil))[:12], nil
}

// revisionOfOne is a hash of one policy and of all that has a say in what it decides.
func (c Config) revisionOfOne(name string) (string, error) {
	i := slices.IndexFunc(c.Policies, func(p Policy) bool { return p.Name == name })
	policy := c.Policies[i]
	policy.Origin = ""
	excuses := slices.DeleteFunc(c.excuses(), func(e v1alpha1.PolicyException) bool { return !slices.Contains(e.Spec.Policies, name) })
	return revisionOf(policy, excuses, c.ExcludedNamespaces, c.ExemptUsers, c.Controllers)
}

// excuses returns what of the exceptions has a say in decisions, in the order of
// namespace and name.
func (c Config) excuses() []v1alpha1.PolicyException {
	excuses := make([]v1alpha1.PolicyException, len(c.Exceptions))
	for i, e := range c.Exceptions {
		excuses[i].Namespace, excuses[i].Name, excuses[i].Spec = e.Namespace, e.Name, e.Spec
	}
	slices.SortFunc(excuses, func(a, b v1alpha1.PolicyException) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return excuses
}
