package webhook

import (
	"net/http"
	"time"

	"go.uber.org/zap"

	"github.com/lintel-policy/lintel/engine"
)

// record counts and logs a decision: who asked what of which object, and what
// was answered. Nothing that the object holds is in it but its name.
func (h *Handler) record(t *turn, req *engine.Request, a answer) {
	h.metrics.decided(t.door, a)
	kind, resource, ref := req.Kind(), req.Resource(), req.Ref()
	fields := []zap.Field{
		zap.String("uid", req.UID()),
		zap.String("door", string(t.door)),
		zap.String("verdict", a.verdict),
		zap.Bool("allowed", a.response.Allowed),
		zap.String("operation", string(req.Operation())),
		zap.String("group", kind.Group),
		zap.String("version", kind.Version),
		zap.String("kind", kind.Kind),
		zap.String("resource", resource.Resource),
		zap.String("subresource", req.Subresource()),
		zap.String("namespace", ref.Namespace),
		zap.String("name", ref.Name),
		zap.String("user", req.User()),
		zap.Bool("dry_run", req.DryRun()),
		zap.Int("bytes", t.bytes),
		zap.Duration("queued", t.queued),
		zap.Duration("took", time.Since(t.accepted)),
	}
	if a.reason != "" {
		fields = append(fields, zap.String("reason", a.reason))
	}
	h.log.Info("reviewed", append(fields, a.fields...)...)
}

func refusalFields(r *http.Request, what *refusal) []zap.Field {
	return []zap.Field{
		zap.Int("code", what.code),
		zap.String("reason", what.reason),
		zap.String("remote", r.RemoteAddr),
		zap.Int64("length", r.ContentLength),
	}
}
