package verify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/policies"
	"github.com/lintel-policy/lintel/resource"
)

// object is an object as encoding/json reads it.
type object = map[string]any

// defaultNamespace is that of samples that do not say theirs, as in check.
const defaultNamespace = "default"

// A sample is an object with those that stand in the same file.
type sample struct {
	policies.Sample
	file    *sampleFile
	written object          // as it is in the file
	read    resource.Object // with the defaults of the API server
	// namespace is the one that it is in; "" for a cluster-scoped object.
	namespace string
	err       error // why it cannot be judged
}

// A sampleFile is what the samples of one file are to each other, as they are in check:
// namespaces, and what a policy reads beside its object.
type sampleFile struct{ samples []*sample }

// readSamples reads all samples of a policy.
func readSamples(texts []policies.Sample) []*sample {
	files := map[string]*sampleFile{}
	var all []*sample
	for _, text := range texts {
		f := files[text.File]
		if f == nil {
			f = &sampleFile{}
			files[text.File] = f
		}
		s := newSample(text)
		s.file, f.samples = f, append(f.samples, s)
		all = append(all, s)
	}
	return all
}

func newSample(text policies.Sample) *sample {
	s := &sample{Sample: text}
	before := strings.Repeat("\n", text.Line-1) // so that lines are those of the file
	found := resource.Read(strings.NewReader(before+text.Text), text.File)
	switch {
	case len(found.Errors) > 0:
		s.err = found.Errors[0]
	case len(found.Objects) != 1:
		s.err = fmt.Errorf("has %d objects: a sample is one", len(found.Objects))
	default:
		s.Line = found.Objects[0].Line
		s.err = s.take(found.Objects[0])
	}
	return s
}

// take reads an object as an API server does.
func (s *sample) take(o resource.Object) error {
	if err := json.Unmarshal(o.JSON, &s.written); err != nil {
		return fmt.Errorf("read JSON: %w", err)
	}
	read, unknown, err := resource.Default(o)
	if err != nil {
		return err
	}
	if len(unknown) > 0 {
		return errors.New(unknown[0].Problem())
	}
	req, err := engine.NewRequest(read.JSON, defaultNamespace)
	if err != nil {
		return err
	}
	s.read, s.namespace = read, req.Namespace()
	return nil
}

// name tells the sample from others.
func (s *sample) name() string {
	if s.read.Kind == "" {
		return "sample"
	}
	return strings.TrimSpace(s.read.Kind + " " + s.read.Name)
}

func (s *sample) is(apiVersion, kind string) bool {
	return s.read.APIVersion == apiVersion && s.read.Kind == kind
}

// isBeside reports whether the sample is there for others: a Namespace, or of a kind
// that the policy reads beside its object.
func (p *proof) isBeside(s *sample) bool {
	return s.is("v1", "Namespace") || slices.ContainsFunc(p.info.Inventory, func(k engine.InventoryKind) bool { return s.is(k.APIVersion, k.Kind) })
}

// request returns the request that creates the sample, with what stands beside it.
func (p *proof) request(s *sample) (*engine.Request, *engine.Inventory, error) {
	req, err := engine.NewRequest(s.read.JSON, defaultNamespace)
	if err != nil {
		return nil, nil, err
	}
	if s.namespace != "" {
		namespace, err := engine.DecodeObject(encode(s.file.namespace(s.namespace)))
		if err != nil {
			return nil, nil, err
		}
		req = req.In(namespace)
	}
	var beside []*engine.Object
	for _, o := range p.beside(s) {
		decoded, err := engine.DecodeObject(encode(o))
		if err != nil {
			return nil, nil, err
		}
		beside = append(beside, decoded)
	}
	return req, engine.NewInventory(beside...), nil
}

// beside returns the objects of the file that the policy reads.
func (p *proof) beside(s *sample) []object {
	var all []object
	for _, other := range s.file.samples {
		if other.err != nil || !p.isBeside(other) || other.is("v1", "Namespace") {
			continue
		}
		all = append(all, other.object())
	}
	return all
}

// object returns the object as a cluster has it, in its namespace.
func (s *sample) object() object {
	var o object
	if json.Unmarshal(s.read.JSON, &o) != nil { // it was read before
		return object{}
	}
	if s.namespace != "" {
		metadata, _ := o["metadata"].(object)
		if metadata == nil {
			metadata = object{}
			o["metadata"] = metadata
		}
		metadata["namespace"] = s.namespace
	}
	return o
}

// namespace returns the Namespace of that name, which has no labels unless the file says so.
func (f *sampleFile) namespace(name string) object {
	for _, s := range f.samples {
		if s.err == nil && s.is("v1", "Namespace") && s.read.Name == name {
			return s.object()
		}
	}
	return object{"apiVersion": "v1", "kind": "Namespace", "metadata": object{"name": name, "labels": object{"kubernetes.io/metadata.name": name}}}
}

// encode writes what was read from JSON.
func encode(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return data
}

// judge judges a sample. The second result is false for one that is there for others.
func (p *proof) judge(ctx context.Context, s *sample) (Case, bool) {
	c := Case{Kind: BadSample, Name: s.name(), File: s.File, Line: s.Line}
	if s.Good {
		c.Kind = GoodSample
	}
	begin := time.Now()
	asked, lines, err := p.findings(ctx, s)
	c.Duration = time.Since(begin)
	switch {
	case err == nil && !asked && p.isBeside(s):
		return c, false
	case err != nil:
		lines = []string{placed(err)}
	case !asked:
		lines = []string{fmt.Sprintf("the policy is not asked about %s %s: its match leaves it out", s.read.APIVersion, s.read.Kind)}
	}
	c.Failure = strings.Join(lines, "\n")
	return c, true
}

// placed returns an error without the file, which stands before it.
func placed(err error) string {
	var at *resource.Error
	if errors.As(err, &at) {
		return at.Err.Error()
	}
	return err.Error()
}

// findings returns what is not as the sample says, after asking the policy.
func (p *proof) findings(ctx context.Context, s *sample) (asked bool, lines []string, err error) {
	if s.err != nil {
		return false, nil, s.err
	}
	req, inventory, err := p.request(s)
	if err != nil {
		return false, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, p.cfg.Timeout)
	defer cancel()
	d, err := p.set.Review(ctx, req, inventory)
	if err != nil {
		return false, nil, err
	}
	asked = len(d.Evaluated) > 0 || len(d.Errors) > 0 || p.info.PatchesObjects && !p.info.Reviews
	if !asked {
		return false, nil, nil
	}
	lines = compare(s.Want, said(d))
	if len(s.Want) == 0 && !s.Good && p.info.Reviews && len(lines) == 0 {
		lines = []string{"nothing is found in it, and no comment says what should be: # want: path: message"}
	}
	if err := p.watch(ctx, s); err != nil && len(d.Errors) == 0 {
		return asked, nil, err
	}
	unsettled, err := Settles(ctx, p.set, req, inventory)
	return asked, append(lines, unsettled...), err
}

// said returns what a decision says, a line for each violation and each error.
func said(d *engine.Decision) []string {
	var lines []string
	for _, v := range d.Violations {
		line := v.Message
		if len(v.Path) > 0 {
			line = v.Path.String() + ": " + line
		}
		lines = append(lines, engine.Printable(line))
	}
	for _, e := range d.Errors {
		lines = append(lines, "error: "+e.Err.Error())
	}
	return lines
}

// compare returns a line for each that only one of want and got has.
func compare(want, got []string) []string {
	var lines []string
	rest := slices.Clone(got)
	for _, w := range want {
		if i := slices.Index(rest, w); i >= 0 {
			rest = slices.Delete(rest, i, i+1)
		} else {
			lines = append(lines, "- "+w)
		}
	}
	for _, g := range rest {
		lines = append(lines, "+ "+g)
	}
	if len(lines) > 0 {
		lines = append([]string{"wanted (-) and found (+):"}, lines...)
	}
	return lines
}
