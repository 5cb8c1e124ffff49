package controller

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	admissionclient "k8s.io/client-go/kubernetes/typed/admissionregistration/v1"

	"github.com/lintel-policy/lintel/engine"
)

// The annotations of a configuration that keep the gate open.
const (
	UntilAnnotation  = "lintel.dev/breakglass-until"  // RFC 3339
	ReasonAnnotation = "lintel.dev/breakglass-reason" // for those who read the records
	ByAnnotation     = "lintel.dev/breakglass-by"     // who, by their own word
)

const (
	// MaxOpening is how long an opening is respected after it was first seen,
	// whatever it says itself.
	MaxOpening = time.Hour
	// MaxReason is how many bytes of a reason are kept: an Event has a note of 1024.
	MaxReason = 300
)

// An Opening is what somebody says who breaks the glass. The zero one is none.
type Opening struct {
	Until  time.Time // in UTC, whole seconds
	Reason string
	By     string // as they say themselves; "" if they do not
}

// NewOpening returns an opening of a length from now on. It refuses one that is longer
// than [MaxOpening], and a reason that is none or could not be shown as it is.
func NewOpening(now time.Time, length time.Duration, reason, by string) (Opening, error) {
	reason = strings.TrimSpace(reason)
	switch {
	case length < time.Second || length > MaxOpening:
		return Opening{}, fmt.Errorf("the gate cannot be open for %s: give it a second at least and %s at most", length, MaxOpening)
	case reason == "":
		return Opening{}, errors.New("the reason is missing: those who read the records have to know why the gate was open")
	case len(reason) > MaxReason:
		return Opening{}, fmt.Errorf("the reason has %d bytes: %d at most are kept", len(reason), MaxReason)
	case engine.Printable(reason) != reason:
		return Opening{}, errors.New("the reason has characters that cannot be shown, such as a line break: leave them out")
	}
	return Opening{now.Add(length).UTC().Truncate(time.Second), reason, readable(by)}, nil
}

// errNoReason reports an opening that nobody accounts for.
var errNoReason = errors.New(ReasonAnnotation + " is missing")

// openingOf reads the annotations of a configuration. Without any it is the zero
// Opening. What it returns can be printed, and fits into a record.
func openingOf(annotations map[string]string) (Opening, error) {
	until, reason := annotations[UntilAnnotation], strings.TrimSpace(annotations[ReasonAnnotation])
	if !hasOpening(annotations) {
		return Opening{}, nil
	}
	end, err := time.Parse(time.RFC3339, until)
	switch {
	case err != nil:
		return Opening{}, fmt.Errorf("%s is %q, which is no time as in %q", UntilAnnotation, readable(until), "2027-01-31T14:00:00Z")
	case reason == "":
		return Opening{}, errNoReason
	}
	return Opening{end.UTC().Truncate(time.Second), readable(reason), readable(annotations[ByAnnotation])}, nil
}

// hasOpening reports whether somebody has written any of the annotations.
func hasOpening(annotations map[string]string) bool {
	for _, key := range []string{UntilAnnotation, ReasonAnnotation, ByAnnotation} {
		if _, ok := annotations[key]; ok {
			return true
		}
	}
	return false
}

// readable makes text of a cluster printable and at most [MaxReason] bytes long.
func readable(text string) string {
	text = engine.Printable(strings.ToValidUTF8(text, "?"))
	if len(text) <= MaxReason {
		return text
	}
	return strings.ToValidUTF8(text[:MaxReason-len("…")], "") + "…"
}

// noObject selects nothing, since no object has a label and has it not. An entry with
// it stays as it is, how it fails included, and is never asked.
func noObject() *metav1.LabelSelector {
	const key = "lintel.dev/breakglass"
	return &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
		{Key: key, Operator: metav1.LabelSelectorOpExists}, {Key: key, Operator: metav1.LabelSelectorOpDoesNotExist},
	}}
}

// A half is one of the two configurations, as it was read.
type half struct {
	kind    string
	meta    metav1.ObjectMeta
	entries []halfEntry
	patch   func(ctx context.Context, data []byte) error
}

type halfEntry struct {
	Name           string                `json:"name"`
	ObjectSelector *metav1.LabelSelector `json:"objectSelector"` // null is all objects
}

// isOpen reports whether the entry is never asked.
func (e halfEntry) isOpen() bool { return equality.Semantic.DeepEqual(e.ObjectSelector, noObject()) }

// open counts the entries that are never asked.
func (h half) open() int {
	count := 0
	for _, e := range h.entries {
		if e.isOpen() {
			count++
		}
	}
	return count
}

// A halfPatch is a strategic merge patch. It is refused as a conflict if the
// configuration has changed since it was read.
type halfPatch struct {
	Metadata struct {
		ResourceVersion string             `json:"resourceVersion"`
		Annotations     map[string]*string `json:"annotations,omitempty"` // null takes one off
	} `json:"metadata"`
	Webhooks []halfEntry `json:"webhooks,omitempty"`
}

func (h half) apply(ctx context.Context, annotations map[string]*string, entries []halfEntry) error {
	var p halfPatch
	p.Metadata.ResourceVersion, p.Metadata.Annotations, p.Webhooks = h.meta.ResourceVersion, annotations, entries
	data, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("encode patch of %s %q: %w", h.kind, h.meta.Name, err)
	}
	if err := h.patch(ctx, data); err != nil {
		return fmt.Errorf("patch %s %q: %w", h.kind, h.meta.Name, err)
	}
	return nil
}

// breakOpen has the entries never asked, and writes down who wants it.
func (h half) breakOpen(ctx context.Context, o Opening) error {
	annotations := map[string]*string{UntilAnnotation: ptr(engine.Moment(o.Until)), ReasonAnnotation: &o.Reason, ByAnnotation: nil}
	if o.By != "" {
		annotations[ByAnnotation] = &o.By
	}
	return h.apply(ctx, annotations, h.opened())
}

// opened returns the entries as they are never asked.
func (h half) opened() []halfEntry {
	var entries []halfEntry
	for _, e := range h.entries {
		entries = append(entries, halfEntry{e.Name, noObject()})
	}
	return entries
}

// keepOpen has entries never asked that still are, or are again.
func (h half) keepOpen(ctx context.Context) error {
	if h.open() == len(h.entries) {
		return nil
	}
	return h.apply(ctx, nil, h.opened())
}

// end undoes breakOpen.
func (h half) end(ctx context.Context) error {
	var entries []halfEntry
	for _, e := range h.entries {
		if e.isOpen() {
			entries = append(entries, halfEntry{Name: e.Name})
		}
	}
	if len(entries) == 0 && !hasOpening(h.meta.Annotations) {
		return nil
	}
	return h.apply(ctx, map[string]*string{UntilAnnotation: nil, ReasonAnnotation: nil, ByAnnotation: nil}, entries)
}

// halves returns those configurations that there are.
func (c configurations) halves(client admissionclient.AdmissionregistrationV1Interface, manager string) []half {
	var all []half
	if c.validating != nil {
		all = append(all, validatingHalf(client.ValidatingWebhookConfigurations(), c.validating, manager))
	}
	if c.mutating != nil {
		all = append(all, mutatingHalf(client.MutatingWebhookConfigurations(), c.mutating, manager))
	}
	return all
}

const (
	validatingKind = "ValidatingWebhookConfiguration"
	mutatingKind   = "MutatingWebhookConfiguration"
)

func validatingHalf(client admissionclient.ValidatingWebhookConfigurationInterface, c *admissionv1.ValidatingWebhookConfiguration, manager string) half {
	h := half{kind: validatingKind, meta: c.ObjectMeta, patch: func(ctx context.Context, data []byte) error {
		_, err := client.Patch(ctx, c.Name, types.StrategicMergePatchType, data, metav1.PatchOptions{FieldManager: manager})
		return err
	}}
	for _, w := range c.Webhooks {
		h.entries = append(h.entries, halfEntry{w.Name, w.ObjectSelector})
	}
	return h
}

func mutatingHalf(client admissionclient.MutatingWebhookConfigurationInterface, c *admissionv1.MutatingWebhookConfiguration, manager string) half {
	h := half{kind: mutatingKind, meta: c.ObjectMeta, patch: func(ctx context.Context, data []byte) error {
		_, err := client.Patch(ctx, c.Name, types.StrategicMergePatchType, data, metav1.PatchOptions{FieldManager: manager})
		return err
	}}
	for _, w := range c.Webhooks {
		h.entries = append(h.entries, halfEntry{w.Name, w.ObjectSelector})
	}
	return h
}
