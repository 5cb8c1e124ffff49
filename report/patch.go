package report

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
)

// maxValue is how many characters of a value in a patch are shown. The whole
// patch is in the JSON.
const maxValue = 160

// An operation is one of an RFC 6902 patch, as the engine makes them.
type operation struct {
	Op    string          `json:"op"`
	Path  string          `json:"path"`
	Value json.RawMessage `json:"value"`
}

// patch returns what a patch changes.
func (t *text) patch(o *Object, p Patch) string {
	var b strings.Builder
	headline := o.Ref.Printable() + " is patched by "
	if p.Mode == v1alpha1.PatchRecord {
		headline = o.Ref.Printable() + " is not patched, but could be by "
	}
	headline += engine.Printable(strings.Join(p.Policies, ", "))
	fmt.Fprintln(&b, t.paint(cyan, headline+":"))
	var operations []operation
	if err := json.Unmarshal(p.JSON, &operations); err != nil {
		operations = []operation{{Op: "unreadable"}}
	}
	for _, op := range operations {
		fmt.Fprintf(&b, "  %s\n", engine.Printable(op.String()))
	}
	t.place(&b, o.Source)
	return b.String()
}

// String returns the operation in one line.
func (op operation) String() string {
	line := op.Op + " " + pathOf(op.Path).String()
	if len(op.Value) > 0 {
		line += ": " + short(string(op.Value))
	}
	return line
}

// short cuts s, between characters.
func short(s string) string {
	runes := []rune(s)
	if len(runes) <= maxValue {
		return s
	}
	return string(runes[:maxValue]) + "…"
}

// pathOf reads a JSON pointer. What looks like an index is taken to be one, and
// "-", the end of a list, is left out.
func pathOf(pointer string) engine.Path {
	var path engine.Path
	for step := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		step = strings.NewReplacer("~1", "/", "~0", "~").Replace(step)
		if step == "-" {
			continue
		}
		if n, err := strconv.Atoi(step); err == nil && n >= 0 {
			path = append(path, n)
			continue
		}
		path = append(path, step)
	}
	return path
}
