package cluster

import (
	"crypto/sha256"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// The administrator is in the group that every API server lets do anything.
const (
	adminUser  = "kubernetes-admin"
	adminGroup = "system:masters"
)

// users guards the kubeconfig files of users.
type users struct{ mu sync.Mutex }

// path is where a user's kubeconfig is. Names of users and groups can be
// anything, so the file's is made of their hash.
func (*users) path(folder, user string, groups []string) string {
	hash := sha256.Sum256([]byte(strings.Join(append([]string{user}, groups...), "\x00")))
	return filepath.Join(folder, fmt.Sprintf("user-%x.kubeconfig", hash[:8]))
}

// useAPIServer makes the administrator's credentials for the API server on the
// port that it now has.
func (c *Cluster) useAPIServer() error {
	if c.admin != nil && c.admin.Host == c.server() {
		return nil
	}
	admin, err := c.ConfigFor(adminUser, adminGroup)
	if err != nil {
		return err
	}
	c.admin = admin
	return c.writeKubeconfig(c.Kubeconfig(), admin)
}

// server is the address of the API server.
func (c *Cluster) server() string { return "https://" + hostPort(c.ports[APIServer]) }

// Config has the address of the API server and its administrator's credentials.
// It is the caller's to change.
func (c *Cluster) Config() *rest.Config { return rest.CopyConfig(c.admin) }

// Kubeconfig is the path of a kubeconfig file of the administrator.
func (c *Cluster) Kubeconfig() string { return c.path("admin.kubeconfig") }

// ConfigFor has the address of the API server and a certificate of this user,
// with just the groups given: system:authenticated is added by the API server.
// A certificate can name a ServiceAccount as well, by its full user name,
// system:serviceaccount:NAMESPACE:NAME. What a user may do is up to RBAC.
func (c *Cluster) ConfigFor(user string, groups ...string) (*rest.Config, error) {
	if user == "" {
		return nil, errors.New("make credentials: the user has no name")
	}
	made, err := c.pki.ca.issue(pkix.Name{CommonName: user, Organization: groups}, nil)
	if err != nil {
		return nil, fmt.Errorf("make credentials of %q: %w", user, err)
	}
	return &rest.Config{
		Host: c.server(),
		// Tests ask as fast as they can, and wait for the answer.
		QPS: -1,
		TLSClientConfig: rest.TLSClientConfig{
			CAData: encode("CERTIFICATE", c.pki.ca.cert.Raw), CertData: made.cert, KeyData: made.key,
		},
	}, nil
}

// KubeconfigFor is the path of a kubeconfig file with ConfigFor's credentials.
// The same user with the same groups has the same file.
func (c *Cluster) KubeconfigFor(user string, groups ...string) (string, error) {
	c.users.mu.Lock()
	defer c.users.mu.Unlock()
	path := c.users.path(c.folder.path, user, groups)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	cfg, err := c.ConfigFor(user, groups...)
	if err != nil {
		return "", err
	}
	return path, c.writeKubeconfig(path, cfg)
}

// writeKubeconfig writes credentials as kubectl reads them.
func (c *Cluster) writeKubeconfig(path string, cfg *rest.Config) error {
	const name = "lintel"
	file := clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{name: {Server: cfg.Host, CertificateAuthorityData: cfg.CAData}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{name: {ClientCertificateData: cfg.CertData, ClientKeyData: cfg.KeyData}},
		Contexts:       map[string]*clientcmdapi.Context{name: {Cluster: name, AuthInfo: name}},
		CurrentContext: name,
	}
	if err := clientcmd.WriteToFile(file, path); err != nil {
		return fmt.Errorf("write a kubeconfig: %w", err)
	}
	return nil
}
