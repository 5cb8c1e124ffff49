package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/report"
	"github.com/lintel-policy/lintel/resource"
	"github.com/lintel-policy/lintel/splice"
)

// hintsFor returns what to change for an object that a chart or a kustomization makes
// to have the effect of a patch, each thing once.
func hintsFor(o resource.Object, ops []splice.Operation) []report.Note {
	maker, folder, _ := strings.Cut(o.Rendered, " ")
	isChart := maker == "chart"
	var template []byte
	if isChart {
		template = readTemplate(o.File)
	}
	var hints []report.Note
	said := map[report.Note]bool{}
	for _, op := range ops {
		field := pointerPath(op.Path)
		file, line := o.SourceOf(field)
		h := report.Note{Source: report.Source{File: file, Line: line}}
		value := splice.ValueFor(template, o.Line, op.Path, func(steps int) int { return o.LineOf(field[:steps]) })
		inner, isKnown := subchart(folder, o.File)
		switch {
		case value != "" && isKnown:
			h.Message = fmt.Sprintf("set %s%s in %s", inner, value, filepath.Join(folder, "values.yaml"))
		case isChart:
			h.Message = fmt.Sprintf("change %s in the template", field)
		default:
			h.Message = fmt.Sprintf("change %s in the base, or with a patch in the kustomization", field)
		}
		h.Message = engine.Printable(h.Message)
		if !said[h] {
			said[h] = true
			hints = append(hints, h)
		}
	}
	return hints
}

// subchart returns what the values of the chart in a folder call those of the chart
// in it that a template is of, "" if it is the chart's own. It reports false where a
// chart is used under several names, which have values of their own each.
func subchart(folder, template string) (string, bool) {
	inner, err := filepath.Rel(folder, template)
	if err != nil {
		return "", true
	}
	steps := strings.Split(filepath.ToSlash(inner), "/")
	prefix := ""
	for ; len(steps) > 2 && steps[0] == "charts"; steps = steps[2:] {
		names := namesOf(steps[1], folder)
		if len(names) > 1 {
			return "", false
		}
		prefix += names[0] + "."
		folder = filepath.Join(folder, "charts", steps[1])
	}
	return prefix, true
}

// namesOf returns the names under which the chart in a folder uses another one.
func namesOf(chart, folder string) []string {
	var names []string
	for _, file := range []string{"Chart.yaml", "requirements.yaml"} {
		var says struct {
			Dependencies []struct{ Name, Alias string }
		}
		if yaml.Unmarshal(readTemplate(filepath.Join(folder, file)), &says) != nil {
			continue
		}
		for _, d := range says.Dependencies {
			if name := cmp.Or(d.Alias, d.Name); d.Name == chart && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	if len(names) == 0 {
		return []string{chart}
	}
	return names
}

// readTemplate returns the text of a template, nil if it cannot be read: then a hint
// says less.
func readTemplate(path string) []byte {
	folder, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return nil
	}
	defer folder.Close()
	data, _, err := readRegularIn(folder, filepath.Base(path), resource.MaxFile)
	if err != nil {
		return nil
	}
	return data
}

// pointerPath returns a JSON pointer as a path. What looks like an index is taken
// to be one.
func pointerPath(pointer string) engine.Path {
	var path engine.Path
	for _, step := range splice.Steps(pointer) {
		if i, err := strconv.Atoi(step); err == nil && i >= 0 {
			path = append(path, i)
		} else {
			path = append(path, step)
		}
	}
	return path
}
