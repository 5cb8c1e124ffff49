package controller

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"
)

// A Standing is what a [Registrar] has to know after a restart.
type Standing struct {
	// Registered says that the configurations have been made: where one is missing,
	// somebody has deleted it.
	Registered bool
	// OpenUntil is until when a deletion by hand is respected. If zero, there was none.
	OpenUntil time.Time
}

// A Memory keeps a [Standing]. Before the first Write, Read returns the zero one.
type Memory interface {
	Read(ctx context.Context) (Standing, error)
	Write(ctx context.Context, s Standing) error
}

// A ConfigMapMemory keeps a [Standing] in a ConfigMap, which has to exist.
type ConfigMapMemory struct {
	Client coreclient.ConfigMapInterface
	Name   string
}

// The keys of the ConfigMap.
const (
	registeredKey = "registered"
	openUntilKey  = "open-until"
)

// Read reads the ConfigMap.
func (m ConfigMapMemory) Read(ctx context.Context) (Standing, error) {
	kept, err := m.Client.Get(ctx, m.Name, metav1.GetOptions{})
	if err != nil {
		return Standing{}, fmt.Errorf("read what was registered: %w", err)
	}
	s := Standing{Registered: kept.Data[registeredKey] == "true"}
	if text := kept.Data[openUntilKey]; text != "" {
		if s.OpenUntil, err = time.Parse(time.RFC3339, text); err != nil {
			return Standing{}, fmt.Errorf("read what was registered: ConfigMap %q: %s is no time: remove it", m.Name, openUntilKey)
		}
	}
	return s, nil
}

// Write writes the ConfigMap.
func (m ConfigMapMemory) Write(ctx context.Context, s Standing) error {
	kept, err := m.Client.Get(ctx, m.Name, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("keep what is registered: %w", err)
	}
	s.writeTo(kept)
	if _, err := m.Client.Update(ctx, kept, metav1.UpdateOptions{}); err != nil {
		return fmt.Errorf("keep what is registered: %w", err)
	}
	return nil
}

func (s Standing) writeTo(kept *corev1.ConfigMap) {
	if kept.Data == nil {
		kept.Data = map[string]string{}
	}
	delete(kept.Data, registeredKey)
	delete(kept.Data, openUntilKey)
	if s.Registered {
		kept.Data[registeredKey] = "true"
	}
	if !s.OpenUntil.IsZero() {
		kept.Data[openUntilKey] = s.OpenUntil.UTC().Format(time.RFC3339)
	}
}

// recall reads what is known from before.
func (r *Registrar) recall(ctx context.Context) error {
	if r.cfg.Memory == nil {
		return nil
	}
	standing, err := r.cfg.Memory.Read(ctx)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stand(standing)
	return nil
}

// keep makes standing what holds, and writes it down first. r is locked.
func (r *Registrar) keep(ctx context.Context, standing Standing) error {
	if standing == r.standing {
		return nil
	}
	if r.cfg.Memory != nil {
		if err := r.cfg.Memory.Write(ctx, standing); err != nil {
			return err
		}
	}
	r.stand(standing)
	return nil
}

func (r *Registrar) stand(standing Standing) {
	r.standing = standing
	until := int64(0)
	if !standing.OpenUntil.IsZero() {
		until = standing.OpenUntil.Unix()
	}
	r.openUntil.Store(until)
}

// isOpen reports whether somebody wants the gate open: a configuration that had
// been made is missing, and it is not half an hour since that was seen. r is locked.
func (r *Registrar) isOpen(ctx context.Context, found configurations) (bool, error) {
	now := r.cfg.Now()
	switch {
	case !r.standing.Registered || found.isWhole():
		return false, r.keep(ctx, Standing{Registered: r.standing.Registered})
	case r.standing.OpenUntil.IsZero():
		until := now.Add(openFor).Truncate(time.Second)
		r.cfg.Log.Error("the registration was deleted by hand: nothing is held to policies until it is put back",
			zap.Time("open_until", until))
		return true, r.keep(ctx, Standing{Registered: true, OpenUntil: until})
	case now.Before(r.standing.OpenUntil):
		return true, nil
	}
	r.cfg.Log.Info("putting back the registration that was deleted by hand")
	return false, nil
}
