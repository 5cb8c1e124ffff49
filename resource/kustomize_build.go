package resource

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"runtime"
	"runtime/metrics"
	"slices"
	"strings"
	"sync"
	"time"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/openapi"
)

// Limits of one build. Those of the largest known repositories take seconds and
// some 100 MB.
const (
	maxBuildTime = 2 * time.Minute
	maxLive      = 768 << 20 // bytes of objects that are in use
	maxHeap      = 2 << 30   // bytes of all objects, before the dead are collected
	maxBuilt     = 100_000   // objects
)

// building is held during a build: kustomize keeps its schemas in global variables,
// and writes advice to standard error.
var building sync.Mutex //nolint:gochecknoglobals // so does kustomize

// A builder runs kustomize. It cannot be stopped; a build that takes too long or
// too much memory is left behind, and there can be no other after it.
type builder struct{ stuck error }

// run builds k with what its file shall say, if that is not nil.
func (p *plan) run(k *kustomization, instead []byte) (resmap.ResMap, error) {
	if p.builder.stuck != nil {
		return nil, p.builder.stuck
	}
	type outcome struct {
		built resmap.ResMap
		err   error
	}
	done := make(chan outcome, 1)
	ctx, cancel := context.WithTimeout(p.ctx, maxBuildTime)
	defer cancel()
	go func() {
		var o outcome
		o.built, o.err = p.kustomize(ctx, k, instead)
		done <- o
	}()
	live, heap := memory()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case o := <-done:
			return o.built, o.err
		case <-ctx.Done():
			if p.ctx.Err() != nil {
				p.builder.stuck = p.ctx.Err()
			} else {
				p.builder.stuck = fmt.Errorf("build kustomization %s: takes more than %v", k.shown, maxBuildTime)
			}
			return nil, p.builder.stuck
		case <-tick.C:
			if l, h := memory(); l > live+maxLive || h > heap+maxHeap {
				p.builder.stuck = fmt.Errorf("build kustomization %s: takes more than %d MiB of memory", k.shown, maxLive>>20)
				return nil, p.builder.stuck
			}
		}
	}
}

// memory returns how much memory is in use, and how much objects take with those that
// are dead and were not yet collected.
func memory() (live, heap uint64) {
	samples := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(samples)
	return samples[0].Value.Uint64(), samples[1].Value.Uint64()
}

// kustomize runs kustomize as kubectl does.
func (p *plan) kustomize(ctx context.Context, k *kustomization, instead []byte) (built resmap.ResMap, err error) {
	building.Lock()
	defer building.Unlock()
	defer quiet()()
	defer func() {
		if recover() != nil {
			err = errUnbuildable
		}
	}()
	if slices.ContainsFunc(k.builds(), func(b *kustomization) bool { return len(b.OpenAPI) > 0 }) {
		defer openapi.ResetOpenAPI() // else the next build would have this one's schema
	}
	jsonpatch.AccumulatedCopySizeLimit = maxDocument // else a few operations make an object of any size
	v := p.newVault(ctx, k, instead)
	built, err = krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(v, k.folder)
	switch {
	case v.err != nil:
		return nil, v.err
	case err != nil:
		return nil, unbuilt(err)
	case built.Size() > maxBuilt:
		return nil, fmt.Errorf("makes more than %d objects", maxBuilt)
	}
	return built, nil
}

// quiet keeps what kustomize says about deprecated fields, which is no finding, from
// standard error. It returns what ends that.
func quiet() func() {
	stderr, writer := os.Stderr, log.Writer()
	log.SetOutput(fatalTrap{})
	if null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0); err == nil {
		os.Stderr = null
		return func() { os.Stderr = stderr; log.SetOutput(writer); null.Close() }
	}
	return func() { log.SetOutput(writer) }
}

// A fatalTrap is where the log goes. Kustomize ends the process by log.Fatal in some
// places, which would look like a verdict; a panic can be recovered from.
type fatalTrap struct{}

// Write drops what is written, and panics if the process would end after it.
func (fatalTrap) Write(text []byte) (int, error) {
	callers := make([]uintptr, 16)
	frames := runtime.CallersFrames(callers[:runtime.Callers(1, callers)])
	for more := true; more; {
		var frame runtime.Frame
		if frame, more = frames.Next(); strings.HasPrefix(frame.Function, "log.Fatal") {
			panic(errUnbuildable) //nolint:forbidigo // nothing else keeps kustomize from ending the program
		}
	}
	return len(text), nil
}

// tracked returns the file of k with the wish that each object shall say where it
// came from, nil if that is there already.
func (k *kustomization) tracked() ([]byte, error) {
	if slices.Contains(k.BuildMetadata, types.OriginAnnotations) {
		return nil, nil
	}
	var budget = encoder{budget: maxExpanded}
	data, err := budget.encode(k.root)
	if err != nil {
		return nil, err
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return nil, err
	}
	for key := range fields {
		if strings.EqualFold(key, "buildMetadata") {
			delete(fields, key)
		}
	}
	if fields["buildMetadata"], err = json.Marshal(append(slices.Clone(k.BuildMetadata), types.OriginAnnotations)); err != nil {
		return nil, err
	}
	return json.Marshal(fields)
}

var errUnbuildable = errors.New("cannot be built: kustomize build says why, in words that may hold values and are not repeated here")
