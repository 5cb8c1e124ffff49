package webhook_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	admissionv1 "k8s.io/api/admission/v1"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/certs"
	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/webhook"
)

// pods is a policy that denies a pod that is called "bad", warns nobody, and
// labels every pod.
const pods = `# METADATA
# title: Pods
# custom:
#   severity: high
#   category: reliability
#   enforcement: deny
#   match:
#     kinds: [{apiGroups: [""], kinds: [Pod]}]
package lintel.pods

violation contains {"msg": sprintf("the name is %q", [name]), "path": ["metadata", "name"]} if {
	name := input.review.object.metadata.name
	name == "bad"
}

patch contains {"path": ["metadata", "labels", "seen"], "value": "yes"}
`

// A live decides by one Set.
type live struct{ set *engine.Set }

func (l live) Review(ctx context.Context, part engine.Part, req *engine.Request) (*engine.Decision, error) {
	return l.set.Part(part).Review(ctx, req, nil)
}

func (l live) Patch(ctx context.Context, req *engine.Request) (*engine.Mutation, error) {
	return l.set.Patch(ctx, req, nil)
}

func (l live) Undecided(part engine.Part, req *engine.Request, err error) *engine.Decision {
	return l.set.Part(part).Undecided(req, err)
}

func compile(t *testing.T, rego string, spec v1alpha1.PolicySpec) live {
	t.Helper()
	set, err := engine.Compile(engine.Config{Policies: []engine.Policy{{
		Name: "pods", Modules: []v1alpha1.Module{{Name: "pods.rego", Rego: rego}}, Spec: spec,
	}}})
	if err != nil {
		t.Fatalf("Compile(...): %v", err)
	}
	return live{set}
}

// review is an AdmissionReview that creates a pod.
func review(uid, name string) string {
	return fmt.Sprintf(`{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":%q,`+
		`"kind":{"group":"","version":"v1","kind":"Pod"},"resource":{"group":"","version":"v1","resource":"pods"},`+
		`"name":%q,"namespace":"shop","operation":"CREATE","userInfo":{"username":"ann"},`+
		`"object":{"apiVersion":"v1","kind":"Pod","metadata":{"name":%q,"namespace":"shop","annotations":{"canary":"s3cr3t"}}},"oldObject":null}}`,
		uid, name, name)
}

// A served is a Server with a Handler, and a client that trusts it.
type served struct {
	address   string
	client    *http.Client
	authority []byte // its certificate
	roots     *x509.CertPool
	cancel    context.CancelFunc
	done      chan error
	server    *webhook.Server
}

// serve starts a server for cfg on a port of loopback. It is stopped when the
// test ends, if not before.
func serve(t *testing.T, cfg webhook.Config, lameDuck time.Duration) *served {
	t.Helper()
	return serveWith(t, cfg, webhook.ServerConfig{LameDuck: lameDuck})
}

// serveWith is serve with more said about the server.
func serveWith(t *testing.T, cfg webhook.Config, server webhook.ServerConfig) *served {
	t.Helper()
	s, err := start(t.Context(), cfg, server)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.client.CloseIdleConnections()
		s.cancel()
	})
	return s
}

// start makes all that a server needs, and starts it.
func start(ctx context.Context, cfg webhook.Config, with webhook.ServerConfig) (*served, error) {
	authority, err := certs.NewAuthority(time.Now(), time.Hour)
	if err != nil {
		return nil, err
	}
	pair, err := authority.Issue([]string{"127.0.0.1"}, time.Now(), time.Hour)
	if err != nil {
		return nil, err
	}
	source, err := certs.NewSource(pair, time.Now())
	if err != nil {
		return nil, err
	}
	handler, err := webhook.New(cfg)
	if err != nil {
		return nil, err
	}
	if with.Listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, err
	}
	with.GetCertificate, with.Grace = source.GetCertificate, 3*time.Second
	server, err := webhook.NewServer(with)
	if err != nil {
		return nil, err
	}
	for _, path := range webhook.Paths() {
		server.Register(path, handler)
	}
	server.Register(webhook.PathOwn, handler)
	ctx, cancel := context.WithCancel(ctx)
	s := newClient(with.Listener.Addr().String(), authority.Pair().Certificate)
	s.cancel, s.done, s.server = cancel, make(chan error, 1), server
	go func() { s.done <- server.Start(ctx) }()
	return s, nil
}

// newClient returns a client of what is served at address with a certificate of authority.
func newClient(address string, authority []byte) *served {
	s := &served{address: address, authority: authority, roots: x509.NewCertPool()}
	s.roots.AppendCertsFromPEM(authority)
	s.client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.roots}, ForceAttemptHTTP2: true}}
	return s
}

// An answer is what a client gets.
type answer struct {
	code   int
	header http.Header
	body   string
}

// response reads the AdmissionReview in an answer.
func (a answer) response(t *testing.T) *admissionv1.AdmissionResponse {
	t.Helper()
	var review admissionv1.AdmissionReview
	decoder := json.NewDecoder(strings.NewReader(a.body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&review); err != nil {
		t.Fatalf("answer %d %q is no AdmissionReview: %v", a.code, a.body, err)
	}
	if review.APIVersion != "admission.k8s.io/v1" || review.Kind != "AdmissionReview" || review.Response == nil {
		t.Fatalf("answer is no AdmissionReview of v1 with a response: %s", a.body)
	}
	return review.Response
}

func (s *served) do(t *testing.T, method, path string, header map[string]string, body io.Reader) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "https://"+s.address+path, body)
	if err != nil {
		t.Fatalf("NewRequest(%s, %q): %v", method, path, err)
	}
	req.Header.Set("Content-Type", "application/json")
	for k, v := range header {
		req.Header.Set(k, v)
	}
	res, err := s.client.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("read answer of %s %s: %v", method, path, err)
	}
	return answer{res.StatusCode, res.Header, string(got)}
}

func (s *served) post(t *testing.T, path, body string) answer {
	t.Helper()
	return s.do(t, http.MethodPost, path, nil, strings.NewReader(body))
}

func TestDecisions(t *testing.T) {
	broken := strings.Replace(pods, `name == "bad"`, `1 / (count(name) - 3) == 1`, 1)
	cases := map[string]struct {
		reason  string
		rego    string
		spec    v1alpha1.PolicySpec
		path    string
		name    string
		allowed bool
		code    int32
		status  string
		message string // part of the status message
		warning string // part of a warning
		patch   string
		notes   map[string]string
	}{
		"Denied": {
			reason: "A violation denies, and the message says everything.",
			path:   webhook.PathValidate, name: "bad", code: 403, status: "Forbidden",
			message: "Pod shop/bad breaks 1 policy (1 violation):\n  pods  metadata.name: the name is \"bad\"\npolicies ",
			notes:   map[string]string{"policies": "pods", "denied": "pods"},
		},
		"Allowed": {
			reason: "An object with nothing wrong passes, and the audit log says who was asked.",
			path:   webhook.PathValidate, name: "good", allowed: true,
			notes: map[string]string{"policies": "pods"},
		},
		"Warned": {
			reason: "A policy that warns lets pass, with a warning.",
			spec:   v1alpha1.PolicySpec{Enforcement: v1alpha1.Warn},
			path:   webhook.PathValidate, name: "bad", allowed: true, warning: "pods: metadata.name: the name is \"bad\"",
			notes: map[string]string{"policies": "pods", "warned": "pods", "would_deny": "pods"},
		},
		"Recorded": {
			reason: "A policy on trial lets pass and tells only the audit log.",
			spec:   v1alpha1.PolicySpec{Enforcement: v1alpha1.DryRun},
			path:   webhook.PathValidate, name: "bad", allowed: true,
			notes: map[string]string{"policies": "pods", "recorded": "pods", "would_deny": "pods"},
		},
		"Undecided": {
			reason: "A policy that cannot decide denies, with another code than a violation.",
			rego:   broken, path: webhook.PathValidate, name: "bad", code: 500, status: "InternalError",
			message: "Pod shop/bad could not be judged:\n  pods  could not decide: ",
			notes:   map[string]string{"policies": "pods", "undecided": "pods"},
		},
		"UndecidedAllowed": {
			reason: "A policy whose onError is allow lets pass what it cannot decide, and says so.",
			rego:   broken, spec: v1alpha1.PolicySpec{OnError: v1alpha1.OnErrorAllow},
			path: webhook.PathValidate, name: "bad", allowed: true, code: 500, status: "InternalError",
			message: "could not be judged by pods", warning: "pods: could not decide: ",
			notes: map[string]string{"policies": "pods", "undecided": "pods"},
		},
		"Patched": {
			reason: "A patch comes as a JSON Patch.",
			path:   webhook.PathMutate, name: "bad", allowed: true,
			patch: `[{"op":"add","path":"/metadata/labels","value":{"seen":"yes"}}]`,
			notes: map[string]string{"patched": "pods"},
		},
		"PatchRecorded": {
			reason: "A patch of a policy on trial is recorded and not made.",
			spec:   v1alpha1.PolicySpec{Enforcement: v1alpha1.Warn},
			path:   webhook.PathMutate, name: "bad", allowed: true,
			notes: map[string]string{"recorded": "pods"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			decider := compile(t, cmp.Or(tc.rego, pods), tc.spec)
			s := serve(t, webhook.Config{Decider: decider}, 0)
			got := s.post(t, tc.path+"?timeout=3s", review("u-1", tc.name))
			if got.code != http.StatusOK {
				t.Fatalf("%s\nPOST: code %d, body %s", tc.reason, got.code, got.body)
			}
			res := got.response(t)
			if res.UID != "u-1" || res.Allowed != tc.allowed {
				t.Errorf("%s\nuid %q, allowed %t: want u-1, %t", tc.reason, res.UID, res.Allowed, tc.allowed)
			}
			if tc.code == 0 && res.Result != nil {
				t.Errorf("%s\nstatus: want none, got %+v", tc.reason, res.Result)
			}
			if tc.code != 0 && (res.Result == nil || res.Result.Code != tc.code || string(res.Result.Reason) != tc.status || !strings.HasPrefix(res.Result.Message, tc.message)) {
				t.Errorf("%s\nstatus: want %d %s %q, got %+v", tc.reason, tc.code, tc.status, tc.message, res.Result)
			}
			if warnings := strings.Join(res.Warnings, "\n"); !strings.HasPrefix(warnings, tc.warning) || (tc.warning == "") != (warnings == "") {
				t.Errorf("%s\nwarnings: want %q, got %q", tc.reason, tc.warning, warnings)
			}
			if diff := gocmp.Diff(tc.patch, string(res.Patch)); diff != "" {
				t.Errorf("%s\npatch: -want, +got:\n%s", tc.reason, diff)
			}
			if (res.PatchType != nil) != (tc.patch != "") {
				t.Errorf("%s\npatchType: %v", tc.reason, res.PatchType)
			}
			tc.notes["revision"] = decider.set.Revision()
			if diff := gocmp.Diff(tc.notes, res.AuditAnnotations); diff != "" {
				t.Errorf("%s\naudit annotations: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	var called atomic.Int64
	s := serve(t, webhook.Config{MaxBody: 1 << 20, Decider: webhook.Funcs{
		ReviewFunc: func(context.Context, engine.Part, *engine.Request) (*engine.Decision, error) {
			called.Add(1)
			return &engine.Decision{}, nil
		},
		PatchFunc: func(context.Context, *engine.Request) (*engine.Mutation, error) {
			called.Add(1)
			return &engine.Mutation{}, nil
		},
	}}, 0)
	good := review("u-1", "good")
	without := func(field string) string { return strings.Replace(good, `"`+field+`"`, `"x"`, 1) }
	cases := map[string]struct {
		reason string
		method string
		path   string
		header map[string]string
		body   string
		want   int
	}{
		"Good":            {reason: "A review is answered.", body: good, want: 200},
		"GoodCharset":     {reason: "UTF-8 may be said.", header: map[string]string{"Content-Type": "application/json; charset=UTF-8"}, body: good, want: 200},
		"GoodIdentity":    {reason: "Identity is no encoding.", header: map[string]string{"Content-Encoding": "identity"}, body: good, want: 200},
		"GoodTimeout":     {reason: "The API server says how long it waits.", path: "/validate?timeout=10s", body: good, want: 200},
		"GET":             {reason: "A review is posted.", method: "GET", want: 405},
		"HEAD":            {reason: "A review is posted.", method: "HEAD", want: 405},
		"OPTIONS":         {reason: "A review is posted.", method: "OPTIONS", want: 405},
		"TRACE":           {reason: "A review is posted.", method: "TRACE", want: 405},
		"PUT":             {reason: "A review is posted.", method: "PUT", body: good, want: 405},
		"Root":            {reason: "Nothing is served at the root.", path: "/", body: good, want: 404},
		"OtherPath":       {reason: "Nothing is served elsewhere.", path: "/validate/all", body: good, want: 404},
		"Metrics":         {reason: "Metrics have a port of their own.", method: "GET", path: "/metrics", want: 404},
		"Pprof":           {reason: "Nobody looks into the process.", method: "GET", path: "/debug/pprof/", want: 404},
		"Vars":            {reason: "Nobody looks into the process.", method: "GET", path: "/debug/vars", want: 404},
		"Health":          {reason: "Probes have a port of their own.", method: "GET", path: "/healthz", want: 404},
		"BadPath":         {reason: "Text of no encoding is no path.", path: "/validate%ff", body: good, want: 404},
		"DoubleSlash":     {reason: "No redirect to another path.", path: "//validate", body: good, want: 404},
		"DotDot":          {reason: "No redirect to another path.", path: "/a/../validate", body: good, want: 404},
		"NoType":          {reason: "The type has to be said.", header: map[string]string{"Content-Type": ""}, body: good, want: 415},
		"YAMLType":        {reason: "YAML is not read.", header: map[string]string{"Content-Type": "application/yaml"}, body: good, want: 415},
		"OtherCharset":    {reason: "JSON is UTF-8.", header: map[string]string{"Content-Type": "application/json; charset=latin1"}, body: good, want: 415},
		"MoreParameters":  {reason: "No other parameter is known.", header: map[string]string{"Content-Type": "application/json; q=1"}, body: good, want: 415},
		"Multipart":       {reason: "Forms are not read.", header: map[string]string{"Content-Type": "multipart/form-data; boundary=x"}, body: good, want: 415},
		"Gzip":            {reason: "Nothing is inflated.", header: map[string]string{"Content-Encoding": "gzip"}, body: "\x1f\x8b", want: 415},
		"Zstd":            {reason: "Nothing is inflated.", header: map[string]string{"Content-Encoding": "zstd"}, body: good, want: 415},
		"TwoEncodings":    {reason: "Nothing is inflated.", header: map[string]string{"Content-Encoding": "identity, gzip"}, body: good, want: 415},
		"BadTimeout":      {reason: "A timeout that is none is a mistake.", path: "/validate?timeout=soon", body: good, want: 400},
		"NegativeTimeout": {reason: "Time does not run backwards.", path: "/validate?timeout=-1s", body: good, want: 400},
		"Empty":           {reason: "An empty body is no review.", want: 400},
		"EmptyObject":     {reason: "An empty object is no review.", body: "{}", want: 400},
		"Array":           {reason: "An array is no review.", body: "[" + good + "]", want: 400},
		"WhiteSpace":      {reason: "The first byte is that of an object.", body: " " + good, want: 400},
		"BOM":             {reason: "The first byte is that of an object.", body: "\ufeff" + good, want: 400},
		"YAML":            {reason: "YAML is not read, whatever the type says.", body: "apiVersion: admission.k8s.io/v1\nkind: AdmissionReview\n", want: 400},
		"AliasBomb":       {reason: "YAML is not read, whatever the type says.", body: "a: &a [x,x]\nb: [*a,*a]\n", want: 400},
		"NullRequest":     {reason: "There has to be a request.", body: `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":null}`, want: 400},
		"OtherKind":       {reason: "A Pod is no review.", body: strings.Replace(good, "AdmissionReview", "Pod", 1), want: 400},
		"V1beta1":         {reason: "Only v1 is answered.", body: strings.Replace(good, "k8s.io/v1", "k8s.io/v1beta1", 1), want: 400},
		"V2":              {reason: "Only v1 is answered.", body: strings.Replace(good, "k8s.io/v1", "k8s.io/v2", 1), want: 400},
		"WrongCase":       {reason: "Keys are spelt as they are.", body: strings.Replace(good, `"request"`, `"Request"`, 1), want: 400},
		"NoUID":           {reason: "Without a uid no answer can be told from another.", body: without("uid"), want: 400},
		"NoOperation":     {reason: "Without an operation nothing can be decided.", body: without("operation"), want: 400},
		"NoKind":          {reason: "Without a kind nothing can be decided.", body: strings.Replace(good, `"kind":{`, `"x":{`, 1), want: 400},
		"Half":            {reason: "Half a review is none.", body: good[:len(good)/2], want: 400},
		"TwoReviews":      {reason: "Two reviews are none.", body: good + good, want: 400},
		"Deep":            {reason: "A body nested beyond all use is refused and not recursed into.", body: strings.Replace(good, `"oldObject":null`, `"oldObject":`+strings.Repeat(`{"a":`, 100_000)+"1"+strings.Repeat("}", 100_000), 1), want: 400},
		"TooLarge":        {reason: "A body beyond the limit is refused.", body: good + strings.Repeat(" ", 1<<20), want: 413},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if tc.method == "" {
				tc.method = http.MethodPost
			}
			paths := []string{tc.path}
			if tc.path == "" {
				paths = webhook.Paths()
			}
			for _, path := range paths {
				called.Store(0)
				got := s.do(t, tc.method, path, tc.header, strings.NewReader(tc.body))
				if got.code != tc.want {
					t.Errorf("%s\n%s: code: want %d, got %d: %s", tc.reason, path, tc.want, got.code, got.body)
				}
				if isOK := tc.want == http.StatusOK; isOK != (called.Load() == 1) {
					t.Errorf("%s\n%s: the decider was called %d times", tc.reason, path, called.Load())
				}
				if tc.want != http.StatusOK {
					assertRefusal(t, tc.reason, tc.method, got)
				}
			}
		})
	}
}

// assertRefusal holds that a refusal says why, decides nothing and repeats nothing.
func assertRefusal(t *testing.T, reason, method string, got answer) {
	t.Helper()
	for _, never := range []string{"allowed", "s3cr3t", "u-1", "%ff", "\xff"} {
		if strings.Contains(got.body, never) {
			t.Errorf("%s\nthe refusal repeats what came in, or decides: %s", reason, got.body)
		}
	}
	if method != http.MethodHead && !strings.HasPrefix(got.body, "lintel: ") {
		t.Errorf("%s\nthe refusal gives no reason: %q", reason, got.body)
	}
}

// TestTooLargeWithoutLength holds that a client gets to the answer, which it
// reads when it has sent all that it has.
func TestTooLargeWithoutLength(t *testing.T) {
	s := serve(t, webhook.Config{Decider: compile(t, pods, v1alpha1.PolicySpec{}), MaxBody: 1 << 20}, 0)
	for protocol, client := range map[string]*served{"HTTP/2": s, "HTTP/1.1": s.onlyHTTP1()} {
		for range 5 {
			body := io.MultiReader(strings.NewReader(review("u", "x")), bytes.NewReader(bytes.Repeat([]byte(" "), 20<<20)))
			got := client.do(t, http.MethodPost, webhook.PathValidate, nil, body)
			if got.code != http.StatusRequestEntityTooLarge || !strings.Contains(got.body, "larger than") {
				t.Errorf("%s: a body of unknown length beyond the limit: want 413 and why, got %d %q", protocol, got.code, got.body)
			}
		}
	}
}

// onlyHTTP1 returns a client that speaks HTTP/1.1.
func (s *served) onlyHTTP1() *served {
	return &served{address: s.address, client: &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.roots, NextProtos: []string{"http/1.1"}}}}}
}

// unruly answers in ways that a decider should not.
func unruly(do func(context.Context) error) webhook.Funcs {
	return webhook.Funcs{
		ReviewFunc: func(ctx context.Context, _ engine.Part, _ *engine.Request) (*engine.Decision, error) {
			return nil, do(ctx)
		},
		PatchFunc: func(ctx context.Context, _ *engine.Request) (*engine.Mutation, error) {
			return nil, do(ctx)
		},
	}
}

func TestUndecided(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	cases := map[string]struct {
		reason string
		do     func(context.Context) error
		want   string
		within time.Duration
	}{
		"Error": {
			reason: "A decider that cannot decide refuses what is validated.",
			do:     func(context.Context) error { return errors.New("read namespace: \x1b[31mgone") },
			want:   `Pod shop/good could not be judged: read namespace: \x1b[31mgone`,
		},
		"Panic": {
			reason: "A panic is answered, and its value is nobody's to read.",
			do:     func(context.Context) error { panic("s3cr3t") },
			want:   "Pod shop/good could not be judged: a defect in Lintel kept it from deciding",
		},
		"Deadline": {
			reason: "A decider that stops at its deadline is answered for.",
			do: func(ctx context.Context) error {
				<-ctx.Done()
				return fmt.Errorf("review: %w", ctx.Err())
			},
			want: "Pod shop/good could not be judged: no decision was reached in time", within: 3 * time.Second,
		},
		"Endless": {
			reason: "A decider that does not stop is answered for by the deadline.",
			do: func(context.Context) error {
				<-release
				return nil
			},
			want: "Pod shop/good could not be judged: no decision was reached in time", within: 3 * time.Second,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			log := &syncBuffer{}
			s := serve(t, webhook.Config{Decider: unruly(tc.do), Log: jsonLog(log)}, 0)
			s.do(t, http.MethodGet, "/", nil, nil) // so that no handshake is measured
			for path, allowed := range map[string]bool{webhook.PathValidate: false, webhook.PathMutate: true} {
				began := time.Now()
				got := s.post(t, path+"?timeout=3s", review("u-2", "good"))
				took := time.Since(began)
				res := got.response(t)
				if got.code != 200 || res.UID != "u-2" || res.Allowed != allowed {
					t.Errorf("%s\n%s: code %d, uid %q, allowed %t; want 200, u-2, %t", tc.reason, path, got.code, res.UID, res.Allowed, allowed)
				}
				if res.Result == nil || res.Result.Code != 500 || res.Result.Message != tc.want {
					t.Errorf("%s\n%s: status: want 500 %q, got %+v", tc.reason, path, tc.want, res.Result)
				}
				if tc.within > 0 && took >= tc.within {
					t.Errorf("%s\n%s: took %s, when the API server waits for %s", tc.reason, path, took, tc.within)
				}
				if strings.Contains(got.body, "s3cr3t") {
					t.Errorf("%s\n%s: the answer has what the panic had: %s", tc.reason, path, got.body)
				}
			}
			if strings.Contains(log.String(), "s3cr3t") {
				t.Errorf("%s\nthe log has what it must not have: %s", tc.reason, log)
			}
			if n := strings.Count(log.String(), `"msg":"reviewed"`); n != 2 {
				t.Errorf("%s\nlog: want 2 records of decisions, got %d:\n%s", tc.reason, n, log)
			}
		})
	}
}

func TestNotReady(t *testing.T) {
	s := serve(t, webhook.Config{Decider: unruly(func(context.Context) error {
		return fmt.Errorf("%w: reading", webhook.ErrNotReady)
	})}, 0)
	got := s.post(t, webhook.PathValidate, review("u-3", "good"))
	if got.code != http.StatusServiceUnavailable || got.header.Get("Retry-After") != "1" {
		t.Errorf("before there are policies: want 503 and Retry-After, got %d %v", got.code, got.header)
	}
}

func TestRecord(t *testing.T) {
	log := &syncBuffer{}
	s := serve(t, webhook.Config{Decider: compile(t, pods, v1alpha1.PolicySpec{}), Log: jsonLog(log)}, 0)
	s.post(t, webhook.PathValidate, review("u-4", "bad"))
	var got map[string]any
	if err := json.Unmarshal([]byte(log.String()), &got); err != nil {
		t.Fatalf("the log is not one record: %v\n%s", err, log)
	}
	for _, key := range []string{"level", "ts", "took", "queued", "bytes", "revision"} {
		if got[key] == nil {
			t.Errorf("record: %q is missing", key)
		}
		delete(got, key)
	}
	want := map[string]any{
		"msg": "reviewed", "uid": "u-4", "door": "validate", "verdict": "denied", "allowed": false, "operation": "CREATE",
		"group": "", "version": "v1", "kind": "Pod", "resource": "pods", "subresource": "", "namespace": "shop", "name": "bad",
		"user": "ann", "dry_run": false, "policies": "pods", "denied": "pods",
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("record: -want, +got:\n%s", diff)
	}
}

func jsonLog(to io.Writer) *zap.Logger {
	return zap.New(newCore(to))
}
