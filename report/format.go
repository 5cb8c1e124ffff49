package report

import (
	"fmt"
	"io"
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

// New returns the format of a name, which is one of [Formats] or of [ClusterFormats].
func New(name string, cfg Config) (Format, error) {
	if cfg.Root == "" {
		cfg.Root = cfg.Folder
	}
	newFormat, ok := formats[name]
	if !ok {
		return nil, fmt.Errorf("format %q is unknown: it is one of %q", name, Formats())
	}
	return newFormat(cfg), nil
}

// formats makes formats by name.
var formats = map[string]func(Config) Format{
	"text":     func(cfg Config) Format { return &text{cfg} },
	"json":     func(Config) Format { return jsonFormat{} },
	"sarif":    func(cfg Config) Format { return &sarif{cfg} },
	"junit":    func(Config) Format { return junitFormat{} },
	"github":   func(cfg Config) Format { return github{cfg} },
	"baseline": func(Config) Format { return baselineFormat{} },
	"table":    func(cfg Config) Format { return tables{cfg} },
	"html":     func(cfg Config) Format { return html{cfg} },
}

// Formats returns the names of the formats for what is in files, the default first.
func Formats() []string { return []string{"text", "json", "sarif", "junit", "github", "baseline"} }

// ClusterFormats returns the names of the formats for what is in a cluster, the default
// first. Text lists each object, and the others but table and html are as for files.
func ClusterFormats() []string {
	return []string{"table", "text", "json", "sarif", "html", "junit", "baseline"}
}
