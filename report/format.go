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
	// NoFix leaves out of text how to put violations right.
	NoFix bool
	// Quiet has text say nothing where nobody has to be told of anything.
	Quiet bool
	// Folder is the absolute path that the names of files are relative to. SARIF
	// says it; if "", it does not.
	Folder string
	// Root is the absolute path of the checkout. SARIF and GitHub's annotations have
	// the names of files relative to it; if "", to Folder.
	Root string
	// Version is that of the program. SARIF says it; if "", it does not.
	Version string
}

// New returns the format of a name, which is one of [Formats].
func New(name string, cfg Config) (Format, error) {
	if cfg.Root == "" {
		cfg.Root = cfg.Folder
	}
	i := slices.Index(Formats(), name)
	if i < 0 {
		return nil, fmt.Errorf("format %q is unknown: it is one of %q", name, Formats())
	}
	return []Format{&text{cfg}, jsonFormat{}, &sarif{cfg}, junitFormat{}, github{cfg}, baselineFormat{}}[i], nil
}

// Formats returns the names of the formats, the default first.
func Formats() []string { return []string{"text", "json", "sarif", "junit", "github", "baseline"} }
