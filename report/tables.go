package report

import (
	"cmp"
	"maps"
	"slices"

	"github.com/lintel-policy/lintel/api/v1alpha1"
)

// A Table counts the objects of a report by one thing that they have: the policies
// that were asked about them, a label, their namespace.
type Table struct {
	By   string `json:"by"` // policy, the key of a label, or namespace
	Rows []Row  `json:"rows"`
}

// A Row counts the objects of one policy, of one value of a label or of one namespace.
// One that is denied and warned about counts as both.
type Row struct {
	// Name is "" for objects without the label, and for those of no namespace.
	Name      string `json:"name"`
	Objects   int    `json:"objects"`
	Denied    int    `json:"denied"`
	Warned    int    `json:"warned"`
	Recorded  int    `json:"recorded"`
	Patched   int    `json:"patched"`
	Undecided int    `json:"undecided"`
	// Before is how many were denied in an earlier run; nil if there is none to compare with.
	Before *int `json:"before,omitempty"`
}

// The tables that are always there.
const (
	byPolicy    = "policy"
	byNamespace = "namespace"
)

// Tables counts the objects by policy, by each label of GroupedBy and by namespace.
// Rows with the most denied objects come first; those with none are there as well.
func (r *Report) Tables() []Table {
	tables := []Table{r.tableByPolicy()}
	for i, key := range r.GroupedBy {
		tables = append(tables, r.tableBy(key, func(o *Object) string { return at(o.Labels, i) }))
	}
	tables = append(tables, r.tableBy(byNamespace, func(o *Object) string { return o.Ref.Namespace }))
	for i, t := range tables {
		tables[i] = r.Since.compare(t)
	}
	return tables
}

func at(list []string, i int) string {
	if i < len(list) {
		return list[i]
	}
	return ""
}

// tableByPolicy counts for each policy what that policy says.
func (r *Report) tableByPolicy() Table {
	rows := map[string]*Row{}
	for _, p := range r.Policies {
		rows[p.Name] = &Row{Name: p.Name}
	}
	for i := range r.Objects {
		o := &r.Objects[i]
		for _, name := range o.Asked {
			rowOf(rows, name).add(o, name)
		}
	}
	return newTable(byPolicy, rows)
}

// tableBy counts the objects that were judged.
func (r *Report) tableBy(what string, nameOf func(*Object) string) Table {
	rows := map[string]*Row{}
	for i := range r.Objects {
		if o := &r.Objects[i]; o.Passed == "" {
			rowOf(rows, nameOf(o)).add(o, "")
		}
	}
	return newTable(what, rows)
}

func rowOf(rows map[string]*Row, name string) *Row {
	if rows[name] == nil {
		rows[name] = &Row{Name: name}
	}
	return rows[name]
}

func newTable(by string, rows map[string]*Row) Table {
	t := Table{By: by, Rows: []Row{}}
	for _, name := range slices.Sorted(maps.Keys(rows)) {
		t.Rows = append(t.Rows, *rows[name])
	}
	slices.SortStableFunc(t.Rows, func(a, b Row) int {
		return cmp.Or(cmp.Compare(b.Denied, a.Denied), cmp.Compare(b.Undecided, a.Undecided), cmp.Compare(b.Warned, a.Warned), cmp.Compare(b.Recorded, a.Recorded))
	})
	return t
}

// add counts an object, by what one policy says of it, or all if policy is "".
func (row *Row) add(o *Object, policy string) {
	has := func(e v1alpha1.Enforcement) bool {
		return slices.ContainsFunc(o.with(e), func(v Violation) bool { return policy == "" || v.Policy == policy })
	}
	row.Objects++
	row.Denied += one(has(v1alpha1.Deny))
	row.Warned += one(has(v1alpha1.Warn))
	row.Recorded += one(has(v1alpha1.DryRun))
	row.Patched += one(slices.ContainsFunc(o.Patches, func(p Patch) bool {
		return p.Mode == v1alpha1.PatchApply && (policy == "" || slices.Contains(p.Policies, policy))
	}))
	row.Undecided += one(o.isUndecided(policy))
}

func (o *Object) isUndecided(policy string) bool {
	if o.Err != nil {
		return true
	}
	for _, e := range o.Errors {
		if e.OnError == v1alpha1.OnErrorDeny && (policy == "" || e.Policy == policy) {
			return true
		}
	}
	return false
}
