package audit

import (
	"encoding/base64"
	"os"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/lintel-policy/lintel/e2e/cluster"
	"github.com/lintel-policy/lintel/e2e/cluster/clustertest"
)

// The API server forgets the state that a list began with very soon, and sends requests on
// to what a Service names, since nothing runs in this cluster.
var Shared = clustertest.New(cluster.Config{APIServerArgs: []string{"--etcd-compaction-interval=1s", "--enable-aggregator-routing=false"}})

func TestMain(m *testing.M) { os.Exit(Shared.Run(m)) }

// TestForgotten lists on where the API server has forgotten the state in which the
// list began.
func TestForgotten(t *testing.T) {
	t.Parallel() // most of it is waiting
	client, err := kubernetes.NewForConfig(Shared.Cluster(t).Config())
	if err != nil {
		t.Fatal(err)
	}
	l := lister{client: client.CoreV1().RESTClient()}
	// The first page of that list ended with the namespace default.
	token := base64.RawURLEncoding.EncodeToString([]byte(`{"v":"meta.k8s.io/v1","rv":2,"start":"default\u0000"}`))
	for range 60 {
		if _, err = client.CoreV1().Namespaces().List(t.Context(), metav1.ListOptions{Continue: token}); err != nil {
			break
		}
		time.Sleep(time.Second)
	}
	if err == nil {
		t.Fatal("nothing was ever forgotten")
	}
	n := 0
	if _, err := l.page(t.Context(), namespaceKind, token, func([]byte) { n++ }); err != nil || n == 0 {
		t.Errorf("%d objects, %v", n, err)
	}
}
