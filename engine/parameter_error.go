package engine

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	structural "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// unknown returns the error for parameters that the schema does not have, with those
// that it has in that place.
func (s *parameterSchema) unknown(paths []string) error {
	var errs []error
	for _, path := range paths {
		if known := keysBeside(s.structural, path); len(known) > 0 {
			errs = append(errs, fmt.Errorf("unknown parameter %s: there are %s", path, strings.Join(known, ", ")))
		} else {
			errs = append(errs, fmt.Errorf("unknown parameter %s: there are none", path))
		}
	}
	return errors.Join(errs...)
}

// step is a part of a path, as the names of fields with indexes are written.
var step = regexp.MustCompile(`[^.\[\]]+`)

// keysBeside returns the keys that the schema has where the last of path stands.
func keysBeside(s *structural.Structural, path string) []string {
	steps := step.FindAllString(path, -1)
	for _, name := range steps[:max(0, len(steps)-1)] {
		s = inside(s, name)
		if s == nil {
			return nil
		}
	}
	return slices.Sorted(maps.Keys(s.Properties))
}

// inside returns the schema of a property, of the items of a list, or of the values
// of a map.
func inside(s *structural.Structural, name string) *structural.Structural {
	if property, ok := s.Properties[name]; ok {
		return &property
	}
	if s.Items != nil {
		return s.Items
	}
	if s.AdditionalProperties != nil {
		return s.AdditionalProperties.Structural
	}
	return nil
}

// unfit returns the error for parameters that do not fit their schema. It says what
// is expected, and repeats no value.
func unfit(all field.ErrorList) error {
	var errs []error
	for _, e := range all {
		errs = append(errs, fmt.Errorf("%s: %s", e.Field, expectation(e)))
	}
	return errors.Join(errs...)
}

// sentType and sentValue are what the library that checks schemas has at the end of
// what it expects.
var (
	sentType  = regexp.MustCompile(`: "(array|boolean|integer|null|number|object|string)"$`)
	sentValue = regexp.MustCompile(`: "(?s:.*)"$`)
)

func expectation(e *field.Error) string {
	_, expected, _ := strings.Cut(e.Detail, " in body ")
	switch {
	case e.Type == field.ErrorTypeRequired:
		return "is missing"
	case e.Type == field.ErrorTypeNotSupported:
		return "is none of the " + e.Detail
	case expected == "":
		return strings.ToLower(e.Type.String()) + ": " + e.Detail
	}
	return sentValue.ReplaceAllString(sentType.ReplaceAllString(expected, ", and is $1"), "")
}
