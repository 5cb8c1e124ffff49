package verify

import (
	"fmt"
	"io"
)

// Formats returns the names of the formats that [Write] knows, the default first.
func Formats() []string { return []string{"text", "json", "junit"} }

// Write writes results in a format. With all, the text has a line for each case that
// passed, too.
func Write(w io.Writer, format string, results []*Result, all bool) error {
	switch format {
	case "text":
		return writeText(w, results, all)
	case "json":
		return writeJSON(w, results)
	case "junit":
		return writeJUnit(w, results)
	}
	return fmt.Errorf("format %q is unknown: it is one of %q", format, Formats())
}
