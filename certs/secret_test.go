package certs_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"

	"github.com/lintel-policy/lintel/certs"
)

const secretName = "lintel-certs"

// A place is a namespace of a real API server with the Secret of the manifest in
// it, and a user who may get and update that one alone.
type place struct {
	namespace string
	admin     *kubernetes.Clientset
	user      string
}

func newPlace(t *testing.T) *place {
	t.Helper()
	c := shared.Cluster(t)
	p := &place{admin: clientFor(t, c.Config())}
	made, err := p.admin.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "certs-"}}, metav1.CreateOptions{})
	must(t, "create namespace", err)
	p.namespace = made.Name
	p.user = "system:serviceaccount:" + p.namespace + ":lintel"
	_, err = p.secrets().Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: secretName}}, metav1.CreateOptions{})
	must(t, "create Secret", err)

	meta := metav1.ObjectMeta{Name: "lintel"}
	_, err = p.admin.RbacV1().Roles(p.namespace).Create(t.Context(), &rbacv1.Role{ObjectMeta: meta, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"secrets"}, ResourceNames: []string{secretName}, Verbs: []string{"get", "update"}},
	}}, metav1.CreateOptions{})
	must(t, "create Role", err)
	_, err = p.admin.RbacV1().RoleBindings(p.namespace).Create(t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: meta,
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "lintel"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: p.user}},
	}, metav1.CreateOptions{})
	must(t, "create RoleBinding", err)
	p.awaitPermission(t)
	return p
}

func clientFor(t *testing.T, config *rest.Config) *kubernetes.Clientset {
	t.Helper()
	config.QPS = -1
	client, err := kubernetes.NewForConfig(config)
	must(t, "make client", err)
	return client
}

// awaitPermission waits until the API server has learnt of the role.
func (p *place) awaitPermission(t *testing.T) {
	t.Helper()
	secrets := p.secretsOf(t)
	eventually(t, "the user being permitted to read", func() bool {
		_, err := secrets.Get(t.Context(), secretName, metav1.GetOptions{})
		return err == nil
	})
}

func (p *place) secrets() typedcorev1.SecretInterface { return p.admin.CoreV1().Secrets(p.namespace) }

// secretsOf is a client of the user's, with connections of its own.
func (p *place) secretsOf(t *testing.T) typedcorev1.SecretInterface {
	t.Helper()
	config, err := shared.Cluster(t).ConfigFor(p.user)
	must(t, "ConfigFor(...)", err)
	return clientFor(t, config).CoreV1().Secrets(p.namespace)
}

func (p *place) store(t *testing.T, hosts ...string) *certs.Store {
	t.Helper()
	s, err := certs.NewStore(certs.StoreConfig{Secrets: p.secretsOf(t), Name: secretName, Hosts: hosts})
	must(t, "NewStore(...)", err)
	return s
}

// put replaces the data of the Secret.
func (p *place) put(t *testing.T, data map[string][]byte) {
	t.Helper()
	_, err := p.secrets().Update(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: secretName}, Data: data}, metav1.UpdateOptions{})
	must(t, "update Secret", err)
}

// remove removes what is at a path of the Secret, as the documentation says.
func (p *place) remove(t *testing.T, path string) {
	t.Helper()
	patch := fmt.Sprintf(`[{"op":"remove","path":%q}]`, path)
	_, err := p.secrets().Patch(t.Context(), secretName, types.JSONPatchType, []byte(patch), metav1.PatchOptions{})
	must(t, "patch Secret", err)
}

func (p *place) data(t *testing.T) map[string][]byte {
	t.Helper()
	secret, err := p.secrets().Get(t.Context(), secretName, metav1.GetOptions{})
	must(t, "get Secret", err)
	return secret.Data
}

// atOnce lets each of three replicas do the same at the same time.
func atOnce(t *testing.T, p *place, do func(*certs.Store) (*certs.Keyring, error)) [3]*certs.Keyring {
	t.Helper()
	var (
		got     [3]*certs.Keyring
		running sync.WaitGroup
	)
	begin := make(chan struct{})
	for i := range got {
		store := p.store(t, hosts()...)
		running.Go(func() {
			<-begin
			var err error
			if got[i], err = do(store); err != nil {
				t.Errorf("replica %d: %v", i, err)
			}
		})
	}
	close(begin)
	running.Wait()
	if t.Failed() {
		t.FailNow()
	}
	return got
}

// TestReplicasAtOnce has three replicas start, and then lead, at the same time.
func TestReplicasAtOnce(t *testing.T) {
	p := newPlace(t)
	same := func(reason string, got [3]*certs.Keyring) {
		t.Helper()
		for i, k := range got {
			if diff := cmp.Diff(read(t, p.data(t)).Data(), k.Data()); diff != "" {
				t.Errorf("%s\nkeyring of replica %d: -stored, +got:\n%s", reason, i, diff)
			}
		}
	}
	for range 10 {
		p.put(t, nil)
		got := atOnce(t, p, func(s *certs.Store) (*certs.Keyring, error) { return s.Load(t.Context(), now) })
		same("Replicas that start at once have one keyring.", got)
	}
	// Their step is due and has not been taken.
	got := atOnce(t, p, func(s *certs.Store) (*certs.Keyring, error) { return s.Step(t.Context(), now.Add(80*day), nil) })
	same("Leaders that take a step at once take one.", got)
}

func read(t *testing.T, data map[string][]byte) *certs.Keyring {
	t.Helper()
	k, err := certs.ParseKeyring(data)
	must(t, "ParseKeyring(...)", err)
	return k
}

func TestLoadLeavesWhatItCannotRead(t *testing.T) {
	p := newPlace(t)
	authority := newAuthority(t, year)
	foreign := issue(t, authority, hosts(), day)
	half := newKeyring(t, now).Data()
	half["tls.key"] = half["tls.key"][:40]

	cases := map[string]struct {
		reason string
		data   map[string][]byte
		want   string
	}{
		"Half": {"A keyring that is broken may be all there is of a key that is trusted.", half, "tls.key is not the key of tls.crt"},
		"Foreign": {
			"Certificates that somebody else keeps are theirs.",
			map[string][]byte{"tls.crt": foreign.Certificate, "tls.key": foreign.Key, "ca.crt": authority.Pair().Certificate}, "since is no time",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			p.put(t, tc.data)
			store := p.store(t, hosts()...)
			_, loaded := store.Load(t.Context(), now)
			_, stepped := store.Step(t.Context(), now, nil)
			_, paired := store.Pair(t.Context())
			for _, err := range []error{loaded, stepped, paired} {
				if !errors.Is(err, certs.ErrBroken) || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), "remove its data") {
					t.Errorf("%s\nwant an error with %q that says what to do, got %v", tc.reason, tc.want, err)
				}
			}
			if diff := cmp.Diff(tc.data, p.data(t)); diff != "" {
				t.Errorf("%s\ndata: -want, +got:\n%s", tc.reason, diff)
			}
			p.remove(t, "/data")
			k, err := store.Load(t.Context(), now)
			must(t, "Load(...) of what an operator has emptied", err)
			if !k.Serves(now) {
				t.Error("Load(...) of what an operator has emptied: want a keyring that serves")
			}
		})
	}
}

func TestLoadWithoutSecret(t *testing.T) {
	p := newPlace(t)
	must(t, "delete Secret", p.secrets().Delete(t.Context(), secretName, metav1.DeleteOptions{}))
	_, err := p.store(t, hosts()...).Load(t.Context(), now)
	if !apierrors.IsNotFound(err) || !strings.Contains(err.Error(), "apply Lintel's manifest") {
		t.Errorf("Load(...): want an error that says where the Secret comes from, got %v", err)
	}
}

func TestLoadRenewsWhatHasEnded(t *testing.T) {
	cases := map[string]struct {
		reason string
		after  time.Duration
		bundle bool
	}{
		"Certificate": {"Lintel was away for longer than its certificate was valid.", 100 * day, true},
		"Authority":   {"Lintel was away for longer than its authority was valid.", 3 * year, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			store := p.store(t, hosts()...)
			before, err := store.Load(t.Context(), now)
			must(t, "Load(...)", err)
			after, err := store.Load(t.Context(), now.Add(tc.after))
			must(t, "Load(...)", err)
			if !after.Serves(now.Add(tc.after)) {
				t.Errorf("%s\nLoad(...): want a certificate that is valid", tc.reason)
			}
			if kept := cmp.Equal(before.Bundle(), after.Bundle()); kept != tc.bundle {
				t.Errorf("%s\nbundle kept: want %t, got %t", tc.reason, tc.bundle, kept)
			}
		})
	}
}

// TestStoreKeepsOtherKeys is about what somebody added to the Secret.
func TestStoreKeepsOtherKeys(t *testing.T) {
	p := newPlace(t)
	store := p.store(t, hosts()...)
	k, err := store.Load(t.Context(), now)
	must(t, "Load(...)", err)
	data := k.Data()
	data["note"] = []byte("ours")
	p.put(t, data)
	p.remove(t, "/data/ca.key")
	k, err = store.Step(t.Context(), now, nil)
	must(t, "Step(...)", err)
	if k.Phase() != certs.Announced {
		t.Errorf("phase after ca.key was removed: want %s, got %s", certs.Announced, k.Phase())
	}
	if got := string(p.data(t)["note"]); got != "ours" {
		t.Errorf("a key that is not the keyring's: want it kept, got %q", got)
	}
	if pair, err := store.Pair(t.Context()); err != nil || !cmp.Equal(pair, k.Serving()) {
		t.Errorf("Pair(...): want the serving pair, got error %v", err)
	}
}
