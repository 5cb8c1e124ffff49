package e2e_test

import (
	"strings"
	"testing"
)

// TestLargeObjects sends as much as an object can hold of what takes most room in a
// review: the API server writes some characters as six.
func TestLargeObjects(t *testing.T) {
	s := newStage(t, "large")
	s.guard(t, testdata("policies"))
	const size = 1_300_000 // bytes, a little less than etcd takes
	cases := map[string]struct {
		reason string
		text   string // as JSON has it
		times  int
	}{
		"Plain":      {"What is written as it is.", `x`, size},
		"Less":       {"What HTML has a meaning for.", `<`, size},
		"Ampersand":  {"And what else it has.", `&`, size},
		"Control":    {"Characters without a shape, which take six to send: no more than 3 MiB of them.", `\u0001`, 500_000},
		"Separators": {"What JavaScript takes for the end of a line.", "\u2028", size / len("\u2028")},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			name := strings.ToLower(name)
			pod := func(name, image string) string {
				env := `"env": [{"name": "LARGE", "value": "` + strings.Repeat(tc.text, tc.times) + `"}], "image": "` + image + `"`
				return strings.Replace(wellPod(name, "", ""), `"image": "registry.example.com/a"`, env, 1)
			}
			create := []string{"create", "--raw", "/api/v1/namespaces/large/pods", "-f", "-"} // the bytes as they are
			r := s.kubectlWith(t, pod(name+"-evil", "evil/x"), create...)
			begins(t, tc.reason, r.denied(t, tc.reason).lines, []string{`images  spec.containers[0].image (a): image "evil/x" is from elsewhere`})
			if s.exists(t, "pod/"+name+"-evil") {
				t.Errorf("%s\nwhat was denied is stored", tc.reason)
			}
			s.kubectlWith(t, pod(name, "registry.example.com/a"), create...).admitted(t, tc.reason)
			if name != "less" {
				return
			}
			// A change sends both objects, and is as large as a review becomes.
			d := s.kubectl(t, "label", "pod", name, "service=TODO", "--overwrite").denied(t, tc.reason)
			begins(t, tc.reason, d.lines, []string{"required-labels  metadata.labels.service"})
			s.kubectl(t, "label", "pod", name, "service=other", "--overwrite").admitted(t, tc.reason)
		})
	}
}
