package verify

import (
	"context"
	"fmt"
	"slices"

	"github.com/lintel-policy/lintel/engine"
)

// Settles returns what is wrong with the patches that a set makes of a request's
// object: that they fail, change again what they have made, or bring about a violation.
func Settles(ctx context.Context, set *engine.Set, req *engine.Request, inventory *engine.Inventory) ([]string, error) {
	first, err := set.Patch(ctx, req, inventory)
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, e := range first.Errors {
		lines = append(lines, "patch: "+e.Err.Error())
	}
	lines = append(lines, first.Warnings...)
	if first.Patch == nil {
		return lines, nil
	}
	again, err := set.Patch(ctx, first.Request, inventory)
	if err != nil {
		return nil, err
	}
	if again.Patch != nil {
		lines = append(lines, fmt.Sprintf("patching what was patched changes it again: %s", engine.Printable(string(again.Patch))))
	}
	before, err := set.Review(ctx, req, inventory)
	if err != nil {
		return nil, err
	}
	after, err := set.Review(ctx, first.Request, inventory)
	if err != nil {
		return nil, err
	}
	for _, v := range after.Violations {
		if !slices.ContainsFunc(before.Violations, func(b engine.Violation) bool {
			return b.Policy == v.Policy && b.Path.String() == v.Path.String()
		}) {
			lines = append(lines, "the patch brings about: "+engine.Printable(v.Path.String()+": "+v.Message))
		}
	}
	return lines, nil
}
