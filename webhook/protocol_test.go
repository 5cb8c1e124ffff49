package webhook_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admission/v1"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/webhook"
)

// many finds ten thousand things wrong with a pod, and says one of them at length.
const many = `# METADATA
# custom: {severity: high, match: {kinds: [{apiGroups: [""], kinds: [Pod]}]}}
package lintel.pods

violation contains {"msg": sprintf("%d is wrong", [i]), "path": ["spec", i]} if some i in numbers.range(1, 9999)

violation contains {"msg": concat("", ["é" | some i in numbers.range(1, 5000)])}
`

// TestAnswersAreBounded holds what the API server takes, and people read.
func TestAnswersAreBounded(t *testing.T) {
	cases := map[string]struct {
		reason      string
		enforcement v1alpha1.Enforcement
	}{
		"Denied": {"However much is wrong, a denial is at most 4 KiB and says how much it leaves out.", v1alpha1.Deny},
		"Warned": {"However much is wrong, warnings fit what an API server shows.", v1alpha1.Warn},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := serve(t, webhook.Config{Timeout: webhook.MaxTimeout, Decider: compile(t, many, v1alpha1.PolicySpec{Enforcement: tc.enforcement})}, 0)
			got := s.post(t, webhook.PathValidate, review("u", strings.Repeat("n", 5<<10)))
			res := got.response(t)
			if len(got.body) > 8<<10 {
				t.Errorf("%s\nthe answer has %d bytes", tc.reason, len(got.body))
			}
			if tc.enforcement == v1alpha1.Warn {
				assertWarnings(t, tc.reason, res)
				return
			}
			if res.Allowed || len(res.Result.Message) > 4<<10 || !strings.Contains(res.Result.Message, " more") || !strings.Contains(res.Result.Message, "10000 violations") {
				t.Errorf("%s\ngot %d bytes: %s", tc.reason, len(res.Result.Message), res.Result.Message)
			}
		})
	}
}

func assertWarnings(t *testing.T, reason string, res *admissionv1.AdmissionResponse) {
	t.Helper()
	total := 0
	for _, w := range res.Warnings {
		total += len(w)
		if len(w) > 240 {
			t.Errorf("%s\na warning has %d bytes: %s", reason, len(w), w)
		}
	}
	if n := len(res.Warnings); !res.Allowed || total > 3500 || n < 2 || !strings.HasSuffix(res.Warnings[n-1], " more") {
		t.Errorf("%s\ngot %d warnings of %d bytes: %q", reason, n, total, res.Warnings)
	}
}

// hostile is text that breaks lines, terminals, formats and pages.
const hostile = "a\nb\r\x1b[31mred\x1b[0m\u202egnp.\u2066\u200b\u2028\x00\x7f\u009b%s%n<script>&\"\\"

// TestHostileText sends such text in each place that answers or logs repeat.
func TestHostileText(t *testing.T) {
	t.Parallel()
	const says = `# METADATA
# custom: {severity: high, match: {kinds: [{apiGroups: ["*"], kinds: ["*"]}]}}
package lintel.pods

violation contains {"msg": text, "path": ["metadata", text], "fix": text} if some text in input.review.object.metadata.annotations

patch contains {"path": ["metadata", "labels", text], "value": text} if some text in input.review.object.metadata.annotations
`
	log := &syncBuffer{}
	for _, enforcement := range []v1alpha1.Enforcement{v1alpha1.Deny, v1alpha1.Warn} {
		s := serve(t, webhook.Config{Decider: compile(t, says, v1alpha1.PolicySpec{Enforcement: enforcement}), Log: jsonLog(log)}, 0)
		for _, old := range []string{"s3cr3t", "shop", `"name":"good"`, "ann", "pods", `"kind":"Pod"`, `"version":"v1"`, "CREATE"} {
			body := strings.Replace(review("u", "good"), `"s3cr3t"`, quoteJSON(hostile), 1)
			body = strings.ReplaceAll(body, old, strings.Replace(old, strings.Trim(old[strings.LastIndex(old, ":")+1:], `"`), strings.Trim(quoteJSON(hostile), `"`), 1))
			for _, path := range webhook.Paths() {
				got := s.post(t, path, body)
				if text := strings.ReplaceAll(said(t, got), "\n", ""); strings.ContainsFunc(text, isHostile) {
					t.Errorf("%s with %q replaced: the answer has characters that a terminal obeys: %q", path, old, text)
				}
			}
		}
	}
	for line := range strings.Lines(log.String()) {
		var record map[string]any
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatalf("the log has a line that is no JSON: %q", line)
		}
		if strings.ContainsFunc(strings.TrimSuffix(line, "\n"), isHostile) {
			t.Fatalf("the log has characters that a terminal obeys: %q", line)
		}
	}
}

// said returns what a person reads of an answer.
func said(t *testing.T, got answer) string {
	t.Helper()
	if got.code != http.StatusOK {
		return got.body
	}
	res := got.response(t)
	text := strings.Join(res.Warnings, "")
	if strings.Contains(text, "\n") {
		t.Errorf("a warning has more than one line: %q", res.Warnings)
	}
	for _, note := range res.AuditAnnotations {
		text += note
	}
	if res.Result != nil {
		text += res.Result.Message
	}
	return text
}

func isHostile(r rune) bool {
	return r < ' ' || r >= 0x7f && r < 0xa0 || strings.ContainsRune("\u202e\u2066\u200b\u2028\ufffd", r)
}

// TestSeriesAreFixed sends ten thousand reviews that differ in all that a request
// can say.
func TestSeriesAreFixed(t *testing.T) {
	registry := prometheus.NewRegistry()
	handler, err := webhook.New(webhook.Config{Metrics: registry, Decider: compile(t, pods, v1alpha1.PolicySpec{})})
	if err != nil {
		t.Fatalf("New(...): %v", err)
	}
	one := func(i int) {
		varied := strings.NewReplacer("shop", fmt.Sprintf("shop-%d", i), `"ann"`, fmt.Sprintf(`"ann-%d"`, i), `"pods"`, fmt.Sprintf(`"pods%d"`, i))
		body := varied.Replace(review(fmt.Sprintf("u-%d", i), "good"))
		if i > 0 {
			body = strings.ReplaceAll(body, `"Pod"`, fmt.Sprintf(`"Pod%d"`, i))
		}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, fmt.Sprintf("/validate?timeout=%ds", 1+i), strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		switch i % 8 {
		case 1:
			r.URL.Path = fmt.Sprintf("/validate/%d", i)
		case 2:
			r.Method = fmt.Sprintf("GET%d", i)
		case 3:
			r.Body = io.NopCloser(strings.NewReader(fmt.Sprintf("{%d", i)))
		}
		handler.ServeHTTP(httptest.NewRecorder(), r)
	}
	for i := range 8 {
		one(i)
	}
	before := series(t, registry)
	for i := range 10_000 {
		one(i)
	}
	if after := series(t, registry); after != before || before > 50 {
		t.Errorf("series: %d after eight requests, %d after ten thousand, want the same and no more than 50", before, after)
	}
}

// series returns how many series there are.
func series(t *testing.T, registry *prometheus.Registry) int {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatalf("Gather(): %v", err)
	}
	n := 0
	for _, f := range families {
		n += len(f.Metric)
	}
	return n
}

// TestReplay sends the same bytes again and again, and at once.
func TestReplay(t *testing.T) {
	t.Parallel()
	s := serve(t, webhook.Config{MaxConcurrent: 100, Decider: compile(t, pods, v1alpha1.PolicySpec{})}, 0)
	for _, path := range webhook.Paths() {
		first := s.post(t, path, review("u", "bad"))
		var group sync.WaitGroup
		for range 50 {
			group.Go(func() {
				if got := s.post(t, path, review("u", "bad")); got.code != first.code || got.body != first.body {
					t.Errorf("%s: the same request was answered otherwise: %d %s, before %d %s", path, got.code, got.body, first.code, first.body)
				}
			})
		}
		group.Wait()
	}
}

// TestPanicOfOnePolicy has a number over which OPA panics, in requests that are
// judged on the goroutine of their caller and on one of their own.
func TestPanicOfOnePolicy(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	panics := pods[:strings.Index(pods, "package")] + `package lintel.panics

violation contains {"msg": "m"} if input.review.object.spec.number > 0.5
`
	set, err := engine.Compile(engine.Config{Policies: []engine.Policy{
		{Name: "panics", Modules: []v1alpha1.Module{{Name: "panics.rego", Rego: panics}}},
		{Name: "pods", Modules: []v1alpha1.Module{{Name: "pods.rego", Rego: pods}}},
	}})
	if err != nil {
		t.Fatalf("Compile(...): %v", err)
	}
	s := serve(t, webhook.Config{Decider: live{set}, Metrics: registry}, 0)
	for name, pad := range map[string]int{"Small": 1, "Large": 20_000} {
		body := strings.Replace(review("u", "bad"), `"metadata"`, `"spec":{"number":1e-2000000,"pad":"`+strings.Repeat("y", pad)+`"},"metadata"`, 1)
		res := s.post(t, webhook.PathDeny, body).response(t)
		if res.UID != "u" || res.Allowed || res.Result.Code != http.StatusForbidden ||
			!strings.Contains(res.Result.Message, `the name is "bad"`) || !strings.Contains(res.Result.Message, "panics  could not decide: the evaluator panicked") {
			t.Errorf("%s: want what the other policy found, and that one panicked, got %+v", name, res.Result)
		}
		if res := s.post(t, webhook.PathMutate, body).response(t); res.UID != "u" || len(res.Patch) == 0 {
			t.Errorf("%s: want the patch of the other policy, got %+v", name, res)
		}
	}
	if got := value(t, registry, "lintel_webhook_errors_total"); got != 2 {
		t.Errorf("lintel_webhook_errors_total: want 2, got %v", got)
	}
}

// TestFlood sends five thousand valid requests at once.
func TestFlood(t *testing.T) {
	const queue = 100
	registry := prometheus.NewRegistry()
	set := compile(t, pods, v1alpha1.PolicySpec{})
	s := serveWith(t, webhook.Config{MaxConcurrent: 4, MaxQueue: queue, Metrics: registry, Decider: webhook.Funcs{
		ReviewFunc: func(ctx context.Context, part engine.Part, req *engine.Request) (*engine.Decision, error) {
			time.Sleep(time.Millisecond)
			return set.Review(ctx, part, req)
		},
	}}, webhook.ServerConfig{IOTimeout: time.Minute}) // on a busy machine, it takes that long to send all
	// As many connections as it takes for a thousand requests on each, which are open.
	clients := make([]*served, 5)
	for i := range clients {
		clients[i] = newClient(s.address, s.authority)
		clients[i].do(t, http.MethodGet, "/", nil, nil)
	}
	var group sync.WaitGroup
	var mu sync.Mutex
	got := map[int]int{}
	for i := range 5000 {
		name := []string{"good", "bad"}[i%2]
		group.Go(func() {
			a := clients[i%len(clients)].post(t, webhook.PathValidate+"?timeout=9s", review("u", name))
			switch a.code {
			case http.StatusOK:
				if res := a.response(t); res.Allowed && name == "bad" {
					t.Errorf("what is denied otherwise was allowed: %s", a.body)
				}
			case http.StatusTooManyRequests:
				if a.header.Get("Retry-After") != "1" || strings.Contains(a.body, "allowed") {
					t.Errorf("429: want Retry-After and no verdict, got %v %s", a.header, a.body)
				}
			case http.StatusRequestTimeout:
			default:
				t.Errorf("got %d %s", a.code, a.body)
			}
			mu.Lock()
			defer mu.Unlock()
			got[a.code]++
		})
	}
	longest := 0.0
	flooded := make(chan struct{})
	go func() {
		group.Wait()
		close(flooded)
	}()
	for running := true; running; {
		select {
		case <-flooded:
			running = false
		case <-time.After(2 * time.Millisecond):
			longest = max(longest, value(t, registry, "lintel_webhook_queue_length"))
		}
	}
	if got[http.StatusOK] == 0 || got[http.StatusTooManyRequests] == 0 || longest > queue+1 || longest == 0 {
		t.Errorf("want some answers, some 429 and a queue of at most %d: got %v and %v", queue, got, longest)
	}
	await(t, "all that was held is given back", func() bool {
		return value(t, registry, "lintel_webhook_queue_length")+value(t, registry, "lintel_webhook_running")+value(t, registry, "lintel_webhook_inflight_bytes") == 0
	})
	for range 10 {
		if a := s.post(t, webhook.PathValidate, review("u", "good")); a.code != http.StatusOK {
			t.Errorf("after the flood: want 200, got %d", a.code)
		}
	}
	if diff := cmp.Diff(float64(got[http.StatusTooManyRequests]), value(t, registry, "lintel_webhook_shed_total")); diff != "" {
		t.Errorf("lintel_webhook_shed_total: -want, +got:\n%s", diff)
	}
}
