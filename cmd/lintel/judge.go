package main

import (
	"context"
	"errors"
	"net/url"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/report"
	"github.com/lintel-policy/lintel/resource"
)

// perObject is how long the policies may take for one object, which takes a few
// milliseconds at most. What takes longer is an error, not a hang.
const perObject = 10 * time.Second

// A judge holds the objects of one run to policies, as a cluster would if they
// were created there.
type judge struct {
	policies  *loaded
	now       time.Time
	namespace string            // of objects that do not say theirs
	labels    map[string]string // of namespaces that are not among the objects; nil if not known
	progress  *progress         // told of each object; may be nil
}

// judge returns what the policies find. The error is that of the context.
func (j *judge) judge(ctx context.Context, found resource.Result) (*report.Report, error) {
	r := &report.Report{Revision: j.policies.set.Revision(), Policies: j.policies.described(), Skipped: found.Skipped}
	for _, err := range j.policies.broken {
		r.Errors = append(r.Errors, brokenPolicy(err))
	}
	for _, e := range found.Errors {
		r.Errors = append(r.Errors, report.Error{Source: report.Source{File: e.File, Line: e.Line}, Message: e.Err.Error()})
	}
	candidates := make([]candidate, len(found.Objects))
	spread(len(candidates), func(i int) { candidates[i] = j.prepare(found.Objects[i]) })
	for _, c := range candidates {
		r.Warnings = append(r.Warnings, c.warnings...)
	}
	s := j.surroundings(ctx, candidates)
	for _, text := range s.warnings {
		r.Warnings = append(r.Warnings, report.Note{Message: text})
	}
	r.Objects = make([]report.Object, len(candidates))
	asked := make([][]string, len(candidates))
	j.progress.judging(len(candidates))
	spread(len(candidates), func(i int) {
		r.Objects[i], asked[i] = j.one(ctx, candidates[i], s)
		j.progress.judged()
	})
	r.Assumptions = j.assumptions(r.Objects, asked, s)
	r.Warnings = append(r.Warnings, j.ending(r.Objects)...)
	return r, ctx.Err()
}

// ending returns a warning for each exception that ends soon and excuses something.
func (j *judge) ending(objects []report.Object) (warnings []report.Note) {
	var excused []engine.Excuse
	for i := range objects {
		excused = append(excused, objects[i].Excused...)
	}
	for _, text := range engine.Ending(excused, j.now) {
		warnings = append(warnings, report.Note{Message: text})
	}
	return warnings
}

// libraryPages is where there is a page for each policy of the library.
const libraryPages = "https://github.com/lintel-policy/lintel/blob/main/docs/policies/"

// described returns what a report says of the policies.
func (l *loaded) described() []report.Policy {
	var described []report.Policy
	for _, p := range l.set.Policies() {
		d := report.Policy{
			Name: p.Name, Title: p.Title, Description: p.Description, Severity: p.Severity, Category: p.Category, Enforcement: p.Enforcement,
		}
		if p.Origin == fromEmbedded {
			d.HelpURI = libraryPages + url.PathEscape(p.Name) + ".md"
		}
		described = append(described, d)
	}
	return described
}

// brokenPolicy returns the error of a report for that of a policy.
func brokenPolicy(err error) report.Error {
	var policy *engine.PolicyError
	if errors.As(err, &policy) {
		return report.Error{Policy: policy.Policy, Message: policy.Err.Error()}
	}
	return report.Error{Message: err.Error()}
}

// A candidate is an object to be judged.
type candidate struct {
	resource.Object        // with the API server's defaults
	namespace       string // that it is in; "" for a cluster-scoped object
	warnings        []report.Note
	err             error // why it cannot be judged; nil if it can
}

// prepare sets defaults and finds out the namespace.
func (j *judge) prepare(o resource.Object) candidate {
	var c candidate
	var warnings []resource.Warning
	c.Object, warnings, c.err = resource.Default(o)
	for _, w := range warnings {
		c.warnings = append(c.warnings, report.Note{
			Source: report.Source{File: w.File, Line: w.Line}, Message: w.Problem(),
		})
	}
	if c.err != nil {
		return c
	}
	req, err := engine.NewRequest(c.JSON, j.namespace)
	if err != nil {
		c.err = err
		return c
	}
	c.namespace = req.Namespace()
	return c
}

// ref names the object.
func (c *candidate) ref() engine.ObjectRef {
	namespace := c.namespace
	if c.err != nil {
		namespace = c.Namespace
	}
	return engine.ObjectRef{APIVersion: c.APIVersion, Kind: c.Kind, Namespace: namespace, Name: c.Name}
}

// at returns where a field of the object stands.
func (c *candidate) at(path engine.Path) report.Source {
	file, line := c.SourceOf(path)
	return report.Source{File: file, Line: line}
}

// failed returns the finding that the object could not be judged.
func (c *candidate) failed(err error) report.Object {
	o := report.Object{Ref: c.ref(), Source: c.at(nil), Err: err}
	var placed *resource.Error
	if errors.As(err, &placed) {
		o.Source, o.Err = report.Source{File: placed.File, Line: placed.Line}, placed.Err
	}
	return o
}

// one judges one object, patched first. It also returns which policies were asked.
func (j *judge) one(ctx context.Context, c candidate, s *surroundings) (report.Object, []string) {
	if c.err != nil {
		return c.failed(c.err), nil
	}
	req, err := j.request(c, s)
	if err != nil {
		return c.failed(err), nil
	}
	ctx, cancel := context.WithTimeout(ctx, perObject)
	defer cancel()
	d, m, err := j.policies.set.Decide(ctx, req, s.inventory)
	if err != nil {
		return c.failed(err), nil
	}
	return report.NewObject(d, m, c.at), d.Evaluated
}

// request returns the creation of an object.
func (j *judge) request(c candidate, s *surroundings) (*engine.Request, error) {
	req, err := engine.NewRequest(c.JSON, j.namespace)
	if err != nil {
		return nil, err
	}
	req = req.At(j.now)
	if c.namespace != "" {
		req = req.In(s.namespaces[c.namespace])
	}
	return req, nil
}

// spread calls do with 0 to n-1, on all processors.
func spread(n int, do func(int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				do(int(i))
			}
		})
	}
	wg.Wait()
}
