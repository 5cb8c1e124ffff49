package resource

import (
	"bytes"
	"errors"
	"io"
)

// A splitter cuts a stream into YAML documents where kubectl does: at lines
// that begin with "---". Whether such a line is inside a string makes no
// difference to it; in a block string it is indented, and so does not begin a line.
type splitter struct {
	rest []byte
	line int // of the first line of rest
}

var errSeparator = errors.New(`read YAML: a line that begins with "---" separates documents; only a comment may follow on it`)

// next returns the next document and the line it begins on. Lines end in "\n",
// the last one too. After an error other than io.EOF there may be more documents.
func (s *splitter) next() (doc []byte, start int, err error) {
	start = s.line
	var out []byte
	for len(s.rest) > 0 {
		before := *s
		line := s.take()
		if bytes.HasPrefix(line, []byte("---")) {
			after := bytes.TrimSpace(line[3:])
			bad := len(after) > 0 && after[0] != '#'
			switch {
			case bad && len(out) > 0:
				*s = before // the document first, then the error
				return out, start, nil
			case bad:
				return nil, start, at(before.line, errSeparator)
			case len(out) > 0:
				return out, start, nil
			}
		}
		out = append(append(out, line...), '\n')
	}
	if len(out) == 0 {
		return nil, start, io.EOF
	}
	return out, start, nil
}

// take returns the next line without its end, "\n" or "\r\n".
func (s *splitter) take() []byte {
	line, rest, _ := bytes.Cut(s.rest, []byte("\n"))
	if len(rest) > 0 || bytes.HasSuffix(s.rest, []byte("\n")) {
		line = bytes.TrimSuffix(line, []byte("\r"))
	}
	s.rest = rest
	s.line++
	return line
}
