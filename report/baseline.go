package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// baselineVersion is that of the format of the file.
const baselineVersion = 1

// A Baseline holds findings that were there before, each as often as it was.
type Baseline struct {
	revision string // of the policies that found them
	counts   map[finding]int
}

// A baselineFile is the JSON of a baseline.
type baselineFile struct {
	Version  int             `json:"version"`
	Revision string          `json:"revision"`
	Findings []baselineEntry `json:"findings"`
}

type baselineEntry struct {
	finding
	Count int `json:"count,omitempty"` // how often; if 0, once
}

// baselineFormat writes a baseline: all findings of the report or, where it was
// compared with a baseline, that one without what is gone. So a baseline that is
// written over itself gets smaller and never larger.
type baselineFormat struct{}

// errIncomplete reports a run whose findings are not all known.
var errIncomplete = errors.New("the run could not tell of everything, so a baseline would miss findings")

// Write writes the baseline.
func (baselineFormat) Write(w io.Writer, r *Report) error {
	if len(r.AllErrors()) > 0 {
		return errIncomplete
	}
	counts := map[finding]int{}
	if r.Baseline != nil {
		counts = r.Baseline.kept
	} else {
		r.each(func(o *Object, v *Violation) { counts[findingOf(o, *v)]++ })
	}
	file := baselineFile{baselineVersion, r.Revision, []baselineEntry{}}
	for f, n := range counts {
		e := baselineEntry{finding: f}
		if n > 1 {
			e.Count = n
		}
		file.Findings = append(file.Findings, e)
	}
	slices.SortFunc(file.Findings, func(a, b baselineEntry) int { return a.compare(b.finding) })
	return EncodeJSON(w, file)
}

// each calls visit with all violations, in order.
func (r *Report) each(visit func(*Object, *Violation)) {
	for i := range r.Objects {
		o := &r.Objects[i]
		for k := range o.Violations {
			visit(o, &o.Violations[k])
		}
	}
}

// ReadBaseline reads a baseline. An error begins with the name of the file and the
// line.
func ReadBaseline(name string, data []byte) (*Baseline, error) {
	b := &Baseline{counts: map[finding]int{}}
	if offset, err := b.parse(data); err != nil {
		return nil, fmt.Errorf("%s:%d: read baseline: %w", name, lineAt(data, offset), err)
	}
	return b, nil
}

// parse returns where an error is, too.
func (b *Baseline) parse(data []byte) (offset int64, err error) {
	var syntax *json.SyntaxError
	if err := json.Unmarshal(data, new(json.RawMessage)); errors.As(err, &syntax) {
		return syntax.Offset - 1, err // of the character at fault
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	err = b.read(d)
	var placed *placedError
	if errors.As(err, &placed) {
		return placed.offset, err
	}
	return d.InputOffset(), err
}

// lineAt returns the line of an offset, and that of the text which comes next
// where there is but space.
func lineAt(data []byte, offset int64) int {
	before := data[:min(max(int(offset), 0), len(data))]
	after := data[len(before):]
	space := len(after) - len(bytes.TrimLeft(after, " \t\r\n,"))
	if space < len(after) {
		before = data[:len(before)+space]
	}
	return 1 + bytes.Count(before, []byte("\n"))
}

func (b *Baseline) read(d *json.Decoder) error {
	if err := expect(d, json.Delim('{')); err != nil {
		return err
	}
	version := 0
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		switch key {
		case "version":
			err = d.Decode(&version)
		case "revision":
			err = d.Decode(&b.revision)
		case "findings":
			err = b.readFindings(d)
		default:
			err = errors.New("it has a key that a baseline does not have")
		}
		if err != nil {
			return err
		}
	}
	if err := expect(d, json.Delim('}')); err != nil {
		return err
	}
	if version != baselineVersion {
		return fmt.Errorf("its version is %d, and this program reads %d", version, baselineVersion)
	}
	return nil
}

func (b *Baseline) readFindings(d *json.Decoder) error {
	if err := expect(d, json.Delim('[')); err != nil {
		return err
	}
	for d.More() {
		start := d.InputOffset()
		if err := b.readFinding(d); err != nil {
			return &placedError{start, err}
		}
	}
	return expect(d, json.Delim(']'))
}

func (b *Baseline) readFinding(d *json.Decoder) error {
	var e baselineEntry
	if err := d.Decode(&e); err != nil {
		return err
	}
	if e.Policy == "" || e.Object.Kind == "" || e.Message == "" || e.Count < 0 || e.Count > maxCount {
		return errors.New("a finding has a policy, an object with a kind, a message and no odd count")
	}
	if b.counts[e.finding] += max(e.Count, 1); b.counts[e.finding] > maxCount {
		return errors.New("a finding is there too often")
	}
	return nil
}

// maxCount is how often a finding may be there: sums of it are far from overflowing.
const maxCount = 1 << 30

// A placedError is one of a value that begins at an offset.
type placedError struct {
	offset int64
	err    error
}

func (e *placedError) Error() string { return e.err.Error() }

func (e *placedError) Unwrap() error { return e.err }

// expect reads a bracket.
func expect(d *json.Decoder, want json.Delim) error {
	got, err := d.Token()
	switch {
	case err != nil:
		return err
	case got != want:
		return fmt.Errorf("there is something else where %q should be", want.String())
	}
	return nil
}
