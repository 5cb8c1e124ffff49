package controller

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
)

const (
	// maxGood is how much is kept, in bytes: a ConfigMap has 1 MiB at most.
	maxGood = 1<<20 - 64<<10
	// maxGoodPolicy is how large one policy may be when it is unpacked, in bytes:
	// more than an object and a ConfigMap can hold together.
	maxGoodPolicy = 4 << 20
)

// A LastGood keeps the source of each policy as it last compiled, in a ConfigMap, so
// that after a restart a policy that does not compile is in force as before. The
// Rego of a policy of the library is in it too: the next version may have another.
type LastGood struct {
	Client coreclient.ConfigMapInterface
	// Name is that of the ConfigMap, which has to exist.
	Name string
}

// A goodPolicy is an entry, as gzipped JSON under the name of the policy.
type goodPolicy struct {
	Name        string              `json:"name"`
	Origin      string              `json:"origin"`
	Modules     []v1alpha1.Module   `json:"modules"`
	FreePackage bool                `json:"freePackage,omitempty"`
	Spec        v1alpha1.PolicySpec `json:"spec"`
}

// Read returns what is kept, by name. The errors are of entries that cannot be read
// or were tampered with, which are left out; err says that nothing can be read.
func (l LastGood) Read(ctx context.Context) (good map[string]engine.Policy, broken []error, err error) {
	kept, err := l.Client.Get(ctx, l.Name, metav1.GetOptions{})
	if err != nil {
		return nil, nil, fmt.Errorf("read policies as they last compiled: %w", err)
	}
	good = map[string]engine.Policy{}
	for _, name := range slices.Sorted(maps.Keys(kept.BinaryData)) {
		p, err := unpack(name, kept.BinaryData[name])
		if err != nil {
			broken = append(broken, fmt.Errorf("ConfigMap %s: policy %s as it last compiled: %w", l.Name, engine.Printable(name), err))
			continue
		}
		good[name] = p
	}
	return good, broken, nil
}

// Write keeps just these policies, and returns those, sorted, for which there is no
// room: the largest.
func (l LastGood) Write(ctx context.Context, good map[string]engine.Policy) (left []string, err error) {
	packed := map[string][]byte{}
	for name, p := range good {
		if packed[name], err = pack(p); err != nil {
			return nil, fmt.Errorf("keep policy %s: %w", name, err)
		}
	}
	left = fit(packed)
	kept, err := l.Client.Get(ctx, l.Name, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("keep policies as they compiled: %w", err)
	}
	if len(kept.BinaryData)+len(packed) == 0 || reflect.DeepEqual(kept.BinaryData, packed) {
		return left, nil
	}
	kept.BinaryData = packed
	if _, err := l.Client.Update(ctx, kept, metav1.UpdateOptions{FieldManager: fieldManager}); err != nil {
		return nil, fmt.Errorf("keep policies as they compiled: %w", err)
	}
	return left, nil
}

// fit leaves out what there is no room for, and returns its names, sorted.
func fit(packed map[string][]byte) (left []string) {
	bySize := slices.SortedFunc(maps.Keys(packed), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(packed[a]), len(packed[b])), cmp.Compare(a, b))
	})
	room := maxGood
	for _, name := range bySize {
		if room -= len(name) + len(packed[name]); room < 0 {
			left = append(left, name)
			delete(packed, name)
		}
	}
	slices.Sort(left)
	return left
}

func pack(p engine.Policy) ([]byte, error) {
	data, err := json.Marshal(goodPolicy(p))
	if err != nil {
		return nil, err
	}
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, err = w.Write(data)
	if err := errors.Join(err, w.Close()); err != nil {
		return nil, err
	}
	return packed.Bytes(), nil
}

func unpack(name string, packed []byte) (engine.Policy, error) {
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return engine.Policy{}, err
	}
	data, err := io.ReadAll(io.LimitReader(r, maxGoodPolicy+1))
	switch {
	case err != nil:
		return engine.Policy{}, err
	case len(data) > maxGoodPolicy:
		return engine.Policy{}, fmt.Errorf("it is larger than %d bytes", maxGoodPolicy)
	}
	var p goodPolicy
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields() // what this version does not know may be what confines the policy
	switch err := d.Decode(&p); {
	case err != nil:
		return engine.Policy{}, err
	case p.Name != name:
		return engine.Policy{}, fmt.Errorf("it is of another policy, %q", p.Name)
	}
	return engine.Policy(p), nil
}
