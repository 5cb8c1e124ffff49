// Package cluster starts and stops a real Kubernetes control plane, for tests,
// the demo and benchmarks: etcd, kube-apiserver and, where asked for,
// kube-controller-manager, on loopback ports of this machine. There are no
// nodes, so pods are stored and never run.
//
// What is decided here, and why:
//
//   - It is set up as a real cluster is: TLS everywhere, client certificates,
//     the Node and RBAC authorizers, ServiceAccount and NodeRestriction
//     admission, an aggregation layer, and controllers that each act as a
//     service account of their own, because admission is about who asks.
//   - etcd speaks only to holders of this cluster's certificates. Another
//     cluster that happens to get a port of this one is then refused, and
//     never written into.
//   - etcd does not wait for the disk (--unsafe-no-fsync): what it holds lives
//     no longer than the cluster.
//   - Ports are chosen below the range that the kernel gives to outgoing
//     connections, so that one is still free when a component is started anew
//     on it. Where somebody else was faster, another port is tried.
//   - On Linux a component is killed by the kernel when the process that
//     started it ends, however it ends. Elsewhere only Stop ends components.
//   - A component is in a process group of its own, so that Ctrl-C in a
//     terminal does not end it before its owner has shut down in order.
//   - Data is in a folder that Stop removes. What a killed process left behind
//     is removed by the next Start, which tells the dead from the living by a
//     lock that the kernel releases.
//   - Missing binaries are an error, never a reason to skip: a test that does
//     not run proves nothing.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"k8s.io/client-go/rest"
)

// Config configures a [Cluster]. The zero value is a cluster without
// controllers.
type Config struct {
	Assets          string              // folder of the binaries; if empty, KUBEBUILDER_ASSETS, else what `make controlplane` built
	APIServerArgs   []string            // further flags of kube-apiserver; they come last, so they replace those set here, and add to those that are lists
	Controllers     bool                // whether to run kube-controller-manager, with all its controllers
	ControllerArgs  []string            // further flags of kube-controller-manager, in the same way
	AdmissionConfig string              // path of an AdmissionConfiguration file for kube-apiserver; if empty, none
	Log             io.Writer           // gets what components print, each line after its component's name; if nil, it is only kept for errors
	Timeout         time.Duration       // bounds Start, and each Restart; if zero, one minute
	Port            func() (int, error) // yields a loopback port to try; if nil, one that is free now
}

// A Component is one program of the control plane.
type Component string

// The components of a control plane.
const (
	Etcd              Component = "etcd"
	APIServer         Component = "kube-apiserver"
	ControllerManager Component = "kube-controller-manager"
)

// ErrNotRunning reports that a component was to be acted on which this cluster
// does not run.
var ErrNotRunning = errors.New("component is not running")

// A Cluster is a running control plane. Its methods may be called from several
// goroutines at once.
type Cluster struct {
	cfg    Config
	assets string
	folder *folder
	pki    *pki
	output *output
	admin  *rest.Config
	users  users

	mu        sync.Mutex
	ports     map[Component]int
	processes map[Component]*process // no entry: not running
}

// Start starts a control plane and returns when it serves requests, has its
// default namespace, and a ServiceAccount in it for pods to run as. ctx bounds
// the start only. Where it cannot, the error has the end of the log of the
// component at fault, and nothing is left running.
func Start(ctx context.Context, cfg Config) (*Cluster, error) {
	if cfg.Timeout == 0 {
		cfg.Timeout = time.Minute
	}
	if cfg.Port == nil {
		cfg.Port = freePort
	}
	ctx, cancel := context.WithTimeout(ctx, cfg.Timeout)
	defer cancel()
	c, err := prepare(cfg)
	if err != nil {
		return nil, fmt.Errorf("prepare a control plane: %w", err)
	}
	if err := c.start(ctx); err != nil {
		// What went wrong first is what the caller has to know.
		_ = c.Stop()
		return nil, fmt.Errorf("start a control plane: %w", err)
	}
	return c, nil
}

// prepare finds the binaries and makes what components need on disk.
func prepare(cfg Config) (*Cluster, error) {
	assets, err := findAssets(cfg)
	if err != nil {
		return nil, err
	}
	folder, err := newFolder()
	if err != nil {
		return nil, err
	}
	pki, err := newPKI(folder.path)
	if err != nil {
		_ = folder.remove()
		return nil, err
	}
	return &Cluster{
		cfg: cfg, assets: assets, folder: folder, pki: pki, output: newOutput(cfg.Log),
		ports: map[Component]int{}, processes: map[Component]*process{},
	}, nil
}

// start starts the components, each when the one it needs is ready.
func (c *Cluster) start(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.startOnFreePort(ctx, Etcd); err != nil {
		return err
	}
	if err := c.startOnFreePort(ctx, APIServer); err != nil {
		return err
	}
	if c.cfg.Controllers {
		if err := c.startController(ctx); err != nil {
			return err
		}
	}
	return c.awaitServiceAccount(ctx, c.processes[APIServer], "default")
}

// startController starts the controller manager, with its own credentials.
func (c *Cluster) startController(ctx context.Context) error {
	if _, err := c.KubeconfigFor("system:kube-controller-manager"); err != nil {
		return err
	}
	return c.launch(ctx, ControllerManager)
}

// stopOrder ends first what would complain about the end of the others.
func stopOrder() []Component { return []Component{ControllerManager, APIServer, Etcd} }

// Stop ends every component, asking first and killing after some seconds, and
// removes the data. The error reports a component that had ended by itself
// before, with the end of its log. A second Stop does nothing.
func (c *Cluster) Stop() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var errs []error
	for _, name := range stopOrder() {
		if p := c.processes[name]; p != nil {
			errs = append(errs, p.stop())
			delete(c.processes, name)
		}
	}
	errs = append(errs, c.folder.remove())
	return errors.Join(errs...)
}

// Restart ends a component, which may have ended by itself, and starts it anew
// with the same flags, port and data. It returns when the component is ready.
func (c *Cluster) Restart(ctx context.Context, name Component) error {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.processes[name]
	if p == nil {
		return fmt.Errorf("restart %s: %w", name, ErrNotRunning)
	}
	_ = p.stop() // that it had ended is why it may be restarted
	if err := c.launchOnSamePort(ctx, name); err != nil {
		return fmt.Errorf("restart %s: %w", name, err)
	}
	return nil
}

// Pause stops a component's execution, as if its machine hung: connections to
// it stay open and nothing answers. Resume and Stop end the pause.
func (c *Cluster) Pause(name Component) error { return c.signal(name, sigStop) }

// Resume lets a paused component go on.
func (c *Cluster) Resume(name Component) error { return c.signal(name, sigCont) }

// SetReadOnly has etcd refuse to store anything, as when its disk is full, or ends that.
func (c *Cluster) SetReadOnly(ctx context.Context, on bool) error {
	action := map[bool]string{true: "ACTIVATE", false: "DEACTIVATE"}[on]
	if err := c.callEtcd(ctx, http.MethodPost, "/v3/maintenance/alarm", map[string]string{"action": action, "alarm": "NOSPACE"}); err != nil {
		return fmt.Errorf("have etcd be full: %w", err)
	}
	return nil
}

// Kill ends a component without asking, as a crash does, and returns when it
// has ended. Restart brings it back; Stop does not report it.
func (c *Cluster) Kill(name Component) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.processes[name]
	if p == nil {
		return fmt.Errorf("kill %s: %w", name, ErrNotRunning)
	}
	p.kill()
	return nil
}

// Running lists the components that have not ended, sorted by name.
func (c *Cluster) Running() []Component {
	c.mu.Lock()
	defer c.mu.Unlock()
	var running []Component
	for name, p := range c.processes {
		if !p.ended() {
			running = append(running, name)
		}
	}
	slices.Sort(running)
	return running
}

// Folder is where the cluster keeps its data, keys and logs until Stop. A log
// is called after its component: kube-apiserver.log.
func (c *Cluster) Folder() string { return c.folder.path }
