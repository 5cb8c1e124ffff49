package controller_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/lintel-policy/lintel/controller"
	"github.com/lintel-policy/lintel/engine"
)

// testAsked asks who made objects, after [testOwners] has made some.
func testAsked(t *testing.T, owners *controller.Owners) {
	t.Helper()
	forged := metav1.OwnerReference{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "web-1", UID: "00000000-0000-0000-0000-000000000000"}
	replicas := forged
	uid, _, _ := shared.Cluster(t).Kubectl(t.Context(), nil, "get", "replicaset", "web-1", "-n", "denials", "-o", "jsonpath={.metadata.uid}")
	replicas.UID = types.UID(uid)
	var mu sync.Mutex
	var all sync.WaitGroup
	got := map[string]string{}
	ask := func(req *engine.Request) {
		all.Add(1)
		name := req.Ref().Name
		owners.Tell(req, func(o corev1.ObjectReference) {
			defer all.Done()
			mu.Lock()
			defer mu.Unlock()
			got[name] = o.Kind + "/" + o.Name
		})
	}
	is := func(name, want, reason string) {
		t.Helper()
		mu.Lock()
		defer mu.Unlock()
		if got[name] != want {
			t.Errorf("%s\n%s: got %q, want %q", reason, name, got[name], want)
		}
	}

	ask(denied(t, "Pod", "pods", "alone", "", nil))
	is("alone", "Pod/alone", "Who names no owner is known at once.")
	ask(denied(t, "Pod", "pods", "first", "", &replicas))
	is("first", "", "Nobody is waited for who has to be found out.")
	ask(denied(t, "Pod", "pods", "made-up", "", &forged))
	ask(denied(t, "Scale", "deployments", "web", "scale", nil))
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		owners.Run(ctx)
		close(ended)
	}()
	all.Wait()
	is("first", "Deployment/web", "A pod is its Deployment's.")
	is("made-up", "Pod/made-up", "It is nobody's who did not make it.")
	is("web", "Deployment/web", "A Scale is no object that anybody looks at.")
	stop()
	<-ended

	ask(denied(t, "Pod", "pods", "second", "", &replicas))
	is("second", "Deployment/web", "What has been found out is known at once.")
	ask(denied(t, "Pod", "pods", "made-up-too", "", &forged))
	is("made-up-too", "Pod/made-up-too", "So is that somebody did not make it.")
	for i := range 101 {
		other := forged
		other.Name = fmt.Sprintf("none-%d", i)
		ask(denied(t, "Pod", "pods", fmt.Sprintf("many-%d", i), "", &other))
	}
	is("many-99", "", "A hundred wait.")
	is("many-100", "/", "Of more nobody finds anything out.")
	owners.Run(ctx)
	is("many-99", "/", "Nor of those who wait at the end.")
	all.Wait()
}
