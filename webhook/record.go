package webhook

import (
	"net/http"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/lintel-policy/lintel/engine"
)

// record counts and logs a decision, and hands it on to be kept. The log says who
// asked what of which object, and what was answered: nothing that the object holds
// is in it but its name.
func (h *Handler) record(t *turn, req *engine.Request, a answer) {
	h.metrics.decided(t.door, a)
	kind, resource, ref := req.Kind(), req.Resource(), req.Ref()
	fields := []zap.Field{
		sent("uid", req.UID()),
		zap.String("door", string(t.door)),
		zap.String("verdict", a.verdict),
		zap.Bool("allowed", a.response.Allowed),
		zap.String("operation", string(req.Operation())),
		sent("group", kind.Group),
		sent("version", kind.Version),
		sent("kind", kind.Kind),
		sent("resource", resource.Resource),
		sent("subresource", req.Subresource()),
		sent("namespace", ref.Namespace),
		sent("name", ref.Name),
		sent("user", req.User()),
		zap.Bool("dry_run", req.DryRun()),
		zap.Int("bytes", t.bytes),
		zap.Duration("queued", t.queued),
		zap.Duration("took", time.Since(t.accepted)),
	}
	if a.reason != "" {
		fields = append(fields, zap.String("reason", a.reason))
	}
	h.log.Info("reviewed", append(fields, a.fields...)...)
	if h.keep != nil && t.door != mutate && t.door != own && a.refusal == nil {
		h.keep(Reviewed{Door: string(t.door), Request: req, Body: t.body, Allowed: a.response.Allowed, Decision: a.decision})
	}
}

// maxField is how many bytes of a field of a request are logged. Names in
// Kubernetes have 253 at most.
const maxField = 256

// sent is a field with text that came in: short, and without what a terminal obeys
// or a pager takes for the end of a line.
func sent(key, text string) zap.Field {
	if len(text) > maxField {
		text = strings.ToValidUTF8(text[:maxField], "") + "…"
	}
	return zap.String(key, engine.Printable(text))
}

func refusalFields(r *http.Request, what *refusal) []zap.Field {
	return []zap.Field{
		zap.Int("code", what.code),
		zap.String("reason", what.reason),
		zap.String("remote", r.RemoteAddr),
		zap.Int64("length", r.ContentLength),
	}
}
