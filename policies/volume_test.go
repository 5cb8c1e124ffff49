package policies_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lintel-policy/lintel/policies"
)

// TestVolume loads folders as kubelets write them for a volume of a ConfigMap: the
// files are in a hidden folder, to which a hidden link leads, and each has a link
// that goes by that. Each is read once, and of the versions that there are while
// the ConfigMap changes, only the one that is linked.
func TestVolume(t *testing.T) {
	const policy = "apiVersion: lintel.dev/v1alpha1\nkind: Policy\nmetadata: {name: probes}\nspec: {source: {library: probes}, enforcement: "
	cases := map[string]struct {
		reason  string
		archive string            // files of the hidden folders
		links   map[string]string // from name to what it leads to
		want    []string
	}{
		"Policies": {
			reason:  "Policy objects are the usual content.",
			archive: "-- ..1/probes.yaml --\n" + policy + "warn}\n-- ..1/web.yaml --\n" + exception("shop", "web"),
			links:   map[string]string{"..data": "..1", "probes.yaml": "..data/probes.yaml", "web.yaml": "..data/web.yaml"},
			want:    []string{"probes from DIR/probes.yaml:1: probes/probes.rego, warn", "exception shop/web"},
		},
		"Changing": {
			reason:  "What was there before is not read, even if it is still there.",
			archive: "-- ..1/probes.yaml --\n" + policy + "warn}\n-- ..2/probes.yaml --\n" + policy + "deny}\n-- ..3/broken.yaml --\n{\n",
			links:   map[string]string{"..data": "..2", "..data_tmp": "..3", "probes.yaml": "..data/probes.yaml"},
			want:    []string{"probes from DIR/probes.yaml:1: probes/probes.rego, deny"},
		},
		"Rego": {
			reason:  "A volume for each policy of Rego, mounted in a folder of its name.",
			archive: "-- a-b/..1/a_b.rego --\npackage lintel.a_b\n-- a-b/..1/a_b_test.rego --\npackage lintel.a_b_test\n",
			links: map[string]string{
				"a-b/..data": "..1", "a-b/a_b.rego": "..data/a_b.rego", "a-b/a_b_test.rego": "..data/a_b_test.rego",
			},
			want: []string{"a-b from DIR/a-b: DIR/a-b/a_b.rego"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			dir := folderOf(t, "policies", tc.archive)
			for link, to := range tc.links {
				if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
					t.Fatal(err)
				}
			}
			source, err := policies.Load(dir)
			have, wrong := told(dir, source, err)
			if diff := cmp.Diff(tc.want, have); diff != "" {
				t.Errorf("%s\nLoad(...): -want, +got:\n%s", tc.reason, diff)
			}
			if len(wrong) > 0 {
				t.Errorf("%s\nLoad(...): %q", tc.reason, wrong)
			}
		})
	}
}
