package main

import (
	"context"
	"fmt"
	"strings"

	"go.uber.org/zap"
	corev1 "k8s.io/api/core/v1"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/audit"
	"github.com/lintel-policy/lintel/controller"
	"github.com/lintel-policy/lintel/engine"
)

// An openGate tells an audit when the gate was open, and others what came in then.
type openGate struct{ *gate }

// Opened returns the times that the gate was open and are over, the last first.
func (g openGate) Opened() (over []audit.Window, untold bool) {
	times, untold := g.registrar.Opened()
	for _, t := range times {
		over = append(over, audit.Window(t))
	}
	return over, untold
}

// Bounds of what is told of one time that the gate was open. The command that is told
// of with it lists the rest.
const (
	maxCameLogged = 100
	maxCameNamed  = 5
	maxCameName   = 120 // bytes
)

// Tell tells of what came in: by an Event, and a record in the log for each object.
func (g openGate) Tell(ctx context.Context, came audit.Came) error {
	if err := g.election.holds(); err != nil {
		return err
	}
	kind := corev1.EventTypeWarning
	if len(came.Findings) == 0 {
		kind = corev1.EventTypeNormal
	}
	first, err := g.registrar.TellOpened(ctx, controller.Opened(came.Window), kind, cameNote(came))
	if first {
		g.logCame(came)
	}
	return err
}

// cameNote is the text of the Event, which has 1024 bytes at most.
func cameNote(came audit.Came) string {
	while := fmt.Sprintf("While the gate was open, from %s to %s", engine.Moment(came.From), engine.Moment(came.To))
	if len(came.Findings) == 0 {
		return while + ", nothing came in that policies would deny or warn about now."
	}
	note := fmt.Sprintf("%s, %s came in that policies would deny now, and %d that they would warn about", while, engine.Counted(came.Denied, "object", "objects"), came.Warned)
	var named []string
	for i := range came.Findings[:min(len(came.Findings), maxCameNamed)] {
		named = append(named, shortened(came.Findings[i].Ref.Printable(), maxCameName))
	}
	note += ": " + strings.Join(named, ", ")
	if more := len(came.Findings) - len(named); more > 0 {
		note += fmt.Sprintf(" and %d more", more)
	}
	return note + ". To list them: lintel audit --changed " + came.Window.String()
}

// shortened returns text, cut to a number of bytes.
func shortened(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit-len("…")], "") + "…"
}

// logCame logs what came in, the worst of it each by itself.
func (g openGate) logCame(came audit.Came) {
	shown := came.Findings[:min(len(came.Findings), maxCameLogged)]
	for i := range shown {
		f := &shown[i]
		g.log.Error("came in while the gate was open, and violates policies",
			zap.String("kind", f.Ref.Kind), zap.String("namespace", f.Ref.Namespace), zap.String("name", f.Ref.Name), zap.String("uid", string(f.UID)),
			zap.Strings("denied_by", f.Policies(v1alpha1.Deny)), zap.Strings("warned_by", f.Policies(v1alpha1.Warn)),
			zap.Time("opened", came.From), zap.Time("closed", came.To))
	}
	g.log.Info("audited what came in while the gate was open", zap.Time("opened", came.From), zap.Time("closed", came.To),
		zap.Int("denied", came.Denied), zap.Int("warned", came.Warned), zap.Int("not_logged", len(came.Findings)-len(shown)))
}

// tellNews returns what tells of what is new in reports, nil where nobody is told.
func (g *gate) tellNews() func([]audit.News) {
	if g.findings == nil {
		return nil
	}
	return func(news []audit.News) {
		found := make([]controller.Found, len(news))
		for i, n := range news {
			ref := n.Finding.Ref
			found[i] = controller.Found{
				Object: corev1.ObjectReference{APIVersion: ref.APIVersion, Kind: ref.Kind, Namespace: ref.Namespace, Name: ref.Name, UID: n.Finding.UID},
				Owner:  n.Finding.Owner,
			}
			for _, v := range n.Violations {
				found[i].Violations = append(found[i].Violations, v.Violation)
			}
		}
		g.findings.Tell(found)
	}
}
