package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// An entry is a line of Lintel's log, as far as the demo shows and needs it.
type entry struct {
	Message   string `json:"msg"`
	Verdict   string `json:"verdict,omitempty"`
	Operation string `json:"operation,omitempty"`
	Kind      string `json:"kind,omitempty"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name,omitempty"`
	User      string `json:"user,omitempty"`
	Recorded  string `json:"recorded,omitempty"`
	Revision  string `json:"revision,omitempty"`
	Address   string `json:"address,omitempty"`
}

// patience is how long a line of the log may take, which comes through a pipe and
// after the answer that it is about. It matters only where there is none.
const patience = time.Minute

// logged returns the first line of Lintel's log that is what is looked for, and waits for it.
func (s *session) logged(ctx context.Context, is func(entry) bool) (entry, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		for line := range strings.Lines(s.gate.Log()) {
			var e entry
			if json.Unmarshal([]byte(line), &e) == nil && is(e) {
				return e, nil
			}
		}
		select {
		case <-ctx.Done():
			return entry{}, errors.New("look into lintel's log: what was to be there is not")
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// recordOf is what the log has of a Deployment that broke what is only recorded.
func (s *session) recordOf(ctx context.Context, namespace, name string) (string, error) {
	e, err := s.logged(ctx, func(e entry) bool {
		return e.Operation == "CREATE" && e.Kind == "Deployment" && e.Namespace == namespace && e.Name == name && e.Recorded != ""
	})
	if err != nil {
		return "", err
	}
	text, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return "", fmt.Errorf("write a line of the log: %w", err)
	}
	return string(text), nil
}

// metricsAddress is where Lintel serves its metrics.
func (s *session) metricsAddress(ctx context.Context) (string, error) {
	e, err := s.logged(ctx, func(e entry) bool { return e.Message == "serving metrics" })
	return e.Address, err
}
