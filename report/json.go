package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
)

// jsonFormat writes one JSON document. Lists are never null.
type jsonFormat struct{}

// A document is the JSON of a report.
type document struct {
	Revision    string       `json:"revision"`
	Results     []jsonResult `json:"results"`
	Patches     []jsonPatch  `json:"patches"`
	Errors      []jsonError  `json:"errors"`
	Passed      []jsonPassed `json:"passed"`
	Excused     []jsonExcuse `json:"excused"`
	Warnings    []jsonNote   `json:"warnings"`
	Assumptions []string     `json:"assumptions"`
	Baseline    *Comparison  `json:"baseline,omitempty"`
	Time        *time.Time   `json:"time,omitempty"`     // of an audit
	Tables      []Table      `json:"tables,omitempty"`   // of an audit
	LastDays    []LastDay    `json:"lastDays,omitempty"` // of an audit, where Lintel counts
	Summary     Summary      `json:"summary"`
}

type jsonResult struct {
	Policy      string               `json:"policy"`
	Enforcement v1alpha1.Enforcement `json:"enforcement"`
	Severity    engine.Severity      `json:"severity"`
	Message     string               `json:"message"`
	Path        string               `json:"path"`
	Subject     string               `json:"subject,omitempty"`
	Object      engine.ObjectRef     `json:"object"`
	Source      *Source              `json:"source,omitempty"`
	Fix         string               `json:"fix,omitempty"`
	Details     json.RawMessage      `json:"details,omitempty"`
	Existing    bool                 `json:"existing,omitempty"`
	Controlled  bool                 `json:"controlled,omitempty"`
	DeniedFrom  *time.Time           `json:"deniedFrom,omitempty"` // by a stage of the policy
	Baseline    bool                 `json:"baseline,omitempty"`   // whether the baseline has it
}

type jsonPatch struct {
	Mode     v1alpha1.PatchMode `json:"mode"`
	Policies []string           `json:"policies"`
	Object   engine.ObjectRef   `json:"object"`
	Source   *Source            `json:"source,omitempty"`
	Patch    json.RawMessage    `json:"patch"`
}

type jsonError struct {
	File    string            `json:"file,omitempty"`
	Line    int               `json:"line,omitempty"`
	Policy  string            `json:"policy,omitempty"`
	Object  *engine.ObjectRef `json:"object,omitempty"`
	OnError v1alpha1.OnError  `json:"onError,omitempty"`
	Message string            `json:"message"`
}

type jsonPassed struct {
	Object engine.ObjectRef `json:"object"`
	Source *Source          `json:"source,omitempty"`
	Reason string           `json:"reason"`
}

type jsonExcuse struct {
	Policy    string           `json:"policy"`
	Exception string           `json:"exception"`         // namespace/name
	Expires   *time.Time       `json:"expires,omitempty"` // not for what a policy exempts
	Object    engine.ObjectRef `json:"object"`
	Source    *Source          `json:"source,omitempty"`
}

type jsonNote struct {
	File    string            `json:"file,omitempty"`
	Line    int               `json:"line,omitempty"`
	Object  *engine.ObjectRef `json:"object,omitempty"`
	Message string            `json:"message"`
}

// Write writes r.
func (jsonFormat) Write(w io.Writer, r *Report) error { return EncodeJSON(w, newDocument(r)) }

func newDocument(r *Report) document {
	doc := document{
		Revision: r.Revision, Results: []jsonResult{}, Patches: []jsonPatch{}, Errors: []jsonError{},
		Passed: []jsonPassed{}, Excused: []jsonExcuse{}, Warnings: []jsonNote{}, Assumptions: append([]string{}, r.Assumptions...),
		Baseline: r.Baseline, LastDays: r.LastDays, Summary: r.Summary(),
	}
	if r.GroupedBy != nil {
		doc.Time, doc.Tables = &r.Time, r.Tables()
	}
	for _, e := range r.AllErrors() {
		doc.Errors = append(doc.Errors, jsonError{e.Source.File, e.Source.Line, e.Policy, e.Object, e.OnError, e.Message})
	}
	for _, n := range r.Warnings {
		doc.Warnings = append(doc.Warnings, jsonNote{File: n.Source.File, Line: n.Source.Line, Message: n.Message})
	}
	for i := range r.Objects {
		doc.add(&r.Objects[i])
	}
	return doc
}

func (doc *document) add(o *Object) {
	for _, v := range o.Violations {
		doc.Results = append(doc.Results, jsonResult{
			Policy: v.Policy, Enforcement: v.Enforcement, Severity: v.Severity, Message: v.Message, Path: v.Path.String(),
			Subject: v.Subject, Object: o.Ref, Source: v.Source.orNil(), Fix: v.Fix, Details: v.Details,
			Existing: v.Existing, Controlled: v.Controlled, DeniedFrom: timeOrNil(v.DeniedFrom), Baseline: v.Old,
		})
	}
	for _, p := range o.Patches {
		doc.Patches = append(doc.Patches, jsonPatch{p.Mode, append([]string{}, p.Policies...), o.Ref, o.Source.orNil(), p.JSON})
	}
	for _, text := range o.Notes {
		doc.Warnings = append(doc.Warnings, jsonNote{o.Source.File, o.Source.Line, &o.Ref, text})
	}
	for _, e := range o.Excused {
		doc.Excused = append(doc.Excused, jsonExcuse{e.Policy, e.Exception, timeOrNil(e.Expires), o.Ref, o.Source.orNil()})
	}
	if o.Passed != "" {
		doc.Passed = append(doc.Passed, jsonPassed{o.Ref, o.Source.orNil(), o.Passed})
	}
}

// timeOrNil returns t in UTC, nil for the zero time.
func timeOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func (s Source) orNil() *Source {
	if s == (Source{}) {
		return nil
	}
	return &s
}

// EncodeJSON writes v as indented JSON, with escapes for what a terminal would
// obey. They stand for the same characters, so nothing is lost.
func EncodeJSON(w io.Writer, v any) error {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("encode JSON: %w", err)
	}
	_, err := w.Write(escapeJSON(buf.Bytes()))
	return err
}

// escapeJSON escapes the unprintable characters of JSON. Outside of strings there
// are none but the white space that is kept.
func escapeJSON(data []byte) []byte {
	out := make([]byte, 0, len(data))
	for len(data) > 0 {
		r, n := utf8.DecodeRune(data)
		if r == '\n' || r >= ' ' && r <= '~' || engine.Printable(string(r)) == string(r) {
			out = append(out, data[:n]...)
		} else {
			for _, unit := range utf16.Encode([]rune{r}) {
				out = fmt.Appendf(out, `\u%04x`, unit)
			}
		}
		data = data[n:]
	}
	return out
}
