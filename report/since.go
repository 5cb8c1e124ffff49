package report

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"
)

// An Earlier is what an earlier run counted.
type Earlier struct {
	Time   time.Time
	denied map[[2]string]int // by table and row
	tables map[string]bool
}

// ReadEarlier reads the JSON of an earlier report that has tables.
func ReadEarlier(name string, data []byte) (*Earlier, error) {
	var doc struct {
		Time   time.Time `json:"time"`
		Tables []Table   `json:"tables"`
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, fmt.Errorf("%s: read the earlier run: %w", name, err)
	}
	if len(doc.Tables) == 0 || doc.Time.IsZero() {
		return nil, fmt.Errorf("%s: read the earlier run: it is not what lintel audit -o json writes", name)
	}
	e := &Earlier{Time: doc.Time, denied: map[[2]string]int{}, tables: map[string]bool{}}
	for _, t := range doc.Tables {
		e.tables[t.By] = true
		for _, row := range t.Rows {
			e.denied[[2]string{t.By, row.Name}] = row.Denied
		}
	}
	return e, nil
}

// compare returns t with what its rows were. A row that was not there had none, and one
// that is not there any more has none.
func (e *Earlier) compare(t Table) Table {
	if e == nil || !e.tables[t.By] {
		return t
	}
	here := map[string]bool{}
	for i := range t.Rows {
		here[t.Rows[i].Name] = true
		before := e.denied[[2]string{t.By, t.Rows[i].Name}]
		t.Rows[i].Before = &before
	}
	for _, row := range slices.SortedFunc(maps.Keys(e.denied), func(a, b [2]string) int { return cmp.Compare(a[1], b[1]) }) {
		if before := e.denied[row]; row[0] == t.By && !here[row[1]] && before > 0 {
			t.Rows = append(t.Rows, Row{Name: row[1], Before: &before})
		}
	}
	return t
}
