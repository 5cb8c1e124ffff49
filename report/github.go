package report

import (
	"bytes"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
)

// github writes workflow commands of GitHub Actions, which become annotations of a
// pull request, and a line that counts. What is in the baseline is counted alone.
type github struct{ cfg Config }

// An annotation is one workflow command.
type annotation struct {
	level string // error, warning or notice
	at    Source
	title string
	lines []string
}

// Write writes r.
func (g github) Write(w io.Writer, r *Report) error {
	var buf bytes.Buffer
	for _, e := range r.AllErrors() {
		buf.WriteString(g.command(annotateError(e)))
	}
	for _, n := range r.Warnings {
		buf.WriteString(g.command(annotation{"warning", n.Source, "lintel", []string{n.Message}}))
	}
	r.each(func(o *Object, v *Violation) {
		if !v.Old {
			buf.WriteString(g.command(annotate(o, v)))
		}
	})
	// A runner takes what is between "##[" and "]" for a command, wherever it is in a
	// line that does not begin with one.
	lines := r.closing()
	for _, a := range r.Assumptions {
		lines = append([]string{"assumed: " + engine.Printable(a)}, lines...)
	}
	for _, line := range lines {
		fmt.Fprintln(&buf, "lintel: "+strings.ReplaceAll(line, "##[", `##\x5b`))
	}
	_, err := w.Write(buf.Bytes())
	return err
}

func annotate(o *Object, v *Violation) annotation {
	levels := map[v1alpha1.Enforcement]string{v1alpha1.Deny: "error", v1alpha1.Warn: "warning", v1alpha1.DryRun: "notice"}
	a := annotation{levels[v.Enforcement], v.Source, v.Policy + ": " + o.Ref.Printable(), []string{v.Text()}}
	if v.Severity != "" {
		a.title += " (" + string(v.Severity) + " severity)"
	}
	if due := v.Due(); due != "" {
		a.lines = append(a.lines, due)
	}
	if v.Fix != "" {
		a.lines = append(a.lines, "fix:")
		a.lines = append(a.lines, strings.Split(strings.TrimRight(v.Fix, "\n"), "\n")...)
	}
	return a
}

func annotateError(e Error) annotation {
	level := "warning"
	if e.untold() {
		level = "error"
	}
	return annotation{level, e.Source, "lintel could not tell", []string{e.text()}}
}

// command returns the command, in one line.
func (g github) command(a annotation) string {
	var properties []string
	if a.at.File != "" && a.at.File != "-" {
		properties = append(properties, "file="+escapeProperty(g.file(a.at.File)))
		if a.at.Line > 0 {
			properties = append(properties, fmt.Sprintf("line=%d", a.at.Line))
		}
	}
	properties = append(properties, "title="+escapeProperty(a.title))
	lines := make([]string, len(a.lines))
	for i, line := range a.lines {
		lines[i] = escapeData(line)
	}
	return fmt.Sprintf("::%s %s::%s\n", a.level, strings.Join(properties, ","), strings.Join(lines, "%0A"))
}

// file names a file as the runner looks for it, which takes it for relative to the
// checkout wherever a step was run.
func (g github) file(name string) string {
	whole := name
	if !filepath.IsAbs(name) {
		whole = filepath.Join(g.cfg.Folder, name)
	}
	if inside, ok := within(g.cfg.Root, whole); ok {
		return inside
	}
	return name
}

// escapeData escapes one line of a message as the runner reads it.
func escapeData(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(engine.Printable(s))
}

// escapeProperty escapes the value of a property as the runner reads it.
func escapeProperty(s string) string {
	return strings.NewReplacer(":", "%3A", ",", "%2C").Replace(escapeData(s))
}
