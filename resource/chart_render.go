package resource

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"helm.sh/helm/v4/pkg/chart/common"
	chartvalues "helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/loader/archive"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/engine"
	"helm.sh/helm/v4/pkg/strvals"
	"k8s.io/client-go/kubernetes/scheme"
)

// kubeVersion is the version of Kubernetes that charts are told.
const kubeVersion = "v1.37.0"

// A preparedChart is a chart with the values it is rendered with.
type preparedChart struct {
	*chart.Chart
	values common.Values
	places map[*common.File]string
}

func (c *preparedChart) isLibrary() bool { return c.Metadata.Type == "library" }

// answer renders the chart.
func (j *chartJob) answer() *chartAnswer {
	c, fault := j.prepare()
	if fault != nil {
		return &chartAnswer{Fault: fault}
	}
	if c.isLibrary() {
		return &chartAnswer{Library: true}
	}
	if fault := c.checkSchemas(); fault != nil {
		return &chartAnswer{Fault: fault}
	}
	rendered, err := c.render()
	if err != nil {
		return &chartAnswer{Fault: c.explain(err)}
	}
	texts, fault := c.texts(rendered)
	if fault != nil {
		return &chartAnswer{Fault: fault}
	}
	j.addLines(texts)
	return &chartAnswer{Texts: append(c.crds(), texts...)}
}

// prepare loads the chart and its values. A library chart gets no values.
func (j *chartJob) prepare() (*preparedChart, *chartFault) {
	files, fault := j.files()
	if fault != nil {
		return nil, fault
	}
	l := &chartLoader{places: map[*common.File]string{}}
	c := l.load(files, "", 0)
	if l.fault != nil {
		return nil, l.fault
	}
	out := &preparedChart{Chart: c, places: l.places}
	if out.isLibrary() {
		return out, nil
	}
	if fault := checkChart(c); fault != nil {
		return nil, fault
	}
	given, fault := j.given()
	if fault != nil {
		return nil, fault
	}
	if err := chartutil.ProcessDependencies(c, given); err != nil {
		return nil, &chartFault{Place: chartFileName, Message: "its dependencies and the values do not go together"}
	}
	caps, err := j.capabilities()
	if err != nil {
		return nil, &chartFault{Message: err.Error()}
	}
	release := common.ReleaseOptions{Name: j.release(c.Name()), Namespace: j.Namespace, Revision: 1, IsInstall: true}
	out.values, err = chartvalues.ToRenderValuesWithSchemaValidation(c, given, release, caps, true)
	if err != nil {
		return nil, &chartFault{Message: "values of the chart and those given do not go together"}
	}
	return out, nil
}

// files returns the files of the chart.
func (j *chartJob) files() ([]*archive.BufferedFile, *chartFault) {
	if j.Archive != nil {
		files, err := archive.LoadArchiveFiles(bytes.NewReader(j.Archive))
		if err != nil {
			return nil, &chartFault{Message: "unpack: " + err.Error()}
		}
		return files, nil
	}
	files := make([]*archive.BufferedFile, 0, len(j.Files))
	for _, f := range j.Files {
		files = append(files, &archive.BufferedFile{Name: f.Name, Data: f.Data})
	}
	return files, nil
}

// checkChart refuses what helm install refuses before it renders.
func checkChart(c *chart.Chart) *chartFault {
	var missing []string
	for _, want := range c.Metadata.Dependencies {
		has := func(d *chart.Chart) bool { return d.Name() == want.Name }
		if !slices.ContainsFunc(c.Dependencies(), has) {
			missing = append(missing, want.Name)
		}
	}
	switch {
	case c.Metadata.APIVersion != chart.APIVersionV1 && c.Metadata.APIVersion != chart.APIVersionV2:
		return &chartFault{Place: chartFileName, Message: "apiVersion is neither v1 nor v2"}
	case len(missing) > 0:
		return &chartFault{Place: chartFileName, Message: fmt.Sprintf(
			"dependencies are not in charts/: %s (helm dependency build fetches them)", strings.Join(missing, ", "))}
	case c.Metadata.Type != "" && c.Metadata.Type != "application":
		return &chartFault{Place: chartFileName, Message: "type is neither application nor library"}
	case c.Metadata.KubeVersion != "" && !chartutil.IsCompatibleRange(c.Metadata.KubeVersion, kubeVersion):
		return &chartFault{Place: chartFileName, Message: fmt.Sprintf(
			"kubeVersion %q leaves out Kubernetes %s", c.Metadata.KubeVersion, kubeVersion)}
	}
	return nil
}

// given returns the values that were given, those that win last.
func (j *chartJob) given() (map[string]any, *chartFault) {
	all := map[string]any{}
	for _, f := range j.Values {
		values, err := loader.LoadValues(bytes.NewReader(f.Data))
		if err != nil {
			at := explainYAML(f.Data)
			return nil, &chartFault{File: f.Name, Line: at.Line, Message: at.Err.Error()}
		}
		all = loader.MergeMaps(all, values)
	}
	for _, set := range []struct {
		flag  string
		texts []string
		parse func(string, map[string]any) error
	}{{"--set", j.Set, strvals.ParseInto}, {"--set-string", j.SetString, strvals.ParseIntoString}} {
		for i, text := range set.texts {
			if err := set.parse(text, all); err != nil {
				return nil, &chartFault{Message: fmt.Sprintf("read %s number %d: is not of the form key=value", set.flag, i+1)}
			}
		}
	}
	return all, nil
}

// release returns the name of the release. Where a chart's name cannot be one, it is
// what helm template takes without a name.
func (j *chartJob) release(chart string) string {
	if j.Release != "" {
		return j.Release
	}
	if chartutil.ValidateReleaseName(chart) != nil {
		return "release-name"
	}
	return chart
}

// capabilities returns what helm template tells charts of the cluster, and each
// kind of those API versions, as a cluster tells it.
func (j *chartJob) capabilities() (*common.Capabilities, error) {
	version, err := common.ParseKubeVersion(kubeVersion)
	if err != nil {
		return nil, err
	}
	caps := common.DefaultCapabilities.Copy()
	caps.KubeVersion = *version
	caps.APIVersions = slices.Concat(caps.APIVersions, j.APIVersions)
	for kind := range scheme.Scheme.AllKnownTypes() {
		caps.APIVersions = append(caps.APIVersions, kind.GroupVersion().String()+"/"+kind.Kind)
	}
	return caps, nil
}

// render returns what becomes of the templates, by their names.
func (c *preparedChart) render() (map[string]string, error) {
	rendered, err := engine.Engine{}.RenderWithContext(context.Background(), c.Chart, c.values) //nolint:forbidigo // the parent ends the process
	if err != nil {
		return nil, err
	}
	maps.DeleteFunc(rendered, func(name, _ string) bool { return strings.HasSuffix(name, "NOTES.txt") })
	return rendered, nil
}

// texts returns what was rendered in the order of names, but for what is empty.
func (c *preparedChart) texts(rendered map[string]string) ([]chartText, *chartFault) {
	templates := c.templates()
	var out []chartText
	size := 0
	for _, name := range slices.Sorted(maps.Keys(rendered)) {
		if size += len(rendered[name]); size > maxRendered {
			return nil, &chartFault{Message: errRendered.Error()}
		}
		if strings.TrimSpace(rendered[name]) != "" {
			out = append(out, chartText{Place: c.places[templates[name]], name: name, Text: []byte(rendered[name])})
		}
	}
	return out, nil
}

// templates returns the templates by the names that helm gives them.
func (c *preparedChart) templates() map[string]*common.File {
	out := map[string]*common.File{}
	var add func(c *chart.Chart)
	add = func(c *chart.Chart) {
		for _, f := range c.Templates {
			out[path.Join(c.ChartFullPath(), f.Name)] = f
		}
		for _, d := range c.Dependencies() {
			add(d)
		}
	}
	add(c.Chart)
	return out
}

// crds returns the files in crds/, which helm installs as they are.
func (c *preparedChart) crds() []chartText {
	var out []chartText
	for _, crd := range c.CRDObjects() {
		out = append(out, chartText{Place: c.places[crd.File], Text: crd.File.Data, Plain: true})
	}
	return out
}
