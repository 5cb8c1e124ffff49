// Command argo syncs a folder of manifests into a cluster, or compares it with what
// is there, by the engine of Argo CD.
//
// It is what Argo CD itself does with an Application that has the sync options
// ServerSideApply=true and Prune=true, and the annotations ServerSideDiff=true and
// IncludeMutationWebhook=true, without its own objects, server and repository:
//
//	argo sync|diff KUBECONFIG NAMESPACE FOLDER
//
// It prints a JSON array with an entry for each object. The exit code is 1 where the
// cluster or the folder cannot be read.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/argoproj/argo-cd/gitops-engine/pkg/cache"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/diff"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/engine"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/sync"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/utils/kube"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/utils/tracing"
	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

const (
	// manager is the field manager of Argo CD.
	manager = "argocd-controller"
	// mark is the label by which it knows the objects of an Application.
	mark = "app.kubernetes.io/instance"
)

// A result says what became of an object, or how it differs.
type result struct {
	Object   string          `json:"object"` // as in Deployment/shop/web
	Status   string          `json:"status,omitempty"`
	Message  string          `json:"message,omitempty"`
	Modified bool            `json:"modified,omitempty"`
	Live     json.RawMessage `json:"live,omitempty"`
	Wanted   json.RawMessage `json:"wanted,omitempty"`
}

func main() {
	results, err := run(context.Background(), os.Args[1:])
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(results)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "argo: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) ([]result, error) {
	if len(args) != 4 {
		return nil, fmt.Errorf("usage: argo sync|diff KUBECONFIG NAMESPACE FOLDER")
	}
	config, err := clientcmd.BuildConfigFromFlags("", args[1])
	if err != nil {
		return nil, fmt.Errorf("read kubeconfig: %w", err)
	}
	config.QPS, config.Burst = 50, 100 // as Argo CD has it
	a := app{config: config, namespace: args[2]}
	if a.objects, err = read(args[3], a.namespace); err != nil {
		return nil, err
	}
	a.cache = cache.NewClusterCache(config, cache.SetLogr(logr.Discard()), cache.SetPopulateResourceInfoHandler(a.info))
	switch args[0] {
	case "sync":
		return a.sync(ctx)
	case "diff":
		return a.diff()
	}
	return nil, fmt.Errorf("%q is neither sync nor diff", args[0])
}

// read reads the objects of a folder, in the order of its files, and marks them as
// belonging to the Application called name.
func read(folder, name string) ([]*unstructured.Unstructured, error) {
	var all []*unstructured.Unstructured
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		objects, err := kube.SplitYAML(data)
		if err != nil {
			return fmt.Errorf("read %s: %w", path, err)
		}
		all = append(all, objects...)
		return nil
	})
	for _, object := range all {
		labels := object.GetLabels()
		if labels == nil {
			labels = map[string]string{}
		}
		labels[mark] = name
		object.SetLabels(labels)
	}
	return all, err
}

// An app is an Application of Argo CD.
type app struct {
	config    *rest.Config
	namespace string // its name, too
	objects   []*unstructured.Unstructured
	cache     cache.ClusterCache
}

// info keeps of each object of the cluster whether it belongs to a.
func (a *app) info(u *unstructured.Unstructured, _ bool) (any, bool) {
	own := u.GetLabels()[mark] == a.namespace
	return own, own
}

func (a *app) isManaged(r *cache.Resource) bool {
	own, _ := r.Info.(bool)
	return own
}

func (a *app) sync(ctx context.Context) ([]result, error) {
	e := engine.NewEngine(a.config, a.cache, engine.WithLogr(logr.Discard()))
	stop, err := e.Run()
	if err != nil {
		return nil, err
	}
	defer stop()
	synced, err := e.Sync(ctx, a.objects, a.isManaged, "", a.namespace, sync.WithLogr(logr.Discard()), sync.WithPrune(true),
		sync.WithServerSideApply(true), sync.WithServerSideApplyManager(manager), sync.WithManifestValidation(true))
	results := []result{}
	for _, s := range synced {
		results = append(results, result{Object: nameOf(s.ResourceKey), Status: string(s.Status), Message: s.Message})
	}
	return results, err
}

// diff compares each object with what it would be.
func (a *app) diff() ([]result, error) {
	if err := a.cache.EnsureSynced(); err != nil {
		return nil, err
	}
	managed, err := a.cache.GetManagedLiveObjs(a.objects, a.isManaged)
	if err != nil {
		return nil, err
	}
	kubectl := &kube.KubectlCmd{Log: logr.Discard(), Tracer: tracing.NopTracer{}}
	applier, stop, err := kubectl.ManageServerSideDiffDryRuns(a.config)
	if err != nil {
		return nil, err
	}
	defer stop()
	both := sync.Reconcile(a.objects, managed, a.namespace, a.cache)
	results := []result{}
	for i, target := range both.Target {
		live := both.Live[i]
		named := live
		if named == nil {
			named = target
		}
		found, err := diff.Diff(target, live, diff.WithLogr(logr.Discard()), diff.WithManager(manager), diff.WithGVKParser(a.cache.GetGVKParser()),
			diff.WithServerSideDiff(true), diff.WithServerSideDryRunner(diff.NewK8sServerSideDryRunner(applier)), diff.WithIgnoreMutationWebhook(false))
		r := result{Object: nameOf(kube.GetResourceKey(named))}
		switch {
		case err != nil:
			r.Message = err.Error()
		case found.Modified:
			r.Modified, r.Live, r.Wanted = true, found.NormalizedLive, found.PredictedLive
		}
		results = append(results, r)
	}
	return results, nil
}

// nameOf returns kind, namespace and name of an object.
func nameOf(key kube.ResourceKey) string { return key.Kind + "/" + key.Namespace + "/" + key.Name }
