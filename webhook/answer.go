package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"go.uber.org/zap"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
)

// ErrNotReady is what a [Decider] returns as long as it has nothing to decide by.
// It is answered with 503 and Retry-After: another replica may be ready.
var ErrNotReady = errors.New("no policies are loaded yet")

// Verdicts, for metrics and logs.
const (
	allowed   = "allowed"
	warned    = "warned"
	denied    = "denied"
	patched   = "patched"
	undecided = "undecided"
)

// An answer is what becomes of a request: a response, or a refusal.
type answer struct {
	refusal  *refusal
	response admissionv1.AdmissionResponse
	body     []byte // the response as it is sent
	verdict  string
	reason   string           // why it, or some policy, is undecided, for metrics; one of few
	decision *engine.Decision // nil where there is none
	fields   []zap.Field
	left     <-chan struct{} // what the engine left behind
}

// answer reads a review, asks the decider, and returns by the deadline of t, even
// where the decider does not. What t holds is given back when the decider ends, and
// what it left behind: one that runs on still uses a CPU and memory.
func (h *Handler) answer(ctx context.Context, t *turn, body []byte) answer {
	ctx, stop := context.WithCancelCause(ctx)
	deciding, cancel := context.WithDeadline(ctx, t.decideBy)
	read, done := make(chan *engine.Request, 1), make(chan answer, 1)
	h.crew.run(func() {
		defer t.leave()
		defer stop(nil)
		defer cancel()
		h.decide(deciding, t, body, read, done)
	})
	if a, inTime := attend(t, done, stop); inTime {
		return a
	}
	// Only the request has the uid to answer with. Reading it takes as long as its
	// size bounds.
	req := <-read
	if req == nil || !t.claim() {
		return <-done // the answer was about to come
	}
	return h.finish(t, req, h.undecided(t.door, req, "timeout", errTimeout))
}

// decide reads a review, says what was read, nil where that is no review, asks the
// decider, and answers if that was not too late. It returns when what was left
// behind has ended.
func (h *Handler) decide(ctx context.Context, t *turn, body []byte, read chan<- *engine.Request, done chan<- answer) {
	req, what := decode(body, t.tooHeavy)
	read <- req
	if what != nil {
		done <- answer{refusal: what}
		return
	}
	a := h.ask(ctx, t, req)
	if t.claim() {
		done <- h.finish(t, req, a)
	}
	if a.left != nil {
		<-a.left
	}
}

// finish records an answer and encodes it. That is done before the answer goes back
// to the goroutine of the server, whose stack would grow for it each time.
func (h *Handler) finish(t *turn, req *engine.Request, a answer) (finished answer) {
	defer func() {
		if recover() != nil {
			finished = answer{refusal: refuse(http.StatusInternalServerError, "panic", "the answer could not be given because of a defect in Lintel")}
		}
	}()
	a.response.UID = types.UID(req.UID())
	h.record(t, req, a)
	if a.refusal == nil {
		a.body, a.refusal = encode(&a.response)
	}
	return a
}

func encode(response *admissionv1.AdmissionResponse) ([]byte, *refusal) {
	body, err := json.Marshal(&admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: admissionv1.SchemeGroupVersion.String(), Kind: "AdmissionReview"},
		Response: response,
	})
	if err != nil {
		return nil, refuse(http.StatusInternalServerError, "encode", "the answer could not be encoded")
	}
	return body, nil
}

// ask asks the decider. A panic is a failure to decide; neither the answer nor
// the log has its value, which may hold parts of the object.
func (h *Handler) ask(ctx context.Context, t *turn, req *engine.Request) (a answer) {
	at := t.door
	defer func() {
		if p := recover(); p != nil {
			h.log.Error("panicked", sent("uid", req.UID()), zap.String("panic", panicText(p)), zap.ByteString("stack", debug.Stack()))
			a = h.undecided(at, req, "panic", errPanic)
		}
	}()
	if t.tooHeavy {
		return h.undecided(at, req, "too_heavy", errTooHeavy)
	}
	if at == own {
		return h.check(ctx, req)
	}
	if at == mutate {
		m, err := h.decider.Patch(ctx, req)
		if err != nil {
			return h.failed(ctx, at, req, err)
		}
		return patchAnswer(m).because(ctx)
	}
	d, err := h.decider.Review(ctx, at.part(), req)
	if err != nil {
		return h.failed(ctx, at, req, err)
	}
	return reviewAnswer(d).because(ctx)
}

// panicText describes a panic by its type, or by its text where the runtime wrote
// it: an index out of range, a nil map.
func panicText(p any) string {
	if err, ok := p.(runtime.Error); ok {
		return err.Error()
	}
	return fmt.Sprintf("%T", p)
}

// Why a decider did not decide, where it did not say so itself.
var (
	errTimeout = errors.New("no decision was reached in time")
	errPanic   = errors.New("a defect in Lintel kept it from deciding")
)

// because names the reason why policies could not decide, where it was not theirs.
func (a answer) because(ctx context.Context) answer {
	if a.reason != "" && errors.Is(context.Cause(ctx), errMemory) {
		a.reason = "memory"
	}
	return a
}

func (h *Handler) failed(ctx context.Context, at door, req *engine.Request, err error) answer {
	switch {
	case errors.Is(err, ErrNotReady):
		return answer{refusal: refuse(http.StatusServiceUnavailable, "not_ready", "%s", ErrNotReady), verdict: undecided, reason: "not_ready"}
	case errors.Is(context.Cause(ctx), errMemory):
		return h.undecided(at, req, "memory", errMemory)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return h.undecided(at, req, "timeout", errTimeout)
	}
	return h.undecided(at, req, "error", err)
}

// undecided answers for a decider that did not: by what each policy that matches
// says of errors, where that can be found out.
func (h *Handler) undecided(at door, req *engine.Request, reason string, err error) answer {
	if at == own {
		return unchecked(req, reason, engine.Printable(err.Error()))
	}
	if at != mutate {
		if d := h.consider(at, req, err); d != nil {
			a := reviewAnswer(d)
			a.verdict, a.reason = undecided, reason
			return a
		}
	}
	return cannotDecide(at, req, reason, engine.Printable(err.Error()))
}

// consider asks the decider what becomes of a request that it did not decide.
// Where it panics again, nothing can be found out.
func (h *Handler) consider(at door, req *engine.Request, err error) (d *engine.Decision) {
	defer func() {
		if recover() != nil {
			d = nil
		}
	}()
	return h.decider.Undecided(at.part(), req, err)
}

// cannotDecide refuses what was to be validated, save where nothing is held up. What
// was to be patched passes as it is, since it is validated afterwards.
func cannotDecide(at door, req *engine.Request, reason, why string) answer {
	text := engine.Printable(req.Ref().String()) + " could not be judged: " + why
	a := answer{verdict: undecided, reason: reason}
	a.response.Allowed = at == mutate || at == warn
	a.response.Result = internalError(text)
	switch at {
	case mutate:
		a.response.Warnings = engine.FitWarnings([]string{"lintel: " + why + "; nothing was patched"})
	case warn:
		a.response.Warnings = engine.FitWarnings([]string{"lintel: " + text})
	}
	return a
}

// maxText bounds the text of a status that the engine did not make.
const maxText = 4 << 10

func internalError(text string) *metav1.Status {
	return status(http.StatusInternalServerError, metav1.StatusReasonInternalError, shorten(text))
}

func shorten(text string) string {
	if len(text) > maxText {
		return strings.ToValidUTF8(text[:maxText-len("…")], "") + "…"
	}
	return text
}

func status(code int32, reason metav1.StatusReason, text string) *metav1.Status {
	return &metav1.Status{Status: metav1.StatusFailure, Code: code, Reason: reason, Message: text}
}

// reviewAnswer is what the API server is told of a decision.
func reviewAnswer(d *engine.Decision) answer {
	a := answer{verdict: verdictOf(d), decision: d, left: d.Left}
	a.response.Allowed = d.Allowed()
	a.response.Warnings = d.Warnings()
	if len(d.Errors) > 0 {
		a.reason = "policy"
		a.response.Result = internalError(undecidedText(d))
	}
	if a.verdict == denied {
		a.response.Result = status(http.StatusForbidden, metav1.StatusReasonForbidden, d.Message())
	}
	a.annotate(map[string][]string{
		"revision":   {d.Revision},
		"policies":   d.Evaluated,
		"denied":     enforced(d, v1alpha1.Deny),
		"warned":     enforced(d, v1alpha1.Warn),
		"recorded":   enforced(d, v1alpha1.DryRun),
		"undecided":  names(d.Errors),
		"excused":    excuses(d.Excused),
		"passed":     {d.Passed},
		"would_deny": wouldDeny(d),
	})
	return a
}

// verdictOf sums a decision up. A violation that denies goes before a policy that
// could not decide.
func verdictOf(d *engine.Decision) string {
	switch {
	case len(enforced(d, v1alpha1.Deny)) > 0:
		return denied
	case len(d.Errors) > 0:
		return undecided
	case len(enforced(d, v1alpha1.Warn)) > 0:
		return warned
	}
	return allowed
}

// undecidedText is the text of a decision that some policy could not come to. It
// has none of its own where the request is allowed all the same.
func undecidedText(d *engine.Decision) string {
	if text := d.Message(); text != "" {
		return text
	}
	return "could not be judged by " + strings.Join(names(d.Errors), ", ")
}

// patchAnswer is what the API server is told of a mutation.
func patchAnswer(m *engine.Mutation) answer {
	a := answer{verdict: allowed, left: m.Left}
	a.response.Allowed = true
	warnings := m.Warnings
	for _, e := range m.Errors {
		warnings = append(slices.Clip(warnings), e.Policy+": could not patch: "+e.Err.Error())
	}
	a.response.Warnings = engine.FitWarnings(warnings)
	if len(m.Patch) > 0 {
		a.verdict = patched
		kind := admissionv1.PatchTypeJSONPatch
		a.response.Patch, a.response.PatchType = m.Patch, &kind
	}
	if len(m.Errors) > 0 {
		a.verdict, a.reason = undecided, "policy"
		a.response.Result = internalError("could not be patched by " + strings.Join(names(m.Errors), ", "))
	}
	a.annotate(map[string][]string{
		"revision":  {m.Revision},
		"patched":   m.Policies,
		"recorded":  m.RecordedPolicies,
		"undecided": names(m.Errors),
	})
	return a
}

// enforced returns the names of the policies with a violation of enforcement e.
func enforced(d *engine.Decision, e v1alpha1.Enforcement) []string {
	found := map[string]bool{}
	for i := range d.Violations {
		if d.Violations[i].Enforcement == e {
			found[d.Violations[i].Policy] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

func names(errs []*engine.PolicyError) []string {
	var found []string
	for _, e := range errs {
		found = append(found, e.Policy)
	}
	return found
}

// wouldDeny returns the names of the policies that would have denied if they denied.
func wouldDeny(d *engine.Decision) []string {
	var found []string
	for _, p := range d.WouldDeny {
		found = append(found, p.Policy)
	}
	return found
}

func excuses(excused []engine.Excuse) []string {
	var found []string
	for _, e := range excused {
		found = append(found, e.Policy+"="+e.Exception)
	}
	return found
}

// maxAnnotation bounds the value of an audit annotation, in bytes.
const maxAnnotation = 1 << 10

// annotate tells the audit log and ours which policies did what; what nobody did
// is left out. The API server puts the webhook's name before each key.
func (a *answer) annotate(notes map[string][]string) {
	a.response.AuditAnnotations = map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(notes)) {
		text := strings.Join(notes[key], ",")
		if text == "" {
			continue
		}
		if len(text) > maxAnnotation {
			text = strings.ToValidUTF8(text[:maxAnnotation-len("…")], "") + "…"
		}
		a.response.AuditAnnotations[key] = text
		a.fields = append(a.fields, zap.String(key, text))
	}
}

// write writes the answer and returns the HTTP status code.
func (h *Handler) write(w http.ResponseWriter, r *http.Request, a answer) int {
	if a.refusal != nil {
		return h.refuse(w, r, a.refusal)
	}
	w.Header().Set("Content-Type", "application/json")
	// A client that has gone away is nobody's to tell.
	_, _ = w.Write(a.body)
	return http.StatusOK
}
