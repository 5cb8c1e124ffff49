package webhook

import (
	"context"
	"net/http"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lintel-policy/lintel/engine"
)

// PathOwn is where Lintel's own objects are checked before they are stored. A
// [Handler] without a [Checker] does not serve it.
const PathOwn = "/own"

// A Checker checks Lintel's own objects before they are stored. It returns an error
// only where it could not find out: then the object passes with a warning, since
// whoever puts it in force decides again. Not to be done in time is not such an
// error, and is refused: what takes so long to check takes as long to put in force.
type Checker interface {
	Check(ctx context.Context, req *engine.Request) (Finding, error)
}

// A Finding is what a [Checker] says of an object. Both fields are for people.
type Finding struct {
	Refusal  string   // why the object is not to be stored, "" if it may be
	Warnings []string // what is probably not meant
}

// check asks the checker.
func (h *Handler) check(ctx context.Context, req *engine.Request) answer {
	found, err := h.checker.Check(ctx, req)
	if err != nil {
		return h.failed(ctx, own, req, err)
	}
	a := answer{verdict: allowed}
	a.response.Warnings = engine.FitWarnings(found.Warnings)
	switch {
	case found.Refusal != "":
		a.verdict = denied
		a.response.Result = status(http.StatusForbidden, metav1.StatusReasonForbidden, shorten(found.Refusal))
	case len(found.Warnings) > 0:
		a.verdict = warned
	}
	a.response.Allowed = a.verdict != denied
	return a
}

// unchecked answers for a checker that did not.
func unchecked(req *engine.Request, reason, why string) answer {
	a := answer{verdict: undecided, reason: reason}
	text := engine.Printable(req.Ref().String()) + " could not be checked: " + why
	if reason == "timeout" {
		text += ". What takes so long to compile would hold up every change of a policy: make it smaller, or apply it again if Lintel was only busy"
	}
	a.response.Allowed = reason != "timeout"
	a.response.Result = internalError(text)
	if a.response.Allowed {
		a.response.Warnings = engine.FitWarnings([]string{"lintel: " + text + "; its status will say whether it is in force"})
	}
	return a
}
