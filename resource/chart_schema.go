package resource

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	chart "helm.sh/helm/v4/pkg/chart/v2"
)

const (
	schemaName = "values.schema.json"
	schemaURL  = "file:///" + schemaName // what helm calls it, so that references mean the same

	// maxViolations is how many violations of a schema are told of.
	maxViolations = 5
)

// errReference reports a schema that refers to something outside of itself, which
// helm would fetch or read.
var errReference = errors.New("refers to a URL or to another file, which is not read")

// A noLoader loads no schema but what helm takes for a URN: one that allows all.
type noLoader struct{}

func (noLoader) Load(url string) (any, error) {
	if strings.HasPrefix(url, "urn:") {
		return true, nil
	}
	return nil, errReference
}

// checkSchemas holds the values to the schemas of the chart and of those in it. Helm
// does it too, but fetches what schemas refer to, and repeats values.
func (c *preparedChart) checkSchemas() *chartFault {
	values, err := c.values.Table("Values")
	if err != nil {
		return nil
	}
	return c.checkSchema(c.Chart, values.AsMap())
}

func (c *preparedChart) checkSchema(ch *chart.Chart, values map[string]any) *chartFault {
	if ch.Schema != nil {
		if err := checkValues(ch.Schema, values); err != nil {
			return &chartFault{Place: c.schemaPlace(ch), Message: err.Error()}
		}
	}
	for _, sub := range ch.Dependencies() {
		inner, exists := values[sub.Name()]
		if !exists || inner == nil {
			continue
		}
		table, ok := inner.(map[string]any)
		if !ok {
			return &chartFault{Message: fmt.Sprintf("values of the chart %q are no object", sub.Name())}
		}
		if fault := c.checkSchema(sub, table); fault != nil {
			return fault
		}
	}
	return nil
}

// schemaPlace returns the place of a chart's schema.
func (c *preparedChart) schemaPlace(ch *chart.Chart) string {
	for _, f := range ch.Raw {
		if f.Name == schemaName {
			return c.places[f]
		}
	}
	return ""
}

// checkValues holds values to one schema. The library panics on some schemas that
// it did not expect.
func checkValues(schema []byte, values map[string]any) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = errors.New("is no JSON schema")
		}
	}()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		return errors.New("is no valid JSON")
	}
	compiler := jsonschema.NewCompiler()
	compiler.UseLoader(noLoader{})
	if err := compiler.AddResource(schemaURL, doc); err != nil {
		return errors.New("is no JSON schema")
	}
	compiled, err := compiler.Compile(schemaURL)
	switch {
	case errors.Is(err, errReference), errors.As(err, new(*jsonschema.LoadURLError)):
		return errReference
	case err != nil:
		return errors.New("is no valid JSON schema")
	}
	var invalid *jsonschema.ValidationError
	if err := compiled.Validate(values); errors.As(err, &invalid) {
		return fmt.Errorf("is broken by the values: %s", firstViolations(invalid))
	} else if err != nil {
		return errors.New("cannot be held against the values")
	}
	return nil
}

// firstViolations says what is wrong, in the order of places, since the library has none.
func firstViolations(e *jsonschema.ValidationError) string {
	all := violations(e, nil)
	slices.Sort(all)
	text := strings.Join(all[:min(len(all), maxViolations)], "; ")
	if more := len(all) - maxViolations; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// violations appends what is wrong, without the values.
func violations(e *jsonschema.ValidationError, to []string) []string {
	if len(e.Causes) == 0 {
		to = append(to, "at /"+strings.Join(e.InstanceLocation, "/")+": "+violation(e.ErrorKind))
	}
	for _, cause := range e.Causes {
		to = violations(cause, to)
	}
	return to
}

func violation(k jsonschema.ErrorKind) string {
	switch k := k.(type) {
	case *kind.Type:
		return fmt.Sprintf("is of type %s, not %s", k.Got, strings.Join(k.Want, " or "))
	case *kind.Required:
		return "lacks " + strings.Join(slices.Sorted(slices.Values(k.Missing)), ", ")
	case *kind.AdditionalProperties:
		return "has unknown keys " + strings.Join(slices.Sorted(slices.Values(k.Properties)), ", ")
	}
	if path := k.KeywordPath(); len(path) > 0 {
		return "breaks " + path[len(path)-1]
	}
	return "is not allowed"
}
