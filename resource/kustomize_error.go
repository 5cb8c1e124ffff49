package resource

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// kustomizeProblems match what may be repeated of the errors of kustomize, which
// quote configurations, patches and values otherwise. The innermost comes first.
var kustomizeProblems = []*regexp.Regexp{ //nolint:gochecknoglobals // never changed
	regexp.MustCompile(`cycle detected: candidate root '[^'\n]*' contains visited root '[^'\n]*'`),
	regexp.MustCompile(`security; file '[^'\n]*' is not in or below '[^'\n]*'`),
	regexp.MustCompile(`may not add resource with an already registered id: [A-Za-z0-9./\[\]:_-]+`),
	regexp.MustCompile(`expected kind (!= )?'[A-Za-z]*' for path '[^'\n]*'( but got '[A-Za-z]*')?`),
	regexp.MustCompile(`no resource matches strategic merge patch "[A-Za-z0-9./\[\]:_-]+"`),
	regexp.MustCompile(`no matches for Id [A-Za-z0-9./\[\]:_-]+; failed to find unique target for patch [A-Za-z0-9./\[\]:_-]+`),
	regexp.MustCompile(`unable to find patch target`),
	regexp.MustCompile(`(add|remove|replace|move|copy|test) operation does not apply: doc is missing (path|key|from path): [A-Za-z0-9./~:_-]+`),
	regexp.MustCompile(`testing value [A-Za-z0-9./~:_-]+ failed`),
	regexp.MustCompile(`Unable to complete the copy, the accumulated size`),
	regexp.MustCompile(`illegally qualifies as both an SM and JSON patch`),
	regexp.MustCompile(`unable to parse SM or JSON patch`),
	regexp.MustCompile(`must specify one of patch and path`),
	regexp.MustCompile(`patch and path can't be set at the same time`),
	regexp.MustCompile(`nothing selected by [A-Za-z0-9./\[\]:_-]+`),
	regexp.MustCompile(`multiple matches for selector`),
	regexp.MustCompile(`unable to find field "?[A-Za-z0-9./\[\]=:_-]+"? in (replacement (source|target)|the (source|target))`),
	regexp.MustCompile(`fieldPath [A-Za-z0-9./\[\]=:_` + "`" + `-]+ is missing for replacement source [A-Za-z0-9./\[\]:_-]+`),
	regexp.MustCompile(`merging from generator`),
	regexp.MustCompile(`id resid\.ResId\{[^}\n]*\} does not exist; cannot merge or replace`),
	regexp.MustCompile(`kustomization\.yaml is empty`),
	regexp.MustCompile(`json: unknown field "[A-Za-z0-9._-]+"`),
	regexp.MustCompile(`var '[A-Za-z0-9_-]+' cannot be mapped to a field in the set of known resources`),
	regexp.MustCompile(`invalid literal source`),
	regexp.MustCompile(`path "[^"\n]*" is ambiguous: resolves to "[^"\n]*" after normalization`),
	regexp.MustCompile(`[Mm]issing (metadata\.name|kind) in object`),
	regexp.MustCompile(`the specified OpenAPI version is not built in`),
	regexp.MustCompile(`unable to load builtin [A-Za-z0-9./_-]+`),
}

// unbuilt returns an error of kustomize as it may be shown.
func unbuilt(err error) error {
	text := err.Error()
	for _, problem := range kustomizeProblems {
		if found := problem.FindString(text); found != "" {
			return fmt.Errorf("cannot be built: %s", relative(found))
		}
	}
	return errUnbuildable
}

// relative shortens the absolute paths that kustomize shows.
func relative(text string) string {
	folder, err := os.Getwd()
	if err != nil {
		return text
	}
	if folder, err = filepath.EvalSymlinks(folder); err != nil || folder == "/" {
		return text
	}
	text = strings.ReplaceAll(text, folder+"/", "")
	return strings.ReplaceAll(text, "'"+folder+"'", "'.'")
}

var (
	unknown  = regexp.MustCompile(`json: unknown field "([^"\\]{1,100})"`)
	mistyped = regexp.MustCompile(`json: cannot unmarshal (string|number|bool|object|array)[^ ]* into Go struct field [A-Za-z0-9]+\.([A-Za-z0-9.]+) of type`)
)

// unknownField returns the field of a kustomization that kustomize does not know.
func unknownField(err error) (string, bool) {
	if m := unknown.FindStringSubmatch(err.Error()); m != nil {
		return m[1], true
	}
	return "", false
}

// unmarshalProblem says why kustomize cannot read a kustomization.
func unmarshalProblem(err error) string {
	if field, ok := unknownField(err); ok {
		return fmt.Sprintf("unknown field %q", field)
	}
	if m := mistyped.FindStringSubmatch(err.Error()); m != nil {
		return fmt.Sprintf("%s is %s", m[2], article(m[1]))
	}
	return "it does not fit the fields of one"
}
