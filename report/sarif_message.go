package report

import (
	"net/url"
	"path"
	"path/filepath"
	"strings"

	"github.com/lintel-policy/lintel/engine"
)

// violationMessage returns the text of a violation, and as Markdown with how to
// put it right.
func violationMessage(o *Object, v *Violation) sarifMessage {
	text := o.Ref.Printable() + ": " + v.Text()
	if due := v.Due(); due != "" {
		text += " (" + due + ")"
	}
	m := sarifMessage{Text: plainMessage(text)}
	if v.Fix != "" {
		m.Text += "\nFix: " + plainMessage(v.Fix)
		m.Markdown = escapeMarkdown(text) + "\n\n" + markdownFix(engine.PrintableLines(v.Fix))
	}
	return m
}

// plainMessage returns text that no viewer takes for a link, which plain messages
// may have: a bracketed text with a target in parentheses after it.
func plainMessage(s string) string {
	return strings.ReplaceAll(engine.PrintableLines(s), "](", `\](`)
}

// markdownFix returns a sentence, or lines of YAML as such.
func markdownFix(fix string) string {
	if strings.Contains(fix, "\n") {
		return fenced(fix)
	}
	return "Fix: " + escapeMarkdown(fix)
}

// fenced returns a code block. Its fence is longer than any that is in it.
func fenced(code string) string {
	fence := "```"
	for strings.Contains(code, fence) {
		fence += "`"
	}
	return fence + "yaml\n" + code + "\n" + fence + "\n"
}

// escapeMarkdown keeps text from being read as Markdown or HTML.
func escapeMarkdown(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r < 0x80 && strings.ContainsRune("\\`*_{}[]()<>#+!|~&@:", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// location returns where something is: in a file and, if o is given, in an object.
func (l *sarifBuilder) location(at Source, o *Object, field engine.Path) sarifLocation {
	var place sarifLocation
	if at.File != "" && at.File != "-" {
		place.Physical = &sarifPhysical{Artifact: artifactOf(at.File, l.folder, l.base)}
		if at.Line > 0 {
			place.Physical.Region = &sarifRegion{at.Line}
		}
	}
	if o == nil {
		return place
	}
	name := o.Ref.Printable()
	place.Logical = []sarifLogical{{FullName: name, Kind: "object"}}
	if len(field) > 0 {
		place.Logical = append(place.Logical, sarifLogical{FullName: name + " " + engine.Printable(field.String()), Kind: "member"})
	}
	return place
}

// artifactOf names a file, which is relative to folder, relative to base where it is
// in it: what reads SARIF takes nothing that leads out of the base.
func artifactOf(file, folder, base string) sarifArtifact {
	if folder != "" && !filepath.IsAbs(file) {
		file = filepath.Join(folder, file)
	}
	if filepath.IsAbs(file) {
		inside, ok := within(base, file)
		if !ok {
			return sarifArtifact{URI: fileURI(filepath.Clean(file))}
		}
		file = inside
	}
	return sarifArtifact{URI: escapePath(path.Clean(filepath.ToSlash(file))), Base: sourceRoot}
}

// within returns the name of a file relative to base; false if it is not in it.
func within(base, file string) (string, bool) {
	inside, err := filepath.Rel(base, file)
	return inside, err == nil && base != "" && filepath.IsLocal(inside)
}

func fileURI(file string) string { return "file://" + escapePath(filepath.ToSlash(file)) }

// escapePath escapes each element of a path.
func escapePath(file string) string {
	elements := strings.Split(file, "/")
	for i, e := range elements {
		elements[i] = strings.ReplaceAll(url.PathEscape(e), ":", "%3A") // "a:b" would have the scheme a
	}
	return strings.Join(elements, "/")
}
