package webhook_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/policies"
	"github.com/lintel-policy/lintel/webhook"
)

// canary stands for a secret. What is derived from it would be as bad.
const canary = "tUqu3-canary-0f2e"

// faults are rules that fail over values that hold the canary, by what becomes of them.
var faults = map[string]string{
	"errs":      `violation contains {"msg": "m"} if to_number(secret) > 1`,
	"conflicts": "violation contains {\"msg\": \"m\"} if two > 1\n\ntwo := secret\n\ntwo := count(secret)",
	"nomsg":     `violation contains {"details": secret}`,
	"nopath":    `violation contains {"msg": "m", "path": secret}`,
	"panics":    `violation contains {"msg": "m"} if [secret, input.review.object.spec.number] > [secret, 0.5]`,
	"zlate":     `violation contains {"msg": "m"} if count([1 | some i in numbers.range(1, 5000); input.review.kind.kind == "Pod"; some j in numbers.range(1, 5000); sprintf("%s%d%d", [secret, i, j]) == ""]) > 0`,
	"patches":   `patch contains {"path": ["spec", "x"], "value": to_number(secret)}`,
	"nochange":  `patch contains {"path": secret, "value": 1}`,
}

// faulty returns the library with the faults among it.
func faulty(t *testing.T) live {
	t.Helper()
	library, err := policies.Embedded()
	if err != nil {
		t.Fatalf("Embedded(): %v", err)
	}
	for name, rules := range faults {
		module := "package lintel." + name + "\n\nsecret := input.review.object.metadata.annotations.secret\n\n" + rules
		library = append(library, engine.Policy{Name: name, FreePackage: true, Modules: []v1alpha1.Module{{Name: name + ".rego", Rego: module}},
			Spec: v1alpha1.PolicySpec{Match: &v1alpha1.Match{Kinds: []v1alpha1.Kinds{{APIGroups: []string{"*"}, Kinds: []string{"*"}}}}}})
	}
	set, err := engine.Compile(engine.Config{Policies: library})
	if err != nil {
		t.Fatalf("Compile(...): %v", err)
	}
	return live{set}
}

// secretive returns reviews of objects that have the canary wherever people put secrets.
func secretive() map[string]string {
	const template = `{"uid":"u","operation":"UPDATE","kind":{"group":%q,"version":"v1","kind":%q},"resource":{"group":%[1]q,"version":"v1","resource":%[3]q},` +
		`"name":"x","namespace":"shop","userInfo":{"username":"ann","extra":{"token":["CANARY"]}},"object":%[4]s,"oldObject":%[4]s,"options":{"x":"CANARY"}}`
	const metadata = `"metadata":{"name":"x","namespace":"shop","annotations":{"secret":"CANARY","kubectl.kubernetes.io/last-applied-configuration":"{\"a\":\"CANARY\"}"},` +
		`"managedFields":[{"fieldsV1":{"f:CANARY":{}}}]}`
	objects := map[string][4]string{
		"Pod": {"", "Pod", "pods", `{"apiVersion":"v1","kind":"Pod",` + metadata + `,"spec":{"number":1e-2000000,"containers":[{"name":"c","image":"x",` +
			`"env":[{"name":"PASSWORD","value":"CANARY"}],"args":["--token=CANARY"],"command":["CANARY"]}]}}`},
		"Secret":    {"", "Secret", "secrets", `{"apiVersion":"v1","kind":"Secret",` + metadata + `,"data":{"password":"CANARY"},"stringData":{"token":"CANARY"}}`},
		"ConfigMap": {"", "ConfigMap", "configmaps", `{"apiVersion":"v1","kind":"ConfigMap",` + metadata + `,"data":{"db":"postgres://u:CANARY@db/x"}}`},
	}
	reviews := map[string]string{}
	for name, o := range objects {
		request := fmt.Sprintf(template, o[0], o[1], o[2], o[3])
		whole := `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":` + request + `}`
		reviews[name] = whole
		reviews[name+" cut short"] = whole[:len(whole)-20]
		reviews[name+" without uid"] = strings.Replace(whole, `"uid"`, `"CANARY"`, 1)
		reviews[name+" with bad escape"] = strings.Replace(whole, "CANARY", `\xCANARY`, 1)
		reviews[name+" of other version"] = strings.Replace(whole, "admission.k8s.io/v1", "CANARY", 1)
		reviews[name+" in YAML"] = "apiVersion: CANARY\n" + whole
		reviews[name+" too heavy"] = strings.Replace(whole, `"secret":`, `"x":[`+strings.Repeat("0,", 300_000)+`0],"secret":`, 1)
		reviews[name+" too large"] = whole + strings.Repeat(" ", 2<<20)
	}
	for name, body := range reviews {
		reviews[name] = strings.ReplaceAll(body, "CANARY", canary)
	}
	return reviews
}

// TestSecretsStayInside sends secrets in all places of a request, to policies that
// err, panic and are late over them, and looks for them in all that comes out.
func TestSecretsStayInside(t *testing.T) {
	t.Parallel()
	log, registry := &syncBuffer{}, prometheus.NewRegistry()
	decider := faulty(t)
	out := &syncBuffer{}
	keep := func(a answer) {
		_, _ = fmt.Fprintln(out, a.code, a.header, a.body)
	}
	ways := map[string]webhook.Decider{
		"decides": decider,
		"errs":    unruly(func(context.Context) error { return fmt.Errorf("read the namespace: %w", context.DeadlineExceeded) }),
		"panics":  unruly(func(context.Context) error { panic(canary) }),
		"panics twice": webhook.Funcs{
			ReviewFunc: func(context.Context, engine.Part, *engine.Request) (*engine.Decision, error) {
				panic(fmt.Errorf("%s", canary))
			},
			PatchFunc:     func(context.Context, *engine.Request) (*engine.Mutation, error) { panic([]byte(canary)) },
			UndecidedFunc: func(engine.Part, *engine.Request, error) *engine.Decision { panic(canary) },
		},
	}
	for way, decider := range ways {
		cfg := webhook.Config{Decider: decider, Log: jsonLog(log), MaxBody: 1 << 20, MaxMemory: 64 << 20}
		if way == "decides" {
			cfg.Metrics = registry
		}
		s := serveWith(t, cfg, webhook.ServerConfig{Log: jsonLog(log)})
		for name, body := range secretive() {
			if way != "decides" && strings.Contains(name, " ") {
				continue // what is refused is refused before
			}
			for _, path := range webhook.Paths() {
				keep(s.do(t, http.MethodPost, path+"?timeout=3s", map[string]string{"Authorization": "Bearer " + canary, "Cookie": canary}, strings.NewReader(body)))
			}
		}
		keep(s.post(t, "/"+canary, "{}"))
		keep(s.post(t, webhook.PathDeny+"?timeout="+canary, "{}"))
		keep(s.do(t, canary, webhook.PathDeny, nil, nil))
		keep(s.do(t, http.MethodPost, webhook.PathDeny, map[string]string{"Content-Type": canary, "Content-Encoding": canary}, strings.NewReader("{}")))
	}
	page := httptest.NewRecorder()
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(page, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
	metrics := page.Body.String()
	for sink, text := range map[string]string{"answers": out.String(), "log": log.String(), "metrics": metrics} {
		if i := strings.Index(text, canary); i >= 0 {
			t.Errorf("the %s have a secret: …%s", sink, text[max(0, i-300):i+len(canary)])
		}
	}
	assertFailed(t, out.String(), metrics)
}

// assertFailed holds that all faults were met, since else nothing was looked at.
func assertFailed(t *testing.T, answers, metrics string) {
	t.Helper()
	for name := range faults {
		if !strings.Contains(answers, name+"  could not decide: ") && !strings.Contains(answers, name+": could not ") {
			t.Errorf("no answer says that %s failed", name)
		}
	}
	for _, reason := range []string{
		"eval_builtin_error", "eval_conflict_error", "a result has no msg", "path is not a list",
		"the evaluator panicked", "ran out of time", "too much memory", "a defect in Lintel",
	} {
		if !strings.Contains(answers, reason) {
			t.Errorf("no answer says %q", reason)
		}
	}
	for _, reason := range []string{"policy", "too_heavy", "too_large", "review", "body"} {
		if !strings.Contains(metrics, `lintel_webhook_errors_total{reason="`+reason+`"}`) {
			t.Errorf("nothing was counted as %q:\n%s", reason, metrics)
		}
	}
}
