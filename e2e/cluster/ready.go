package cluster

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"k8s.io/client-go/rest"
)

// ready is the question whether a component can be used.
func (c *Cluster) ready(name Component) func(context.Context) error {
	switch name {
	case Etcd:
		return c.etcdReady
	case APIServer:
		return func(ctx context.Context) error { return c.call(ctx, http.MethodGet, "/readyz?verbose", nil) }
	default:
		return func(ctx context.Context) error { return c.serviceAccount(ctx, "default") }
	}
}

// etcdReady asks etcd itself.
func (c *Cluster) etcdReady(ctx context.Context) error {
	return c.callEtcd(ctx, http.MethodGet, "/readyz", nil)
}

// callEtcd sends a request to etcd with the API server's credentials.
func (c *Cluster) callEtcd(ctx context.Context, method, path string, body any) error {
	client, err := c.etcdClient()
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	return request(ctx, client, method, c.etcdURL()+path, body)
}

func (c *Cluster) etcdURL() string { return "https://" + hostPort(c.ports[Etcd]) }

// etcdClient returns a client of etcd with the API server's credentials.
func (c *Cluster) etcdClient() (*http.Client, error) {
	cert, err := tls.LoadX509KeyPair(c.path("etcd-client.crt"), c.path("etcd-client.key"))
	if err != nil {
		return nil, fmt.Errorf("load etcd's credentials: %w", err)
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: c.pki.ca.pool(), Certificates: []tls.Certificate{cert}}}}, nil
}

// awaitServiceAccount waits until pods can be created in a namespace: each
// needs a ServiceAccount called default. Without controllers nobody makes it,
// so it is made here.
func (c *Cluster) awaitServiceAccount(ctx context.Context, server *process, namespace string) error {
	return await(ctx, server, "to have namespace "+namespace+" and its ServiceAccount", func(ctx context.Context) error {
		if !c.cfg.Controllers {
			path := "/api/v1/namespaces/" + namespace + "/serviceaccounts"
			return c.call(ctx, http.MethodPost, path, object("ServiceAccount", "default", nil), http.StatusConflict)
		}
		return c.serviceAccount(ctx, namespace)
	})
}

// serviceAccount asks for the default ServiceAccount of a namespace.
func (c *Cluster) serviceAccount(ctx context.Context, namespace string) error {
	return c.call(ctx, http.MethodGet, "/api/v1/namespaces/"+namespace+"/serviceaccounts/default", nil)
}

// CreateNamespace creates a namespace, and returns when pods can be created in
// it. Without controllers a namespace can be deleted, but never goes.
func (c *Cluster) CreateNamespace(ctx context.Context, name string, labels map[string]string) error {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	if err := c.call(ctx, http.MethodPost, "/api/v1/namespaces", object("Namespace", name, labels)); err != nil {
		return fmt.Errorf("create namespace %q: %w", name, err)
	}
	c.mu.Lock()
	server := c.processes[APIServer]
	c.mu.Unlock()
	if server == nil {
		return fmt.Errorf("wait for namespace %q: %w", name, ErrNotRunning)
	}
	return c.awaitServiceAccount(ctx, server, name)
}

// object is a core object that has nothing but a name and labels.
func object(kind, name string, labels map[string]string) map[string]any {
	return map[string]any{
		"apiVersion": "v1", "kind": kind,
		"metadata": map[string]any{"name": name, "labels": labels},
	}
}

// call sends a request to the API server as its administrator.
func (c *Cluster) call(ctx context.Context, method, path string, body any, alsoFine ...int) error {
	client, err := rest.HTTPClientFor(c.admin)
	if err != nil {
		return fmt.Errorf("make a client of the API server: %w", err)
	}
	return request(ctx, client, method, c.admin.Host+path, body, alsoFine...)
}

// request sends a request and reports any answer but success, or a status that
// is fine as well.
func request(ctx context.Context, client *http.Client, method, url string, body any, alsoFine ...int) error {
	text, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("encode a request: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(text))
	if err != nil {
		return fmt.Errorf("make a request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return err // it names method and address
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, tailSize))
	if err != nil {
		return fmt.Errorf("read the answer to %s %s: %w", method, url, err)
	}
	if resp.StatusCode/100 != 2 && !slices.Contains(alsoFine, resp.StatusCode) {
		return fmt.Errorf("%s %s: %s: %s", method, url, resp.Status, strings.TrimSpace(string(answer)))
	}
	return nil
}
