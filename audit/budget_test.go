package audit_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/lintel-policy/lintel/audit"
	"github.com/lintel-policy/lintel/engine"
)

// TestMemory says what is left out for lack of memory, and takes it up when there is room
// again.
func TestMemory(t *testing.T) {
	client := newClient(t)
	namespace(t, client, "tight", nil)
	limits := client.CoreV1().LimitRanges("tight") // of which no other test makes any
	create := func(name, note string) {
		t.Helper()
		_, err := limits.Create(t.Context(), &corev1.LimitRange{ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{"note": note}}}, metav1.CreateOptions{})
		must(t, err)
	}
	create("a-heavy", strings.Repeat("x,", 100))
	for i := range 60 {
		create(fmt.Sprintf("limit-%02d", i), "")
	}
	named := strings.NewReplacer(`"owner is missing"`, `sprintf("%s lacks an owner", [input.review.object.metadata.name])`, "[ConfigMap, PersistentVolumeClaim]", "[LimitRange]").Replace(owned)
	p := paintWith(t, client, compile(t, named), "tight", func(cfg *audit.BackgroundConfig) {
		cfg.Memory = 32 << 10
		cfg.Kinds = func(set *engine.Set) []audit.Watched {
			kind := audit.Kind{GroupVersionKind: schema.GroupVersionKind{Version: "v1", Kind: "LimitRange"}, Resource: "limitranges", Namespaced: true}
			return []audit.Watched{{Kind: kind, Revision: set.Policies()[0].Revision}}
		}
	})
	await := func(what string, done func(audit.Progress) bool) audit.Progress {
		t.Helper()
		for range 1200 {
			if got := p.Progress(); !got.Finished.IsZero() && done(got) {
				return got
			}
			time.Sleep(50 * time.Millisecond)
		}
		t.Fatalf("%s: %+v", what, p.Progress())
		return audit.Progress{}
	}
	const room = (32 << 10) / 2 / 4 * 3 / 700 // as docs/design/audit.md has it
	got := await("all to be reviewed", func(got audit.Progress) bool { return got.Objects == room })
	if got.Cut == 0 || got.Cut >= room || got.Unkept == 0 {
		t.Errorf("progress %+v", got)
	}
	messages := map[string]int{}
	for _, space := range p.Spaces() {
		for _, f := range space.Findings {
			switch {
			case f.Ref.Name == "a-heavy" && f.Err != nil:
				messages[f.Err.Error()]++
			case strings.HasPrefix(f.Violations[0].Message, f.Ref.Name+" lacks"):
				messages["whole"]++
			case f.Violations[0].Policy == "owned" && strings.HasSuffix(f.Violations[0].Message, "lintel audit says it"):
				messages["cut"]++
			}
		}
	}
	if messages["cut"] != got.Cut || messages["whole"] == 0 || len(messages) != 3 {
		t.Errorf("it says %v, of which %d are cut", messages, got.Cut)
	}
	must(t, limits.DeleteCollection(t.Context(), metav1.DeleteOptions{}, metav1.ListOptions{FieldSelector: "metadata.name!=limit-58,metadata.name!=limit-59"}))
	await("all to be kept when there is room", func(got audit.Progress) bool { return got.Cut+got.Unkept == 0 && got.Objects == 2 })
	p.await(t, "tight", "limit-58: limit-58 lacks an owner", "limit-59: limit-59 lacks an owner")
}
