package splice

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
)

// split cuts a file where package resource does: JSON values one after the other if
// all of it is JSON, else YAML documents, between lines that begin with "---".
func split(file string) ([]document, error) {
	start := len(file) - len(strings.TrimPrefix(file, "\ufeff"))
	if docs, ok := splitJSON(file, start); ok {
		return docs, nil
	}
	if hasOddBreaks(file) {
		return nil, errBreaks
	}
	var docs []document
	from, line, at := start, 1, start
	begin := line
	for at < len(file) {
		end := lineEnd(file, at)
		if strings.HasPrefix(file[at:end], "---") && at > from {
			docs = append(docs, document{text: file[from:at], start: from, line: begin})
			from, begin = end, line+1
		}
		at = end
		line++
	}
	last := document{text: file[from:], start: from, line: begin}
	if !strings.HasSuffix(last.text, "\n") {
		eol := "\n"
		if strings.Contains(last.text, "\r\n") {
			eol = "\r\n"
		}
		last.text, last.cut = last.text+eol, len(eol)
	}
	return append(docs, last), nil
}

// splitJSON cuts a file of JSON values, and reports whether it is one.
func splitJSON(file string, start int) ([]document, bool) {
	rest := file[start:]
	if !strings.HasPrefix(strings.TrimLeft(rest, " \t\r\n"), "{") {
		return nil, false
	}
	var docs []document
	dec := json.NewDecoder(strings.NewReader(rest))
	line, counted := 1, 0
	for {
		var raw json.RawMessage
		if err := dec.Decode(&raw); errors.Is(err, io.EOF) {
			return docs, len(docs) > 0
		} else if err != nil {
			return nil, false
		}
		at := int(dec.InputOffset()) - len(raw)
		line += strings.Count(rest[counted:at], "\n")
		counted = at
		docs = append(docs, document{text: string(raw), start: start + at, line: line, isJSON: true})
	}
}

// hasOddBreaks reports whether there are line breaks that the YAML parser counts
// and nobody else does.
func hasOddBreaks(s string) bool {
	return strings.Count(s, "\r") != strings.Count(s, "\r\n") || strings.ContainsAny(s, "\u0085\u2028\u2029")
}

// lineEnd returns where the line of s that i is on ends, its break included.
func lineEnd(s string, i int) int {
	if n := strings.IndexByte(s[i:], '\n'); n >= 0 {
		return i + n + 1
	}
	return len(s)
}

// lineStart returns where the line of s that i is on begins.
func lineStart(s string, i int) int { return strings.LastIndexByte(s[:i], '\n') + 1 }
