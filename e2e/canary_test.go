package e2e_test

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lintel-policy/lintel/e2e/cluster"
	"github.com/lintel-policy/lintel/e2e/gate"
)

// canary is a secret that is nowhere to be found but in objects.
const canary = "c4nary-9e1f"

// TestCanary puts a secret into objects that are denied, warned of, patched, and
// that policies err over: neither who is answered nor any log, metric, event or
// annotation has it.
func TestCanary(t *testing.T) {
	folder := t.TempDir()
	audit, auditPolicy := filepath.Join(folder, "audit.log"), filepath.Join(folder, "audit.yaml")
	if err := os.WriteFile(auditPolicy, []byte("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Metadata}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := cluster.Start(t.Context(), cluster.Config{APIServerArgs: []string{"--audit-log-path=" + audit, "--audit-policy-file=" + auditPolicy}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Stop() })
	s := &stage{c, "canary"}
	if err := s.CreateNamespace(t.Context(), s.namespace, ownerLabels()); err != nil {
		t.Fatal(err)
	}
	s.must(t, "create", "-f", s.file(t, hidden(t, "deployment-broken.yaml", "old")))
	g, err := gate.Start(t.Context(), gate.Config{
		Binary: built.Path(t), Cluster: c, Policies: []string{"embedded", testdata("canary")},
		Args: []string{"--log-level", "debug", "--metrics-address", "127.0.0.1:0"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.Stop() })

	said := s.provoke(t)
	said["metrics"] = scrape(t, g)
	said["events"] = s.must(t, "get", "events", "--all-namespaces", "-o", "yaml")
	if err := g.Stop(); err != nil {
		t.Error(err)
	}
	said["log"] = g.Log()
	log, err := os.ReadFile(audit)
	if err != nil {
		t.Fatal(err)
	}
	said["audit log"] = string(log)
	for where, text := range said {
		for what, secret := range map[string]string{"canary": canary, "canary in base 64": base64.StdEncoding.EncodeToString([]byte(canary))} {
			if i := strings.Index(text, secret); i >= 0 {
				t.Errorf("%s has the %s:\n…%s", where, what, text[max(0, i-500):min(len(text), i+200)])
			}
		}
	}
	annotated(t, string(log), s.revision(t, g))
}

// hidden is a workload of the test data with the canary wherever secrets are found.
func hidden(t *testing.T, file, name string) string {
	t.Helper()
	o := fromYAML(t, read(t, "workloads", file))
	meta := at(o, "metadata").(map[string]any)
	meta["name"], meta["annotations"] = name, map[string]string{"example.com/token": canary}
	container := at(o, "spec", "template", "spec", "containers", 0).(map[string]any)
	container["env"] = []map[string]string{{"name": "PASSWORD", "value": canary}}
	container["args"] = []string{"--password=" + canary}
	return encode(t, o)
}

// file writes an object to a file, which kubectl names in what it says.
func (s *stage) file(t *testing.T, object string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "object.json")
	if err := os.WriteFile(path, []byte(object), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// provoke has Lintel say something of objects with the canary, in every way, and
// returns what kubectl printed.
func (s *stage) provoke(t *testing.T) map[string]string {
	t.Helper()
	const data = `"data": {"secret": "` + canary + `"}`
	errs := func(way string) string {
		return `{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "errs-", "labels": {"errs": "` + way + `"}}, ` + data + `}`
	}
	secret := `{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "told", "labels": {"tell": "all"}}, "stringData": {"password": "` + canary + `"}}`
	provocations := map[string]struct {
		object string
		args   []string
		says   string
	}{
		"denied":    {hidden(t, "deployment-broken.yaml", "denied"), []string{"create", "-f"}, "denied the request"},
		"applied":   {hidden(t, "deployment-broken.yaml", "applied"), []string{"apply", "-f"}, "denied the request"},
		"by server": {hidden(t, "deployment-broken.yaml", "by-server"), []string{"apply", "--server-side", "-f"}, "denied the request"},
		"warned":    {hidden(t, "deployment-broken.yaml", "old"), []string{"annotate", "a=b", "-f"}, "Warning: probes"},
		// Its labels are patched in, so that the canary is all that is wrong with it.
		"patched":    {hidden(t, "deployment-mended.yaml", "patched"), []string{"apply", "-f"}, "Deployment canary/patched breaks 1 policy"},
		"secret":     {secret, []string{"create", "-f"}, "denied the request"},
		"last":       {secret, []string{"apply", "-f"}, "denied the request"},
		"disputed":   {errs("disputed"), []string{"create", "-f"}, "ask for different patches"},
		"errs patch": {errs("patch"), []string{"create", "-f"}, "could not patch"},
		"errs op":    {errs("op"), []string{"create", "-f"}, "could not patch"},
	}
	for _, way := range strings.Fields("number json yaml base64 regex time duration conflict text message path") {
		provocations["errs "+way] = struct {
			object string
			args   []string
			says   string
		}{errs(way), []string{"create", "-f"}, "could not decide"}
	}
	said := map[string]string{}
	for what, p := range provocations {
		r := s.kubectl(t, append(p.args, s.file(t, p.object))...)
		said[what] = r.stdout + r.stderr
		if !strings.Contains(said[what], p.says) {
			t.Errorf("%s: kubectl does not say %q:\n%s", what, p.says, said[what])
		}
	}
	return said
}

// scrape reads the metrics of Lintel.
func scrape(t *testing.T, g *gate.Gate) string {
	t.Helper()
	address, _ := logged(t, g, "serving metrics")["address"].(string)
	resp, err := http.Get("http://" + address + "/metrics") //nolint:noctx // it ends with the test
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || !strings.Contains(string(text), "lintel_webhook_decisions_total") {
		t.Fatalf("read metrics: %v\n%s", err, text)
	}
	return string(text)
}

// logged is the first record with a message.
func logged(t *testing.T, g *gate.Gate, message string) object {
	t.Helper()
	for line := range strings.Lines(g.Log()) {
		if record := decode(t, line); record["msg"] == message {
			return record
		}
	}
	t.Fatalf("Lintel has not logged %q", message)
	return nil
}

func (s *stage) revision(t *testing.T, g *gate.Gate) string {
	t.Helper()
	revision, _ := logged(t, g, "serving")["revision"].(string)
	return revision
}

// annotated holds the audit log to say which policies decided what, by which
// revision of them.
func annotated(t *testing.T, log, revision string) {
	t.Helper()
	want := map[string]map[string]string{
		"applied": {"deny.lintel.dev/revision": revision, "deny.lintel.dev/denied": "no-hardcoded-secrets,probes,required-labels,resources,topology-spread"},
		"patched": {"deny.lintel.dev/revision": revision, "patch.lintel.dev/patched": "required-labels,topology-spread"},
		"told":    {"deny.lintel.dev/revision": revision, "deny.lintel.dev/policies": "tells", "deny.lintel.dev/denied": "tells"},
	}
	for line := range strings.Lines(log) {
		var event struct {
			Verb        string
			ObjectRef   struct{ Name, Namespace string }
			Annotations map[string]string
		}
		if err := json.Unmarshal([]byte(line), &event); err != nil {
			t.Fatalf("read audit log: %v", err)
		}
		annotations := want[event.ObjectRef.Name]
		if event.ObjectRef.Namespace != "canary" || event.Annotations["deny.lintel.dev/revision"] == "" {
			continue
		}
		for key, value := range annotations {
			if got := event.Annotations[key]; got != value {
				t.Errorf("audit log, %s of %s: %s is %q, want %q", event.Verb, event.ObjectRef.Name, key, got, value)
			}
		}
		delete(want, event.ObjectRef.Name)
	}
	for name := range want {
		t.Errorf("the audit log does not tell what Lintel said of %s", name)
	}
}
