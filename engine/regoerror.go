package engine

import (
	"errors"
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// RegoError returns what OPA says of Rego that does not compile as people read it:
// one error as a line that begins with its file, several under a line that counts
// them, and under each what mends it, where that is not plain. Any other error is
// returned as it is.
func RegoError(err error) error {
	var all ast.Errors
	if !errors.As(err, &all) || len(all) == 0 {
		return err
	}
	lines := make([]string, len(all))
	for i, e := range all {
		lines[i] = e.Error()
		if mend := hint(e); mend != "" {
			lines[i] += "\n\t" + mend
		}
	}
	if len(lines) == 1 {
		return errors.New(lines[0])
	}
	return fmt.Errorf("%d errors:\n%s", len(all), strings.Join(lines, "\n"))
}
