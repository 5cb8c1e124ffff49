package resource

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/loader/archive"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"sigs.k8s.io/yaml"
)

// maxNested is how deep charts may be in charts.
const maxNested = 32

// A chartLoader loads a chart and those in it, and remembers the place of each file.
type chartLoader struct {
	places map[*common.File]string
	fault  *chartFault
}

// load returns the chart that files are, whose names get the prefix place. It does
// what helm's loader does with the files in charts/, one chart after the other.
func (l *chartLoader) load(files []*archive.BufferedFile, place string, depth int) *chart.Chart {
	if depth > maxNested {
		l.fail(place, 0, fmt.Sprintf("charts nest deeper than %d", maxNested))
		return nil
	}
	own, inner := split(files)
	c, err := loader.LoadFiles(own)
	if err != nil {
		l.explain(own, place, err)
		return nil
	}
	for _, f := range slices.Concat(c.Raw, c.Templates, c.Files) {
		l.places[f] = place + f.Name
	}
	for _, name := range slices.Sorted(maps.Keys(inner)) {
		sub := l.inner(name, inner[name], place, depth)
		if l.fault != nil {
			return nil
		}
		if sub != nil {
			c.AddDependency(sub)
		}
	}
	return c
}

// inner returns the chart called name in charts/, nil if it is none.
func (l *chartLoader) inner(name string, files []*archive.BufferedFile, place string, depth int) *chart.Chart {
	place += "charts/" + name
	switch {
	case strings.IndexAny(name, "_.") == 0:
		return nil
	case path.Ext(name) == ".tgz":
		if len(files) != 1 || files[0].Name != "" {
			l.fail(place, 0, "is a folder and no packaged chart")
			return nil
		}
		unpacked, err := archive.LoadArchiveFiles(bytes.NewReader(files[0].Data))
		if err != nil {
			l.fail(place, 0, "unpack: "+err.Error())
			return nil
		}
		return l.load(unpacked, place+":", depth+1)
	}
	files = slices.DeleteFunc(files, func(f *archive.BufferedFile) bool { return f.Name == "" }) // no folder
	return l.load(files, place+"/", depth+1)
}

// split returns the files of a chart itself, and by their names those in charts/,
// whose files have the names that they have in there, "" for a file alone.
func split(files []*archive.BufferedFile) (own []*archive.BufferedFile, inner map[string][]*archive.BufferedFile) {
	inner = map[string][]*archive.BufferedFile{}
	for _, f := range files {
		rest, isInner := strings.CutPrefix(f.Name, "charts/")
		if !isInner || path.Ext(f.Name) == ".prov" {
			own = append(own, f)
			continue
		}
		name, rest, _ := strings.Cut(rest, "/")
		inner[name] = append(inner[name], &archive.BufferedFile{Name: rest, Data: f.Data})
	}
	return own, inner
}

func (l *chartLoader) fail(place string, line int, message string) {
	if l.fault == nil {
		l.fault = &chartFault{Place: strings.TrimRight(place, ":/"), Line: line, Message: message}
	}
}

// explain says why helm did not take the files of a chart. Its messages may quote
// what stands in them; those about metadata are fixed texts, or names.
func (l *chartLoader) explain(files []*archive.BufferedFile, place string, err error) {
	for _, f := range files {
		if !strings.HasPrefix(err.Error(), "cannot load "+f.Name+": ") {
			continue
		}
		at := explainYAML(f.Data)
		l.fail(place+f.Name, at.Line, at.Err.Error())
		return
	}
	if isValidation := strings.HasPrefix(err.Error(), "validation: "); isValidation {
		l.fail(place+chartFileName, 0, err.Error())
		return
	}
	l.fail(place, 0, "is no chart: "+chartFileName+" is missing or cannot be read")
}

// explainYAML says why helm could not read YAML that it wants to be an object, and
// repeats nothing of it.
func explainYAML(data []byte) *Error {
	s := splitter{rest: data, line: 1}
	for {
		doc, start, err := s.next()
		if doc == nil {
			break
		}
		if err == nil {
			_, err = yaml.YAMLToJSON(doc)
		}
		if err != nil {
			return explain(err, doc, start)
		}
	}
	return &Error{Err: errors.New("does not have the form that helm reads: some value is of another type")}
}
