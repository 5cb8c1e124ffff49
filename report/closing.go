package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/lintel-policy/lintel/engine"
)

// closing returns the lines at the end, which count. What there is none of is left
// out, but for denials.
func (r *Report) closing() []string {
	var lines []string
	if line := r.mostly(); line != "" {
		lines = append(lines, line)
	}
	lines = append(lines, r.counted())
	if r.Baseline != nil {
		lines = append(lines, r.Baseline.String())
	}
	return lines
}

// counted counts objects, in one line.
func (r *Report) counted() string {
	s := r.Summary()
	parts := []string{fmt.Sprintf("%s: %d denied", engine.Counted(s.Objects, "object", "objects"), s.Denied)}
	for _, c := range []struct {
		n    int
		what string
	}{{s.Warned, "warned about"}, {s.Recorded, "recorded"}, {s.Patched, "patched"}, {s.Excused, "excused by exceptions"}, {s.Undecided, "undecided"}} {
		if c.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", c.n, c.what))
		}
	}
	line := strings.Join(parts, ", ")
	if s.Passed > 0 {
		line += fmt.Sprintf("; %d passed unjudged (%s)", s.Passed, strings.Join(r.reasons(), ", "))
	}
	if s.Skipped > 0 {
		line += "; " + engine.Counted(s.Skipped, "document", "documents") + " skipped"
	}
	if n := len(r.Errors); n > 0 {
		line += "; " + engine.Counted(n, "error", "errors")
	}
	return line
}

// String returns what people are told of a baseline, in one line.
func (c *Comparison) String() string {
	parts := []string{fmt.Sprintf("baseline: %s in it", engine.Counted(c.Old, "old finding", "old findings"))}
	if c.Gone > 0 {
		parts = append(parts, fmt.Sprintf("%d gone (-o baseline=FILE writes it without them)", c.Gone))
	}
	if c.Elsewhere > 0 {
		parts = append(parts, fmt.Sprintf("%d of what is not checked here", c.Elsewhere))
	}
	return strings.Join(parts, ", ")
}

// manyObjects is with how many objects at fault nobody counts policies by eye.
const manyObjects = 10

// mostly counts violations by policy, in one line, where many objects have some.
func (r *Report) mostly() string {
	counts := map[string]int{}
	atFault := 0
	for i := range r.Objects {
		found := 0
		for _, v := range r.Objects[i].Violations {
			if !v.Old {
				counts[v.Policy]++
				found++
			}
		}
		atFault += one(found > 0)
	}
	if atFault < manyObjects {
		return ""
	}
	names := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
	for i, name := range names {
		names[i] = fmt.Sprintf("%s %d", engine.Printable(name), counts[name])
	}
	return "violations: " + strings.Join(names, ", ")
}

// reasons returns why objects passed unjudged, each once.
func (r *Report) reasons() []string {
	reasons := map[string]bool{}
	for i := range r.Objects {
		if why := r.Objects[i].Passed; why != "" {
			reasons[engine.Printable(why)] = true
		}
	}
	return slices.Sorted(maps.Keys(reasons))
}
