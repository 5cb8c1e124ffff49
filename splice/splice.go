// Package splice changes Kubernetes objects in the files that they are written in,
// and leaves every byte alone that nobody asked to change.
//
// Encoding an object again loses comments, order, quotes and the width of
// indentations. So the parser is asked only where things stand, and the text
// between is cut and filled. What was spliced is then read again with the
// converter that kubectl uses, and has to be what the patch makes of the object that
// was there: a change of which that is not so, or that would also change something
// else through an anchor, is refused. A refused change leaves its object as it was.
//
// The package is pure: bytes in, bytes out. It reads files as package resource does,
// which tells the line that an object begins on and what it is.
package splice

import (
	"errors"
	"unicode/utf8"
)

// A Change is what shall become of one object in a file.
type Change struct {
	// Line is the one that the object begins on, from 1.
	Line int
	// Object is the object as JSON as the file has it. It says which one is meant, and
	// that the file has not changed meanwhile.
	Object []byte
	// Patch is made by [Diff]: no operation but add, remove and replace.
	Patch []Operation
}

// An Error says why a change cannot be spliced in, and names the line of the file
// that stands in the way. It repeats no value.
type Error struct {
	Line int
	Err  error
}

// Error returns the reason.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the reason.
func (e *Error) Unwrap() error { return e.Err }

var (
	// ErrShared reports a value that an anchor shares with other places: they would
	// change too.
	ErrShared = errors.New("the value is shared through an anchor: what is changed here would change elsewhere, too")

	// ErrNotFound reports an object that the file does not have on the line.
	ErrNotFound = errors.New("the object is not found in the text of the file")

	// ErrUnusual reports text that is not understood well enough to be cut.
	ErrUnusual = errors.New("the value is written in a way that cannot be cut safely")

	// ErrMismatch reports that the text that was made is not what was wanted.
	ErrMismatch = errors.New("the text that was made does not read as it should")

	// ErrTooMuch reports a file in which finding all places would take too long.
	ErrTooMuch = errors.New("the file is too large for so many changes: split it")

	errEncoding = errors.New("the file is not UTF-8")
	errBreaks   = errors.New("the file has line breaks that are neither LF nor CRLF")
)

// Apply returns file with the changes made, and for each change why it was not
// made, nil if it was. Objects of changes that were not made are as they were.
func Apply(file []byte, changes []Change) ([]byte, []error) {
	jobs := make([]*job, len(changes))
	for i, c := range changes {
		jobs[i] = &job{Change: c}
	}
	out, err := apply(file, jobs)
	errs := make([]error, len(changes))
	for i, j := range jobs {
		errs[i] = j.err
		if err != nil {
			errs[i] = &Error{Line: j.Line, Err: err}
		}
	}
	if err != nil {
		out = file
	}
	return out, errs
}

// A job is a change on its way.
type job struct {
	Change
	found bool     // whether path leads to the object
	path  []string // from its document
	want  any      // the document's part at path once the patch is made
	next  int      // the operation whose turn it is
	err   error    // why the change is not made
}

// refuse records why the change is not made.
func (j *job) refuse(line int, err error) {
	var placed *Error
	if !errors.As(err, &placed) {
		err = &Error{Line: line, Err: err}
	}
	j.err = err
}

func apply(file []byte, jobs []*job) ([]byte, error) {
	if !utf8.Valid(file) {
		return nil, errEncoding
	}
	docs, err := split(string(file))
	if err != nil {
		return nil, err
	}
	var out []byte
	copied := 0
	budget := maxParsed
	for i, d := range docs {
		last := i+1 == len(docs)
		var mine []*job
		for _, j := range jobs {
			if !j.found && j.Line >= d.line && (last || j.Line < docs[i+1].line || d.isJSON && j.Line == docs[i+1].line) {
				mine = append(mine, j)
			}
		}
		if len(mine) == 0 {
			continue
		}
		d.budget = &budget
		out = append(out, file[copied:d.start]...)
		out = append(out, d.apply(mine)...)
		copied = d.start + len(d.text) - d.cut
	}
	for _, j := range jobs {
		if j.err == nil && !j.found {
			j.refuse(j.Line, ErrNotFound)
		}
	}
	return append(out, file[copied:]...), nil
}

// maxParsed is how many bytes are parsed for one file, those parsed again
// included: about a quarter of a minute. An ordinary file takes ten times its size.
const maxParsed = 256 << 20
