package resource

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

var (
	// ErrNotKubernetes reports a document without the strings apiVersion and kind.
	ErrNotKubernetes = errors.New("is no Kubernetes object: apiVersion or kind is missing")

	// ErrNoObjects reports a file that was named and holds no object.
	ErrNoObjects = errors.New("holds no Kubernetes object")

	// ErrDuplicateKey reports a key that one object has twice.
	ErrDuplicateKey = errors.New("is there twice in one object")

	// ErrTrailing reports text that kubectl would silently leave out.
	ErrTrailing = errors.New(`has text after the end of a document, which kubectl would ignore: separate documents with "---"`)
)

// An Error says what is wrong on a line of a file. Its text is one line of
// bounded length, shows control characters as escapes, and never repeats a
// value of the file.
type Error struct {
	File string
	Line int // 0 where the file as a whole is at fault
	Err  error
}

// Error returns "file:line: message".
func (e *Error) Error() string {
	where := clip(escape(e.File), 512)
	if e.Line > 0 {
		where += ":" + strconv.Itoa(e.Line)
	}
	if where != "" {
		where += ": "
	}
	return where + clip(escape(e.Err.Error()), 512)
}

// Unwrap returns what is wrong, without the place.
func (e *Error) Unwrap() error { return e.Err }

// at says that err is about a line of a file whose name is not yet known.
func at(line int, err error) *Error { return &Error{Line: line, Err: err} }

// locate puts the name of the file to an error.
func locate(err error, file string) *Error {
	var e *Error
	if errors.As(err, &e) {
		return &Error{File: file, Line: e.Line, Err: e.Err}
	}
	return &Error{File: file, Err: err}
}

// duplicate is the error of a key that is there twice. Keys are shown: they are
// needed to find the place, and secrets are values.
func duplicate(key string, line int) *Error {
	return at(line, fmt.Errorf("key %q %w", clip(key, 100), ErrDuplicateKey))
}

// cause strips the path from an error of package os, since Error shows it.
func cause(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// escape shows what a terminal would not print, or would obey.
func escape(s string) string {
	if strings.IndexFunc(s, unprintable) < 0 && utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == utf8.RuneError && s[i] != "\ufffd"[0]:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case unprintable(r):
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) }

// clip shortens s to n bytes and a mark, without cutting a character.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
