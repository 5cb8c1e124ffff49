package e2e_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/restmapper"
)

// holdWarnings compares what lintel check warns of in each file with the warnings
// of the cluster, which another entry gives than the one that denies.
func (c *corpus) holdWarnings(t *testing.T, s *stage, plain creation) {
	folder := libraryWith(t, "enforcement: warn")
	s.guard(t, folder)
	found := s.check(t, c.folder, "-p", "embedded", "-p", folder)
	mapper := s.mapper(t)
	warned := 0
	for file, o := range plain.objects {
		path := filepath.Join(c.folder, file)
		if found.errorOf(path) != "" {
			continue // holdDenials says so
		}
		want, got := found.warnings(path), s.warnings(t, path, resourcePath(t, mapper, o))
		if !sameWarnings(want, got) {
			t.Errorf("%s: lintel check warns\n%s\nand the cluster\n%s", c.origins[file], strings.Join(want, "\n"), strings.Join(got, "\n"))
		}
		if len(got) > 0 {
			warned++
		}
	}
	t.Logf("%d objects, %d of them warned of", len(plain.objects), warned)
	if warned == 0 {
		t.Error("no object was warned of, want some")
	}
}

// mapper knows the resources of kinds.
func (s *stage) mapper(t *testing.T) meta.RESTMapper {
	t.Helper()
	client, err := discovery.NewDiscoveryClientForConfig(s.Config())
	if err != nil {
		t.Fatal(err)
	}
	groups, err := restmapper.GetAPIGroupResources(client)
	if err != nil {
		t.Fatal(err)
	}
	return restmapper.NewDiscoveryRESTMapper(groups)
}

// resourcePath is where objects of the same kind and namespace are created.
func resourcePath(t *testing.T, mapper meta.RESTMapper, o object) string {
	t.Helper()
	gvk := schema.FromAPIVersionAndKind(fmt.Sprint(o["apiVersion"]), fmt.Sprint(o["kind"]))
	found, err := mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	if err != nil {
		t.Fatal(err)
	}
	path := "/apis/" + gvk.GroupVersion().String()
	if gvk.Group == "" {
		path = "/api/" + gvk.Version
	}
	if namespace, ok := at(o, "metadata", "namespace").(string); ok {
		path += "/namespaces/" + namespace
	}
	return path + "/" + found.Resource.Resource
}

// warnings are the findings of one file as warnings.
func (r report) warnings(file string) []string {
	var texts []string
	for _, f := range r.Results {
		if f.Enforcement == "warn" && f.Source.File == file {
			texts = append(texts, strings.Replace(f.line(), "  ", ": ", 1))
		}
	}
	return texts
}

// warnings creates the object of a file where it belongs, as a dry run, and returns
// what Lintel warns of.
func (s *stage) warnings(t *testing.T, file, to string) []string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	code, header, answer := exchange(t, s.Config(), http.MethodPost, to+"?dryRun=All&fieldValidation=Ignore", "application/yaml", string(data))
	if code != http.StatusCreated {
		t.Errorf("%s: status %d, want 201: %v", file, code, answer)
	}
	parsed, errs := net.ParseWarningHeaders(header.Values("Warning"))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	var texts []string
	for _, w := range parsed {
		if isOurs(w.Text) {
			texts = append(texts, w.Text)
		}
	}
	return texts
}

// isOurs tells warnings of policies from those of the API server itself.
func isOurs(text string) bool {
	for _, name := range []string{"probes: ", "required-labels: ", "resources: ", "topology-spread: ", "no-hardcoded-secrets: ", "+"} {
		if strings.HasPrefix(text, name) {
			return true
		}
	}
	return false
}

// sameWarnings compares warnings with those that may have been cut, and of which
// only the first may be there.
func sameWarnings(want, got []string) bool {
	for i, text := range got {
		if rest, ok := strings.CutPrefix(text, "+"); ok && i == len(got)-1 {
			return rest == fmt.Sprintf("%d more", len(want)-i)
		}
		if i >= len(want) || text != want[i] && !(strings.HasSuffix(text, "…") && strings.HasPrefix(want[i], strings.TrimSuffix(text, "…"))) {
			return false
		}
	}
	return len(got) == len(want)
}
