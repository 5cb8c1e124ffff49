package webhook

import (
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/lintel-policy/lintel/engine"
)

// A refusal is an HTTP error: what came in is no review, or there is no room for
// it now. Its text repeats nothing of what came in.
type refusal struct {
	code   int
	reason string // for metrics; one of few
	text   string
}

func refuse(code int, reason, format string, args ...any) *refusal {
	return &refusal{code, reason, fmt.Sprintf(format, args...)}
}

// drainLimit and drainTime bound what is read of a body that was refused. The
// rest of it has to be read for the client to get to the answer: it sends
// first, and a connection closed meanwhile is an error without a reason.
const (
	drainLimit = 64 << 20
	drainTime  = time.Second
)

// refuse writes the refusal and returns its code.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, what *refusal) int {
	h.metrics.refused(what)
	h.log.Debug("refused", refusalFields(r, what)...)
	if what.code == http.StatusRequestEntityTooLarge {
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(drainTime))
		_, _ = io.CopyN(io.Discard, r.Body, drainLimit)
	}
	switch what.code {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "1")
	case http.StatusMethodNotAllowed:
		w.Header().Set("Allow", http.MethodPost)
	}
	http.Error(w, "lintel: "+what.text, what.code)
	return what.code
}

// checkHead refuses by what is known before the body.
func (h *Handler) checkHead(r *http.Request, at door) *refusal {
	switch {
	case at == nowhere:
		return refuse(http.StatusNotFound, "path", "nothing is served at this path")
	case r.Method != http.MethodPost:
		return refuse(http.StatusMethodNotAllowed, "method", "the method is not POST")
	case !isJSON(r.Header.Values("Content-Type")):
		return refuse(http.StatusUnsupportedMediaType, "content_type", "the content type is not application/json")
	case !isIdentity(r.Header.Values("Content-Encoding")):
		return refuse(http.StatusUnsupportedMediaType, "content_encoding", "the content is encoded")
	case r.ContentLength == 0:
		return refuse(http.StatusBadRequest, "body", "the body is empty")
	case r.ContentLength > h.maxBody:
		return h.tooLarge()
	}
	return nil
}

func (h *Handler) tooLarge() *refusal {
	return refuse(http.StatusRequestEntityTooLarge, "too_large", "the review is larger than %d bytes", h.maxBody)
}

// isJSON reports whether the content type is application/json, in UTF-8 if it
// says.
func isJSON(types []string) bool {
	if len(types) != 1 {
		return false
	}
	if types[0] == "application/json" {
		return true
	}
	media, params, err := mime.ParseMediaType(types[0])
	if err != nil || media != "application/json" {
		return false
	}
	charset, ok := params["charset"]
	return len(params) == 0 || len(params) == 1 && ok && strings.EqualFold(charset, "utf-8")
}

func isIdentity(encodings []string) bool {
	for _, e := range encodings {
		if !strings.EqualFold(strings.TrimSpace(e), "identity") {
			return false
		}
	}
	return true
}

// decode reads a review. Its first byte has to be that of a JSON object: a
// decoder that also knows YAML is never reached by it, and neither is white space
// without end.
func decode(body []byte, headOnly bool) (_ *engine.Request, what *refusal) {
	if len(body) == 0 || body[0] != '{' {
		return nil, refuse(http.StatusBadRequest, "body", "the body is no JSON object")
	}
	defer func() {
		if recover() != nil {
			what = refuse(http.StatusInternalServerError, "panic", "the review could not be read because of a defect in Lintel")
		}
	}()
	read := engine.Decode
	if headOnly {
		read = engine.DecodeHead
	}
	req, err := read(body)
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "review", "%s", engine.Printable(err.Error()))
	}
	return req, nil
}
