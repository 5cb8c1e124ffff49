package e2e_test

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// TestWarned holds that trying Lintel changes nothing: where every policy only
// warns, all that is stored, and all that controllers make of it, is what it is
// without Lintel.
func TestWarned(t *testing.T) {
	forms := []string{"broken", "mended"}
	plain, warned := map[string]*stage{}, map[string]*stage{}
	for _, form := range forms {
		plain[form], warned[form] = newStage(t, "plain-"+form), newStage(t, "warned-"+form)
	}
	plain["broken"].addNode(t, "warned")
	kinds := strings.ReplaceAll(strings.TrimSpace(plain["broken"].must(t, "api-resources", "--namespaced", "--verbs=list", "-o", "name")), "\n", ",")
	for _, form := range forms {
		plain[form].apply(t, form).admitted(t, "Lintel is not there yet.")
	}
	plain["broken"].guard(t, libraryWith(t, "enforcement: warn"))
	for _, form := range forms {
		t.Run(form, func(t *testing.T) {
			r := warned[form].apply(t, form)
			if r.code != 0 {
				t.Fatalf("what is only warned of is refused: exit code %d\n%s", r.code, r.stderr)
			}
			for _, policy := range []string{"probes", "required-labels", "resources", "topology-spread"} {
				if form == "broken" && !strings.Contains(r.stderr, "Warning: "+policy+": ") {
					t.Errorf("nobody is told of %s:\n%s", policy, r.stderr)
				}
			}
			var diff string
			t.Cleanup(func() {
				if diff != "" {
					t.Logf("-without Lintel, +with Lintel:\n%s", diff)
				}
			})
			await(t, "as many objects as without Lintel are stored, and the same", func() bool {
				without, with := plain[form].stored(t, kinds), warned[form].stored(t, kinds)
				diff = gocmp.Diff(without, with)
				return diff == "" && len(without) > 30
			})
		})
	}
}

// apply applies the workloads of all kinds as they are first written, or as they
// are mended, and once more.
func (s *stage) apply(t *testing.T, form string) result {
	t.Helper()
	args := []string{"apply"}
	for kind := range workloads() {
		args = append(args, "-f", testdata("workloads", kind+"-"+form+".yaml"))
	}
	first := s.kubectl(t, args...)
	again := s.kubectl(t, args...)
	return result{first.stdout + again.stdout, first.stderr + again.stderr, cmp.Or(first.code, again.code)}
}

// What no two objects have in common, nor two clusters.
var (
	ids   = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	times = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`)
	ips   = regexp.MustCompile(`\b10(\.\d+){3}\b`)
	token = regexp.MustCompile(`kube-api-access-[a-z0-9]{5}`)
)

// stored is all that is stored in the stage but events, as JSON without what
// depends on when and where it was made, sorted.
func (s *stage) stored(t *testing.T, kinds string) []string {
	t.Helper()
	var all []string
	for _, item := range decode(t, s.must(t, "get", kinds, "-o", "json"))["items"].([]any) {
		o := object(item.(map[string]any))
		if o["kind"] == "Event" {
			continue
		}
		metadata := o["metadata"].(map[string]any)
		delete(metadata, "resourceVersion")
		conditions, _ := at(o, "status", "conditions").([]any) // whatever was written last is last
		slices.SortFunc(conditions, func(a, b any) int { return cmp.Compare(fmt.Sprint(at(a, "type")), fmt.Sprint(at(b, "type"))) })
		text := encode(t, o)
		if prefix, ok := metadata["generateName"].(string); ok {
			text = strings.ReplaceAll(text, o.name(), prefix+"NAME")
		}
		text = strings.ReplaceAll(text, s.namespace, "NAMESPACE")
		text = ips.ReplaceAllString(text, "IP")
		text = ids.ReplaceAllString(text, "ID")
		text = times.ReplaceAllString(text, "TIME")
		all = append(all, token.ReplaceAllString(text, "TOKEN"))
	}
	slices.Sort(all)
	return all
}
