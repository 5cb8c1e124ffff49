package report

import (
	"fmt"
	"io"
	"slices"
)

// A Format writes a report, whole: it returns the error of the writer.
type Format interface {
	Write(w io.Writer, r *Report) error
}

// Config says how a report is written. The zero Config is good for any.
type Config struct {
	// Colour permits colours where the format has any.
	Colour bool
	// Explain adds to each violation how to put it right, where the format leaves
	// that out otherwise.
	Explain bool
}

// New returns the format of a name, which is one of [Formats].
func New(name string, cfg Config) (Format, error) {
	i := slices.Index(Formats(), name)
	if i < 0 {
		return nil, fmt.Errorf("format %q is unknown: it is one of %q", name, Formats())
	}
	return []Format{&text{cfg}, jsonFormat{}}[i], nil
}

// Formats returns the names of the formats, the default first.
func Formats() []string { return []string{"text", "json"} }
