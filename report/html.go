package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"time"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
)

// html writes one page that needs nothing beside it: no script, no style sheet, no
// image.
type html struct{ cfg Config }

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// A pageData is what the page is made of. The template escapes it.
type pageData struct {
	Time, Revision, Version, Counted, Since string
	Tables                                  []pageTable
	LastDays                                []string
	Objects                                 []pageObject
	More                                    int // objects that are not listed
	Errors                                  []string
}

type pageTable struct {
	By       string
	Compared bool
	Rows     []pageRow
}

type pageRow struct {
	Row
	Label, Change string
	// Width is that of the bar, in percent of the worst row's.
	Width float64
}

type pageObject struct {
	Name       string
	Violations []pageViolation
}

type pageViolation struct {
	Policy, Path, Message, Fix string
	Enforcement                v1alpha1.Enforcement
	Severity                   engine.Severity
}

// listedObjects is how many objects the page lists: more than anybody reads, and few
// enough for a browser. The tables count all.
const listedObjects = 2000

// Write writes r.
func (h html) Write(w io.Writer, r *Report) error {
	data := pageData{
		Time: r.Time.UTC().Format(time.RFC3339), Revision: engine.Footer(r.Revision), Version: h.cfg.Version, Counted: r.counted(),
	}
	if r.Since != nil {
		data.Since = r.Since.Time.UTC().Format(time.RFC3339)
	}
	for _, t := range r.Tables() {
		data.Tables = append(data.Tables, newPageTable(t))
	}
	for _, day := range r.LastDays {
		data.LastDays = append(data.LastDays, day.Text(r.Time))
	}
	data.list(r)
	for _, e := range r.AllErrors() {
		data.Errors = append(data.Errors, engine.Printable(e.text()))
	}
	if err := pageTemplate.Execute(w, data); err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	return nil
}

func newPageTable(t Table) pageTable {
	page := pageTable{By: engine.Printable(t.By), Compared: t.isCompared()}
	worst := 1
	for _, row := range t.Rows {
		worst = max(worst, row.Denied)
	}
	for _, row := range t.Rows {
		page.Rows = append(page.Rows, pageRow{row, engine.Printable(t.nameOf(row)), row.change(), 100 * float64(row.Denied) / float64(worst)})
	}
	return page
}

// list lists the objects with violations, the denied ones first.
func (d *pageData) list(r *Report) {
	for _, denied := range []bool{true, false} {
		for i := range r.Objects {
			o := &r.Objects[i]
			if len(o.Violations) == 0 || len(o.with(v1alpha1.Deny)) > 0 != denied {
				continue
			}
			if len(d.Objects) == listedObjects {
				d.More++
				continue
			}
			d.Objects = append(d.Objects, newPageObject(o))
		}
	}
}

func newPageObject(o *Object) pageObject {
	page := pageObject{Name: o.Ref.Printable()}
	for _, v := range o.Violations {
		page.Violations = append(page.Violations, pageViolation{
			v.Policy, engine.Printable(v.Path.String()), engine.PrintableLines(v.Message), engine.PrintableLines(v.Fix), v.Enforcement, v.Severity,
		})
	}
	return page
}
