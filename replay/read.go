package replay

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/lintel-policy/lintel/engine"
)

// maxLine is how many bytes a line may have, or a file that is one document: as
// many as a webhook takes.
const maxLine = 32 << 20

// maxWeight is how much memory judging one review may take, in bytes: the webhook of
// an installation takes half of that.
const maxWeight = 512 << 20

// A Source is something to read reviews from.
type Source struct {
	Name   string // for people
	Reader io.Reader
}

// A Place is where a review was read.
type Place struct {
	File string `json:"file"`
	Line int    `json:"line"`
}

// An Error says what is wrong with a line.
type Error struct {
	Place
	Err   error
	isEnd bool // nothing more can be read there
}

func (e *Error) Error() string { return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Err) }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// An entry is one review as it was read.
type entry struct {
	place Place
	data  []byte
	uid   string
	note  *Note // nil where it was not Lintel that recorded it
}

// A reader reads the reviews of one source.
type reader struct {
	name    string
	lines   *bufio.Reader
	line    int // that was read last
	started bool
	whole   []json.RawMessage // the documents that are left, where they are not one a line
}

func newReader(s Source) *reader {
	return &reader{name: s.Name, lines: bufio.NewReaderSize(s.Reader, 64<<10)}
}

// next returns the next review, io.EOF at the end, or an *Error for a line that is
// none, after which reading goes on.
func (r *reader) next() (*entry, error) {
	for {
		if len(r.whole) > 0 {
			data := r.whole[0]
			r.whole = r.whole[1:]
			return r.entry(data)
		}
		line, err := r.readLine()
		if err != nil {
			return nil, err
		}
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		if !r.started && !json.Valid(line) {
			r.started = true
			if r.whole, err = r.documents(line); err != nil {
				return nil, err
			}
			if r.whole != nil {
				continue
			}
		}
		r.started = true
		return r.entry(line)
	}
}

// documents returns those of a source that does not have one in each line, nil if
// it does. What was read to find that out is read again.
func (r *reader) documents(first []byte) ([]json.RawMessage, error) {
	rest, err := io.ReadAll(io.LimitReader(r.lines, maxLine+1))
	if err != nil {
		return nil, r.end(err)
	}
	r.lines = bufio.NewReaderSize(io.MultiReader(bytes.NewReader(rest), r.lines), 64<<10)
	if len(first)+len(rest) > maxLine {
		return nil, nil
	}
	var all []json.RawMessage
	d := json.NewDecoder(io.MultiReader(bytes.NewReader(first), bytes.NewReader([]byte{'\n'}), bytes.NewReader(rest)))
	for {
		var one json.RawMessage
		err := d.Decode(&one)
		if errors.Is(err, io.EOF) {
			r.lines = bufio.NewReader(bytes.NewReader(nil))
			return all, nil
		}
		if err != nil {
			return nil, nil //nolint:nilerr // told of by line
		}
		all = append(all, one)
	}
}

// readLine returns the next line without its end, or skips one that is too long.
func (r *reader) readLine() ([]byte, error) {
	var line []byte
	r.line++
	tooLong := false
	for {
		part, err := r.lines.ReadSlice('\n')
		if tooLong = tooLong || len(line)+len(part) > maxLine; !tooLong {
			line = append(line, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil && !errors.Is(err, io.EOF):
			return nil, r.end(err)
		case tooLong:
			return nil, r.fail(fmt.Errorf("longer than %d MiB", maxLine>>20))
		case err != nil && len(line) == 0:
			return nil, io.EOF
		}
		return bytes.TrimSuffix(line, []byte{'\n'}), nil
	}
}

// entry reads what has to be known of a review to put it in order. Whether it is
// one at all is found out when it is judged.
func (r *reader) entry(data []byte) (*entry, error) {
	var head struct {
		Lintel  *Note
		Request struct{ UID string }
	}
	if engine.Weight(data) > maxWeight {
		return nil, r.fail(errors.New("judging it would take too much memory"))
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, r.fail(errors.New("no AdmissionReview in JSON"))
	}
	if head.Lintel != nil && head.Lintel.Version != formatVersion {
		return nil, r.fail(fmt.Errorf("recorded by another version of Lintel: format %d, not %d", head.Lintel.Version, formatVersion))
	}
	return &entry{place: Place{r.name, r.line}, data: data, uid: head.Request.UID, note: head.Lintel}, nil
}

func (r *reader) fail(err error) error { return &Error{Place{r.name, r.line}, err, false} }

func (r *reader) end(err error) error { return &Error{Place{r.name, r.line}, err, true} }
