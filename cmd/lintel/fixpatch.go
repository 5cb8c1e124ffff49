package main

import (
	"encoding/json"
	"errors"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"

	"github.com/lintel-policy/lintel/report"
	"github.com/lintel-policy/lintel/resource"
	"github.com/lintel-policy/lintel/splice"
)

// operations returns the patch of an object as its file has it that has the effect
// of patches of the object with defaults.
func operations(o resource.Object, patches []report.Patch) ([]splice.Operation, error) {
	defaulted, _, err := resource.Default(o)
	if err != nil {
		return nil, err
	}
	want := defaulted.JSON
	for _, p := range patches {
		if want, err = patchJSON(want, p.JSON); err != nil {
			return nil, err
		}
	}
	return rewrite(o, defaulted.JSON, want)
}

// maxRewrites is how often what is to be written is compared with what is wanted.
// What a patch keeps from being set by itself is written in a second round.
const maxRewrites = 3

var errByItself = errors.New("what it is to become cannot be written: the API server sets something else by itself")

// rewrite returns the patch of an object after which it is to the API server what is
// wanted. A default that a patch changes the source of, such as a selector that is
// taken from the labels of a template, is written as it was.
func rewrite(o resource.Object, defaulted, want []byte) ([]splice.Operation, error) {
	full, err := withDefaults(o, want)
	if err != nil {
		return nil, err
	}
	made := o.JSON
	for range maxRewrites {
		ops, err := splice.Diff(made, defaulted, want)
		if err != nil {
			return nil, err
		}
		data, err := json.Marshal(ops)
		if err != nil {
			return nil, err
		}
		if made, err = patchJSON(made, data); err != nil {
			return nil, err
		}
		if defaulted, err = withDefaults(o, made); err != nil {
			return nil, err
		}
		if splice.Equal(defaulted, full) {
			return splice.Diff(o.JSON, o.JSON, made)
		}
		want = full
	}
	return nil, errByItself
}

// withDefaults returns a state of an object as it is to the API server.
func withDefaults(o resource.Object, state []byte) ([]byte, error) {
	o.JSON = state
	o, _, err := resource.Default(o)
	return o.JSON, err
}

func patchJSON(object, patch []byte) ([]byte, error) {
	p, err := jsonpatch.DecodePatch(patch)
	if err == nil {
		object, err = p.Apply(object)
	}
	if err != nil {
		return nil, errors.New("the patch does not fit the object")
	}
	return object, nil
}
