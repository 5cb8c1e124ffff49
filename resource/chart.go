package resource

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// chartFile is the file that makes a folder a chart.
const chartFileName = "Chart.yaml"

// ChartOptions say how charts are rendered: as helm template NAME CHART
// --namespace NAMESPACE would, without a cluster.
type ChartOptions struct {
	// Renderer is the command line, with the path of the program, of a process that
	// calls [RenderCharts]. Without one, a chart is an error: a template can be
	// made to run forever and to use up all memory, and nothing but the end of its
	// process stops it.
	Renderer []string

	Release     string        // name of the release; if empty, that of the chart
	Values      []string      // files with values, as helm's --values
	Set         []string      // values as helm's --set, which win over files
	SetString   []string      // values as helm's --set-string, which win over all
	APIVersions []string      // of custom resources that the cluster has, as helm's --api-versions
	Timeout     time.Duration // bounds the rendering of one chart; if zero, 30 seconds
}

// ErrNoRenderer reports a chart where nothing was given to render it.
var ErrNoRenderer = errors.New("is a Helm chart, which is not rendered here")

// A chartSource is a chart that was found.
type chartSource struct {
	path  string // of the folder or archive, as people know it
	place string // the same, absolute and free of links; "" if that is not known
	named bool   // whether it was named, and so has to hold objects
	sep   string // between path and the name of a file in it
}

// shown returns the path of a file in the chart as people know it.
func (s chartSource) shown(place string) string {
	if place == "" {
		return s.path
	}
	if s.sep == ":" {
		return s.path + s.sep + place
	}
	return filepath.Join(s.path, place)
}

// chart reads the folder of a chart, named relative to the root.
func (w *walker) chart(name string) error {
	src := chartSource{path: w.shown(name), place: w.place(name), named: name == ".", sep: "/"}
	if w.done.has(src.place, src.named) {
		return nil
	}
	root, err := w.root.OpenRoot(name)
	if err != nil {
		return w.fail(src.path, cause(err))
	}
	defer root.Close()
	files, failure := gatherChart(w.ctx, root, src)
	if failure != nil {
		return w.visit(Result{Errors: []*Error{failure}})
	}
	return w.render(src, chartJob{Files: files})
}

// archive reads a packaged chart that was named.
func (w *walker) archive() error {
	src := chartSource{path: w.top, place: resolved(w.top), named: true, sep: ":"}
	if w.done.has(src.place, src.named) {
		return nil
	}
	data, err := readBounded(func(flag int) (*os.File, error) { return os.OpenFile(w.top, flag, 0) }, MaxFile)
	if err != nil {
		return w.fail(w.top, err)
	}
	return w.render(src, chartJob{Archive: data})
}

// render has the chart rendered, and visits its objects.
func (w *walker) render(src chartSource, job chartJob) error {
	o := w.opts.Charts
	if len(o.Renderer) == 0 {
		return w.fail(src.path, ErrNoRenderer)
	}
	job.Release, job.Namespace = o.Release, w.opts.Namespace
	if job.Namespace == "" {
		job.Namespace = "default"
	}
	job.Set, job.SetString, job.APIVersions = o.Set, o.SetString, o.APIVersions
	job.Values = w.values
	answer, err := runRenderer(w.ctx, o, job)
	switch {
	case w.ctx.Err() != nil:
		return w.ctx.Err()
	case err != nil:
		return w.fail(src.path, err)
	}
	return src.read(answer, func(r Result) error {
		w.done.add(src.place, r)
		return w.visit(r)
	})
}

// readAllValues reads the files of values that were named.
func readAllValues(paths []string) ([]chartFile, *Error) {
	var out []chartFile
	for _, path := range paths {
		data, err := readValues(path)
		if err != nil {
			return nil, &Error{File: path, Err: err}
		}
		out = append(out, chartFile{path, data})
	}
	return out, nil
}

func readValues(path string) ([]byte, error) {
	if isURL(path) {
		return nil, errors.New("is a URL, which is not fetched: name a file with values")
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, cause(err)
	case info.IsDir():
		return nil, errors.New("is a folder: name a file with values")
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("is %s, no regular file with values", modeName(info.Mode()))
	}
	return readBounded(func(flag int) (*os.File, error) { return os.OpenFile(path, flag, 0) }, MaxFile)
}

// isChart reports whether the folder with these entries is a chart.
func isChart(entries []os.DirEntry) bool {
	for _, e := range entries {
		if e.Name() == chartFileName && !e.IsDir() {
			return true
		}
	}
	return false
}

// helmFiles are the files in the folder of a chart that helm reads, and that hold no
// objects unless somebody plays tricks.
var helmFiles = []string{chartFileName, "values.yaml", "values.schema.json"}

// besideChart returns the entries of a chart's folder without the folders of which
// Helm makes objects.
func besideChart(entries []os.DirEntry) []os.DirEntry {
	return slices.DeleteFunc(slices.Clone(entries), func(e os.DirEntry) bool {
		return e.IsDir() && (e.Name() == "templates" || e.Name() == "charts" || e.Name() == "crds")
	})
}

// isArchive reports whether a file that was named is a packaged chart.
func isArchive(path string) bool {
	return strings.HasSuffix(path, ".tgz") || strings.HasSuffix(path, ".tar.gz")
}

// errTemplate returns the error that path, which was named, is in the templates of
// a chart, or is its Chart.yaml; nil if it is not.
func errTemplate(path string) error {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil //nolint:nilerr // without a working folder nothing can be said of it
	}
	if filepath.Base(abs) == chartFileName {
		return fmt.Errorf("tells of a chart: name the chart's folder %q to have it rendered", filepath.Dir(path))
	}
	for dir := abs; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		chart := filepath.Dir(dir)
		if filepath.Base(dir) != "templates" {
			continue
		}
		if info, err := os.Lstat(filepath.Join(chart, chartFileName)); err != nil || info.IsDir() {
			continue
		}
		if dir, err := os.Getwd(); err == nil && !filepath.IsAbs(path) {
			if rel, err := filepath.Rel(dir, chart); err == nil {
				chart = rel
			}
		}
		return fmt.Errorf("is a template of a chart: name the chart's folder %q to have it rendered", chart)
	}
	return nil
}
