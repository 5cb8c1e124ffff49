package splice

import (
	"bytes"
	"cmp"
	"slices"
)

// An edit puts text in the place of what is between two offsets.
type edit struct {
	from, to int
	text     string
}

// A group are the edits that one operation of a job takes.
type group struct {
	job   *job
	edits []edit
}

// inOrder sorts edits, and reports whether there are some and none overlaps another.
func inOrder(edits []edit) bool {
	slices.SortStableFunc(edits, func(a, b edit) int { return cmp.Compare(a.from, b.from) })
	end := 0
	for _, e := range edits {
		if e.from < end || e.to < e.from {
			return false
		}
		end = e.to
	}
	return len(edits) > 0
}

// join returns the edits of groups in the order of their places, and moves the jobs
// on that they are of. Of two groups that touch, the second has to wait.
func join(groups []group) []edit {
	slices.SortStableFunc(groups, func(a, b group) int { return cmp.Compare(a.edits[0].from, b.edits[0].from) })
	var all []edit
	end := -1
	for _, g := range groups {
		if g.edits[0].from <= end {
			continue
		}
		all = append(all, g.edits...)
		for _, e := range g.edits {
			end = max(end, e.to)
		}
		g.job.next++
	}
	return all
}

// perform returns text with the edits made.
func perform(text string, edits []edit) string {
	var b bytes.Buffer
	copied := 0
	for _, e := range edits {
		b.WriteString(text[copied:e.from])
		b.WriteString(e.text)
		copied = e.to
	}
	b.WriteString(text[copied:])
	return b.String()
}
