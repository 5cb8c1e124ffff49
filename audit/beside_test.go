package audit

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
)

// named wants nothing of what has another name than "bare".
const named = `# METADATA
# title: Named
# custom: {severity: high, match: {kinds: [{apiGroups: [""], kinds: [ConfigMap]}]}}
package lintel.named

violation contains {"msg": "it is bare"} if input.review.object.metadata.name == "bare"
`

// published keeps the names of the namespaces that were published.
type published struct{ namespaces []string }

func (p *published) Publish(_ context.Context, s Space) error {
	p.namespaces = append(p.namespaces, s.Namespace)
	return nil
}

// Foreign has a report of another run.
func (p *published) Foreign(context.Context) ([]string, error) { return []string{"earlier"}, nil }

// idle returns a Background that does nothing by itself, since its cluster cannot be
// reached, and what it publishes.
func idle(t *testing.T, kinds ...Watched) (*Background, *published) {
	t.Helper()
	set, err := engine.Compile(engine.Config{Policies: []engine.Policy{{Name: "named", Modules: []v1alpha1.Module{{Name: "named.rego", Rego: named}}}}})
	if err != nil {
		t.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(&rest.Config{Host: "http://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	ns, err := engine.DecodeObject([]byte(`{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}`))
	if err != nil {
		t.Fatal(err)
	}
	var p published
	b, err := NewBackground(BackgroundConfig{
		Client: client.CoreV1().RESTClient(), Set: func() *engine.Set { return set }, Kinds: func(*engine.Set) []Watched { return kinds }, Publisher: &p,
		Namespace: func(context.Context, string) *engine.Object { return ns }, Inventory: func() *engine.Inventory { return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	b.begin()
	return b, &p
}

// watchedMaps are ConfigMaps, and bare is one that breaks the policy.
var watchedMaps = Watched{Kind: Kind{schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}, "configmaps", true}}

func bare(f *follower, version, changed string) item {
	object := `{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "bare", "namespace": "shop", "resourceVersion": "` + version + `", "creationTimestamp": "` + changed + `"}}`
	return item{kind: watchedMaps.Kind, object: []byte(object), follower: f, pass: 1, id: identity{"shop", "bare", version}}
}

// TestGivenUp keeps what the follower of a kind knows, whatever one that was given up
// before it comes to.
func TestGivenUp(t *testing.T) {
	b, _ := idle(t)
	before, now := b.newFollower(t.Context(), watchedMaps), b.newFollower(t.Context(), watchedMaps)
	b.followers[watchedMaps.Kind] = now
	b.review(t.Context(), bare(now, "1", "2027-01-01T00:00:00Z"))
	b.review(t.Context(), bare(before, "2", "2027-01-01T00:00:00Z"))
	if got := b.Progress().Objects; got != 1 {
		t.Errorf("%d objects are known, want 1", got)
	}
}

// An ending context ends between two looks at it.
type ending struct{ context.Context }

func (ending) Err() error { return context.Canceled }

// TestGivenBack has a review end when it has been given memory, which others have then.
func TestGivenBack(t *testing.T) {
	b, _ := idle(t)
	f := b.newFollower(t.Context(), watchedMaps)
	b.review(ending{t.Context()}, bare(f, "1", "2027-01-01T00:00:00Z"))
	if !b.budget.held.TryAcquire(b.budget.limit) {
		t.Error("a review that has ended holds memory")
	}
}

// TestNothingMatched takes away reports of before where policies match nothing, and not
// while it is not known what they match.
func TestNothingMatched(t *testing.T) {
	b, p := idle(t)
	publish := func() []string {
		t.Helper()
		if err := b.publishOnce(t.Context(), new(publishing)); err != nil {
			t.Fatal(err)
		}
		return p.namespaces
	}
	if got := publish(); len(got) != 0 {
		t.Errorf("before anything is followed, %q are published", got)
	}
	b.follow(t.Context(), new(sync.WaitGroup))
	if got := publish(); !slices.Equal(got, []string{"earlier"}) {
		t.Errorf("of no policies, %q are published", got)
	}
}

// TestOpenedLate publishes what was found before and was changed while the gate was open,
// though the change is seen late.
func TestOpenedLate(t *testing.T) {
	b, _ := idle(t)
	f := b.newFollower(t.Context(), watchedMaps)
	b.followers[watchedMaps.Kind], b.following, f.listed = f, true, 1
	from := time.Date(2027, 1, 1, 12, 0, 0, 0, time.UTC)
	b.opened = []Window{{from, from.Add(time.Hour)}}
	b.review(t.Context(), bare(f, "1", "2027-01-01T00:00:00Z"))
	first := b.changedSpaces()
	if len(first) != 1 || first[0].Findings[0].Opened != (Window{}) {
		t.Fatalf("at first: %+v", first)
	}
	b.review(t.Context(), bare(f, "2", "2027-01-01T12:30:00Z"))
	then := b.changedSpaces()
	if len(then) != 1 || then[0].Findings[0].Opened != b.opened[0] || !then[0].Findings[0].Since.Equal(first[0].Findings[0].Since) {
		t.Errorf("when it was changed: %+v", then)
	}
}
