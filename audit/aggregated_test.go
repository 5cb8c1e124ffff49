package audit_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"

	"github.com/lintel-policy/lintel/audit"
)

// strange are the kinds of an API server that others have added to the cluster, which
// answers as it likes.
const strange = "strange.example.com"

func strangeKind(resource string) audit.Kind {
	return audit.Kind{GroupVersionKind: schema.GroupVersionKind{Group: strange, Version: "v1", Kind: "Strange"}, Resource: resource, Namespaced: true}
}

// ownedStrange asks for owners of strange objects too.
var ownedStrange = strings.Replace(owned, "[ConfigMap, PersistentVolumeClaim]}", `[ConfigMap, PersistentVolumeClaim]}
#     - {apiGroups: [`+strange+`], kinds: [Strange]}`, 1)

// aggregate adds an API server, as long as the test runs, and returns when requests are
// sent on to it.
func aggregate(t *testing.T, handler http.Handler) {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /apis/"+strange+"/v1", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, `{"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "`+strange+`/v1", "resources": []}`)
	})
	mux.Handle("/apis/"+strange+"/v1/", handler)
	server := httptest.NewTLSServer(mux)
	t.Cleanup(server.Close)
	t.Cleanup(server.CloseClientConnections) // before it waits for those that hang
	at, err := url.Parse(server.URL)
	must(t, err)
	manifest := fmt.Sprintf(`
apiVersion: v1
kind: Service
metadata: {name: strange, namespace: default}
spec: {type: ExternalName, externalName: localhost, ports: [{port: %s}]}
---
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: v1.%s}
spec: {group: %[2]s, version: v1, groupPriorityMinimum: 1000, versionPriority: 10, insecureSkipTLSVerify: true, service: {name: strange, namespace: default, port: %[1]s}}
`, at.Port(), strange)
	kubectl(t, manifest, "apply", "-f", "-")
	t.Cleanup(func() {
		audit.Shared.Cluster(t).Kubectl(context.WithoutCancel(t.Context()), nil, "delete", "apiservice/v1."+strange, "service/strange", "--wait=false")
	})
	kubectl(t, "", "wait", "--for=condition=Available", "apiservice/v1."+strange, "--timeout=60s")
}

func answer(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprint(w, text)
}

// listOf is a list of objects that lack an owner.
func listOf(version string, names ...string) string {
	var items []string
	for _, name := range names {
		items = append(items, `{"metadata": {"name": "`+name+`", "namespace": "sane", "resourceVersion": "`+version+`"}}`)
	}
	return `{"kind": "StrangeList", "metadata": {"resourceVersion": "` + version + `"}, "items": [` + strings.Join(items, ", ") + `]}`
}

// A strangeServer counts what it is asked for.
type strangeServer struct{ lists, watches, late atomic.Int64 }

// ServeHTTP answers for a kind by its name.
func (s *strangeServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	resource := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	isWatch := r.URL.Query().Get("watch") == "true"
	if isWatch {
		s.watches.Add(1)
	} else {
		s.lists.Add(1)
	}
	switch {
	case resource == "silent" && isWatch:
		<-r.Context().Done()
	case resource == "failing", resource == "late" && !isWatch && s.late.Add(1) < 3:
		http.Error(w, "not now", http.StatusInternalServerError)
	case resource == "unwatched" && isWatch:
		http.Error(w, "no", http.StatusMethodNotAllowed)
	case resource == "forgetful" && isWatch:
		w.WriteHeader(http.StatusGone)
		answer(w, `{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Expired", "code": 410}`)
	case resource == "hasty" && isWatch:
		answer(w, "")
	case resource == "odd" && !isWatch:
		answer(w, `{"kind": "StrangeList", "metadata": {"resourceVersion": "1"}, "items": [null, 1, "x", [], {}, {"metadata": null}, {"metadata": {"name": 7}},
			{"metadata": {"name": "`+strings.Repeat("long", 100_000)+`", "namespace": "sane", "resourceVersion": "1"}},
			{"metadata": {"name": "a\u0000\u202eb\n", "namespace": "sane", "resourceVersion": "x"}},
			{"metadata": {"name": "deep", "namespace": "sane", "resourceVersion": "1"}, "spec": `+strings.Repeat("[", 9999)+strings.Repeat("]", 9999)+`}]}`)
	case resource == "odd":
		answer(w, `{"type": "ADDED", "object": 1}{"type": 7}null`)
	case isWatch:
		w.Header().Set("Content-Type", "application/json")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	default:
		answer(w, listOf(fmt.Sprint(s.lists.Load()), resource))
	}
}

// TestStrangeKinds audits the rest where kinds hang, cannot be watched, or answer what is
// no object; and does not ask all the time for what it does not get.
func TestStrangeKinds(t *testing.T) {
	client := newClient(t)
	namespace(t, client, "sane", nil)
	create(t, client, "sane", "bare")
	var server strangeServer
	aggregate(t, &server)
	p := paint(t, client, compile(t, ownedStrange), "sane", strangeKind("unwatched"), strangeKind("forgetful"), strangeKind("hasty"), strangeKind("odd"), strangeKind("silent"), configMaps)
	begin := time.Now()
	p.awaitFinding(t, "sane", "unwatched", "forgetful", "hasty", "silent", "bare", "deep")
	time.Sleep(time.Until(begin.Add(5 * time.Second))) // time for too many
	// Of each of five, one at once, and then after a second, two, and four.
	seconds := time.Since(begin).Seconds()
	if lists, watches, most := server.lists.Load(), server.watches.Load(), int64(5*(2+seconds)); lists > most || watches > most {
		t.Errorf("within %.0f s, %d lists and %d watches, want %d at most", seconds, lists, watches, most)
	}
	t.Logf("%d lists, %d watches, %+v", server.lists.Load(), server.watches.Load(), p.Progress())
	if got := p.Progress(); got.Pending != 0 {
		t.Errorf("progress %+v", got)
	}
}

// TestLateKinds publishes nothing while a kind may yet come that cannot be listed now,
// as if what was found of it were mended; but not for ever.
func TestLateKinds(t *testing.T) {
	client := newClient(t)
	namespace(t, client, "sane-later", nil)
	aggregate(t, &strangeServer{})
	create(t, client, "sane-later", "bare")
	p := paint(t, client, compile(t, ownedStrange), "sane", strangeKind("late"), configMaps)
	p.awaitFinding(t, "sane", "late")
	p.awaitFinding(t, "sane-later", "bare")
	p.mu.Lock()
	if got := p.first["sane"].Findings; !slices.ContainsFunc(got, func(f audit.Finding) bool { return f.Ref.Name == "late" }) {
		t.Errorf("first published: %+v", got)
	}
	p.mu.Unlock()

	p = paint(t, client, compile(t, ownedStrange), "sane-later", strangeKind("failing"), configMaps)
	await(t, func() error {
		if got := p.Progress(); got.Unlisted != 1 || got.Objects == 0 {
			return fmt.Errorf("progress %+v", got)
		}
		return nil
	})
	time.Sleep(time.Second) // it would publish at once
	if got := p.broken("sane-later"); got != nil {
		t.Errorf("published, while a kind may yet come: %q", got)
	}
	p.ahead.Store(int64(2 * time.Minute))
	p.awaitFinding(t, "sane-later", "bare")
}

// create makes a ConfigMap without an owner.
func create(t *testing.T, client kubernetes.Interface, namespace, name string) {
	t.Helper()
	_, err := client.CoreV1().ConfigMaps(namespace).Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	must(t, err)
}

// awaitFinding waits until there is a finding of each name in a namespace.
func (p *picture) awaitFinding(t *testing.T, namespace string, names ...string) {
	t.Helper()
	await(t, func() error {
		p.mu.Lock()
		defer p.mu.Unlock()
		found := map[string]bool{}
		for _, f := range p.spaces[namespace].Findings {
			found[f.Ref.Name] = true
		}
		for _, name := range names {
			if !found[name] {
				return fmt.Errorf("%s is not found among %d", name, len(found))
			}
		}
		return nil
	})
}
