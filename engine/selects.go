package engine

import "github.com/lintel-policy/lintel/api/v1alpha1"

// Selects reports whether an exception selects an object of its namespace by kind,
// name and labels. Policies and expiry are not looked at. The error says what is
// broken about the exception.
func Selects(e v1alpha1.PolicyException, kind, name string, labels map[string]string) (bool, error) {
	compiled, err := newException(e)
	if err != nil {
		return false, err
	}
	return compiled.selects(origin{kind, name, labels}), nil
}
