package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	"github.com/open-policy-agent/opa/v1/ast"
	kjson "sigs.k8s.io/json"

	"github.com/lintel-policy/lintel/api/v1alpha1"
)

// Metadata is what the METADATA of a policy's package says. It is the one source
// of the policy's text and defaults.
type Metadata struct {
	Title       string
	Description string
	Custom      Custom
}

// Custom is the custom part of METADATA. An unknown key is an error.
type Custom struct {
	Severity    Severity             `json:"severity,omitempty"`
	Category    string               `json:"category,omitempty"`
	Enforcement v1alpha1.Enforcement `json:"enforcement,omitempty"`
	Patches     v1alpha1.PatchMode   `json:"patches,omitempty"`
	OnError     v1alpha1.OnError     `json:"onError,omitempty"`
	Existing    v1alpha1.Existing    `json:"existing,omitempty"`
	// Controlled is "deny" for a policy that denies what built-in controllers make.
	Controlled v1alpha1.Enforcement `json:"controlled,omitempty"`
	Match      *v1alpha1.Match      `json:"match,omitempty"`
	// Parameters is the structural schema of the policy's parameters.
	Parameters map[string]any  `json:"parameters,omitempty"`
	Inventory  []InventoryKind `json:"inventory,omitempty"`
}

// readMetadata returns the METADATA of the package that modules make up.
func readMetadata(modules []*ast.Module) (Metadata, error) {
	var found *ast.Annotations
	for _, module := range modules {
		for _, a := range module.Annotations {
			if a.Scope != "package" && a.Scope != "subpackages" {
				continue
			}
			if found != nil {
				return Metadata{}, fmt.Errorf("%s: METADATA of the package is there twice", a.Location)
			}
			found = a
		}
	}
	if found == nil {
		return Metadata{}, nil
	}
	m := Metadata{Title: found.Title, Description: found.Description}
	data, err := json.Marshal(found.Custom)
	if err != nil {
		return Metadata{}, fmt.Errorf("%s: encode METADATA: %w", found.Location, err)
	}
	strict, err := decodeStrict(data, &m.Custom)
	if err := errors.Join(append(strict, mistyped(err))...); err != nil {
		return Metadata{}, fmt.Errorf("%s: METADATA: custom: %w", found.Location, err)
	}
	if err := m.Custom.check(); err != nil {
		return Metadata{}, fmt.Errorf("%s: METADATA: custom: %w", found.Location, err)
	}
	return m, nil
}

// decodeStrict decodes data with the case-sensitive decoder of the API server
// and returns unknown and repeated fields as errors of their own.
func decodeStrict(data []byte, into any) ([]error, error) {
	return kjson.UnmarshalStrict(data, into)
}

// mistyped says an error about a field of the wrong type as people say it.
func mistyped(err error) error {
	var wrong *json.UnmarshalTypeError
	if !errors.As(err, &wrong) || wrong.Field == "" {
		return err
	}
	return fmt.Errorf("%s: a %s is where %s should be", wrong.Field, wrong.Value, kindName(wrong.Type))
}

// kindName names what is written for a value of a type.
func kindName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Slice:
		return "a list"
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "a text"
	}
	return "a number"
}

func (c Custom) check() error {
	if c.Controlled != "" && c.Controlled != v1alpha1.Deny {
		return fmt.Errorf("controlled is %q, not deny", c.Controlled)
	}
	for _, k := range c.Inventory {
		if k.APIVersion == "" || k.Kind == "" {
			return errors.New("inventory: an entry lacks its apiVersion or kind")
		}
	}
	return errors.Join(
		oneOf("severity", c.Severity, Critical, High, Medium, Low),
		checkSettings(c.Enforcement, c.Patches, c.OnError, c.Existing),
	)
}

func checkSettings(e v1alpha1.Enforcement, p v1alpha1.PatchMode, o v1alpha1.OnError, x v1alpha1.Existing) error {
	return errors.Join(
		oneOf("enforcement", e, v1alpha1.Deny, v1alpha1.Warn, v1alpha1.DryRun),
		oneOf("patches", p, v1alpha1.PatchApply, v1alpha1.PatchRecord, v1alpha1.PatchOff),
		oneOf("onError", o, v1alpha1.OnErrorDeny, v1alpha1.OnErrorAllow),
		oneOf("existing", x, v1alpha1.ExistingWarn, v1alpha1.ExistingEnforce),
	)
}

// oneOf returns an error unless value is empty or one of known.
func oneOf[T ~string](field string, value T, known ...T) error {
	if value == "" {
		return nil
	}
	for _, k := range known {
		if value == k {
			return nil
		}
	}
	return fmt.Errorf("%s is %q, none of %q", field, value, known)
}
