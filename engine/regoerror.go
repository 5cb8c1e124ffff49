package engine

import (
	"errors"
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// RegoError returns what OPA says of Rego that does not compile as people read it:
// one error as a line that begins with its file, several under a line that counts
// them. Any other error is returned as it is.
func RegoError(err error) error {
	var all ast.Errors
	switch {
	case !errors.As(err, &all) || len(all) == 0:
		return err
	case len(all) == 1:
		return all[0]
	}
	lines := make([]string, len(all))
	for i, e := range all {
		lines[i] = e.Error()
	}
	return fmt.Errorf("%d errors:\n%s", len(all), strings.Join(lines, "\n"))
}
