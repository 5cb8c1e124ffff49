package certs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Secrets is what a [Store] needs of client-go's SecretInterface, and all that it
// has to be permitted.
type Secrets interface {
	Get(ctx context.Context, name string, opts metav1.GetOptions) (*corev1.Secret, error)
	Update(ctx context.Context, secret *corev1.Secret, opts metav1.UpdateOptions) (*corev1.Secret, error)
}

// StoreConfig configures a [Store]. Everything in it is required.
type StoreConfig struct {
	Secrets Secrets  // of Lintel's namespace
	Name    string   // of the Secret, which the manifest makes, without data
	Hosts   []string // what the serving certificate is for
}

// A Store keeps the keyring in a Secret that all replicas share. Each write says
// which version of the Secret it goes by, so of two that write at once one has to
// read again.
type Store struct{ cfg StoreConfig }

// NewStore returns a Store for cfg.
func NewStore(cfg StoreConfig) (*Store, error) {
	switch {
	case cfg.Secrets == nil:
		return nil, errors.New("certs: StoreConfig.Secrets is nil")
	case cfg.Name == "":
		return nil, errors.New("certs: StoreConfig.Name is empty")
	case len(cfg.Hosts) == 0:
		return nil, errors.New("certs: StoreConfig.Hosts is empty")
	}
	return &Store{cfg: cfg}, nil
}

// Load returns the keyring, for a replica that starts. Where the Secret has none
// it makes one, and where the serving certificate has ended it renews it, so that
// what it returns can be served. A keyring that is broken is left as it is: the
// error wraps [ErrBroken], and an operator has to remove it.
func (s *Store) Load(ctx context.Context, now time.Time) (*Keyring, error) {
	return s.change(ctx, now, func(k *Keyring) (*Keyring, bool, error) {
		if k.Serves(now) {
			return k, false, nil
		}
		return k.Next(s.cfg.Hosts, now, nil)
	})
}

// Step takes the step that is due, if any, and returns the keyring as it now is.
// registered is what [Keyring.Next] wants. It is for one replica, the leader;
// were there two for a while, they would hinder each other and break nothing.
func (s *Store) Step(ctx context.Context, now time.Time, registered []byte) (*Keyring, error) {
	return s.change(ctx, now, func(k *Keyring) (*Keyring, bool, error) {
		return k.Next(s.cfg.Hosts, now, registered)
	})
}

// Pair reads what is to be served now and writes nothing. It is for [Follow].
func (s *Store) Pair(ctx context.Context) (Pair, error) {
	secret, err := s.get(ctx)
	if err != nil {
		return Pair{}, err
	}
	k, err := s.parse(secret)
	if err != nil {
		return Pair{}, err
	}
	return k.Serving(), nil
}

// change stores what do makes of the keyring, or a new keyring where there is
// none. When somebody else was faster it begins again with what they wrote.
func (s *Store) change(ctx context.Context, now time.Time, do func(*Keyring) (*Keyring, bool, error)) (*Keyring, error) {
	for {
		secret, err := s.get(ctx)
		if err != nil {
			return nil, err
		}
		k, changed, err := s.apply(secret, now, do)
		if err != nil || !changed {
			return k, err
		}
		err = s.update(ctx, secret, k)
		switch {
		case apierrors.IsConflict(err):
		case err != nil:
			return nil, err
		default:
			return k, nil
		}
	}
}

// apply returns what is to be in the Secret.
func (s *Store) apply(secret *corev1.Secret, now time.Time, do func(*Keyring) (*Keyring, bool, error)) (*Keyring, bool, error) {
	if isEmpty(secret) {
		k, err := NewKeyring(s.cfg.Hosts, now)
		return k, true, err
	}
	k, err := s.parse(secret)
	if err != nil {
		return nil, false, err
	}
	return do(k)
}

func (s *Store) parse(secret *corev1.Secret) (*Keyring, error) {
	k, err := ParseKeyring(secret.Data)
	if err != nil {
		return nil, fmt.Errorf("read Secret %q: %w; remove its data to have a new one made", s.cfg.Name, err)
	}
	return k, nil
}

func (s *Store) get(ctx context.Context) (*corev1.Secret, error) {
	secret, err := s.cfg.Secrets.Get(ctx, s.cfg.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("read Secret %q: apply Lintel's manifest, which makes it: %w", s.cfg.Name, err)
	}
	if err != nil {
		return nil, fmt.Errorf("read Secret %q: %w", s.cfg.Name, err)
	}
	return secret, nil
}

// update leaves keys alone that are not the keyring's.
func (s *Store) update(ctx context.Context, secret *corev1.Secret, k *Keyring) error {
	if secret.Data == nil {
		secret.Data = map[string][]byte{}
	}
	maps.Copy(secret.Data, k.Data())
	if _, err := s.cfg.Secrets.Update(ctx, secret, metav1.UpdateOptions{}); err != nil {
		return fmt.Errorf("write Secret %q: %w", s.cfg.Name, err)
	}
	return nil
}

func isEmpty(secret *corev1.Secret) bool {
	for _, value := range secret.Data {
		if len(value) > 0 {
			return false
		}
	}
	return true
}
