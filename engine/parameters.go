package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"

	"github.com/open-policy-agent/opa/v1/ast"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structural "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/runtime"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// A parameterSchema checks and completes the parameters of a policy. It is a structural
// schema as CustomResourceDefinitions have, with the same library behind it.
type parameterSchema struct {
	structural *structural.Structural
	validator  validation.SchemaValidator
}

// newSchema reads a schema from METADATA. If properties is nil, the policy has no
// parameters.
func newSchema(properties map[string]any) (*parameterSchema, error) {
	if properties == nil {
		properties = map[string]any{"type": "object"}
	}
	data, err := json.Marshal(properties)
	if err != nil {
		return nil, fmt.Errorf("encode schema: %w", err)
	}
	var v1 apiextensionsv1.JSONSchemaProps
	if strict, err := decodeStrict(data, &v1); err != nil || len(strict) > 0 {
		return nil, errors.Join(append(strict, err)...)
	}
	var props apiextensions.JSONSchemaProps
	if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(&v1, &props, nil); err != nil {
		return nil, fmt.Errorf("convert schema: %w", err)
	}
	s := &parameterSchema{}
	if s.structural, err = structural.NewStructural(&props); err != nil {
		return nil, fmt.Errorf("schema is not structural: %w", err)
	}
	if errs := structural.ValidateStructural(nil, s.structural); len(errs) > 0 {
		return nil, fmt.Errorf("schema is not structural: %w", errs.ToAggregate())
	}
	if s.validator, _, err = validation.NewSchemaValidator(&props); err != nil {
		return nil, fmt.Errorf("read schema: %w", err)
	}
	return s, nil
}

// complete lays layers over each other, each top-level key replacing the one
// before whole, adds the defaults of the schema and checks the result.
func (s *parameterSchema) complete(layers ...*runtime.RawExtension) (*ast.Term, error) {
	parameters := map[string]any{}
	for _, layer := range layers {
		if layer == nil || len(layer.Raw) == 0 {
			continue
		}
		var values map[string]any
		if err := utiljson.Unmarshal(layer.Raw, &values); err != nil {
			return nil, errors.New("parameters are not an object")
		}
		maps.Copy(parameters, values)
	}
	unknown := pruning.PruneWithOptions(parameters, s.structural, false,
		structural.UnknownFieldPathOptions{TrackUnknownFieldPaths: true})
	if len(unknown) > 0 {
		return nil, s.unknown(unknown)
	}
	defaulting.Default(parameters, s.structural)
	if errs := validation.ValidateCustomResource(field.NewPath("parameters"), parameters, s.validator); len(errs) > 0 {
		return nil, unfit(errs)
	}
	return termOf(parameters)
}

// termOf returns the term of a value that encoding/json can write.
func termOf(v any) (*ast.Term, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	return newDecoder(string(data)).document(plain)
}
