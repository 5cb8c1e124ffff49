package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"go.uber.org/zap"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/lintel-policy/lintel/audit"
	"github.com/lintel-policy/lintel/controller"
	"github.com/lintel-policy/lintel/engine"
)

// TestNothingToCount leaves alone what others have counted when a replica ends before it
// knows of any policies: it would take theirs for policies that are not in force.
func TestNothingToCount(t *testing.T) {
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		http.NotFound(w, nil)
	}))
	defer server.Close()
	client := kubernetes.NewForConfigOrDie(&rest.Config{Host: server.URL})
	g := &gate{live: new(controller.Live), owners: controller.NewOwners(nil, nil), log: zap.NewNop()}
	var err error
	g.admissions, err = audit.NewAdmissions(audit.AdmissionsConfig{Policies: func() []engine.Info { return nil }, Client: client.CoreV1().ConfigMaps("lintel-system"), Name: lastDayName})
	must(err)
	ctx, end := context.WithCancel(t.Context())
	end()
	must(g.keepCounts(ctx))
	if n := asked.Load(); n != 0 {
		t.Errorf("it has made %d requests", n)
	}
}
