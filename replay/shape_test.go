package replay_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/policies"
	"github.com/lintel-policy/lintel/replay"
)

func library(t testing.TB) *engine.Set {
	t.Helper()
	embedded, err := policies.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	set, err := engine.Compile(engine.Config{Policies: embedded})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// objects returns the objects of the policies' samples and of the corpus, as JSON.
func objects(t testing.TB) []string {
	t.Helper()
	all := odd()
	for _, pattern := range []string{"../policies/*/testdata/*.yaml", "../e2e/testdata/corpus/*.yaml", "../e2e/testdata/workloads/*.yaml"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("list %s: %v, %d files", pattern, err, len(files))
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, doc := range strings.Split("\n"+string(text), "\n---") {
				data, err := yaml.YAMLToJSON([]byte(doc))
				if err == nil && strings.Contains(string(data), `"kind":`) {
					all = append(all, string(data))
				}
			}
		}
	}
	return all
}

// odd returns objects whose secrets are in places of which there are few samples.
func odd() []string {
	const secret = "hunter2-" + "Zx81qq-" + "9mW"
	pair := base64.StdEncoding.EncodeToString([]byte("db.password=" + secret + "\n"))
	return []string{
		// Only in kubectl's copy, in both, and in one that is no JSON.
		`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","namespace":"shop","annotations":{"` + lastApplied + `":"{\"data\":{\"password\":\"` + secret + `\"}}"}},"data":{}}`,
		`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","namespace":"shop","annotations":{"` + lastApplied + `":"{\"data\":{\"password\":\"` + secret + `\"}}"}},"data":{"password":"` + secret + `"}}`,
		`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","namespace":"shop","annotations":{"` + lastApplied + `":"password=` + secret + `"}},"data":{}}`,
		// In a key, in base 64, several in one text, and after an option.
		`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","namespace":"shop"},"data":{"ghp_` + strings.Repeat("a1B2", 9) + `":"x","b":"y"}}`,
		`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","namespace":"shop"},"binaryData":{"app.properties":"` + pair + `"}}`,
		`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","namespace":"shop"},"data":{"x":"a=b\npassword=` + secret + `\nurl=postgres://svc:` + secret + `@db/x\n"}}`,
		`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","namespace":"shop"},"spec":{"containers":[{"name":"c","command":["app","--password","` + secret + `","-v"]}]}}`,
		`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","namespace":"shop"},"spec":{"containers":[{"name":"c","command":["mysql"],"args":["-u","root","-p` + secret + `"]}]}}`,
		// Under a label, where a policy reads the value.
		`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","namespace":"shop","labels":{"team":"ghp_` + strings.Repeat("a1B2", 9) + `"}},"spec":{"containers":[]}}`,
	}
}

// judge returns what a set finds in a review, without messages.
func judge(t testing.TB, set *engine.Set, review string) []string {
	t.Helper()
	req, err := engine.Decode([]byte(review))
	if err != nil {
		t.Fatalf("Decode(...): %v", err)
	}
	ns, err := engine.DecodeObject([]byte(`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"shop","labels":{"environment":"production"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	d, err := set.Review(t.Context(), req.At(now()).In(ns), nil)
	if err != nil {
		t.Fatalf("Review(...): %v", err)
	}
	var found []string
	for _, v := range d.Violations {
		found = append(found, fmt.Sprintf("%s %s %s existing=%t", v.Policy, v.Enforcement, v.Path, v.Existing))
	}
	for _, e := range d.Errors {
		found = append(found, e.Error())
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// TestJudgedAlike holds that a review is judged as before when it was redacted, by
// each policy and with the same paths: when it creates an object and when it changes
// another into it.
func TestJudgedAlike(t *testing.T) {
	set := library(t)
	all := objects(t)
	if len(all) < 200 {
		t.Fatalf("only %d objects", len(all))
	}
	var reviews []replay.Reviewed
	for i, object := range all {
		created := review(t, fmt.Sprint("create-", i), object)
		reviews = append(reviews, replay.Reviewed{Door: "validate", Body: []byte(created)})
		for _, old := range []string{object, strings.Replace(object, `"value":"`, `"value":"x`, 1)} {
			changed := strings.Replace(strings.Replace(created, `"CREATE"`, `"UPDATE"`, 1), `"oldObject":null`, `"oldObject":`+old, 1)
			reviews = append(reviews, replay.Reviewed{Door: "validate", Body: []byte(changed)})
		}
	}
	redacted := 0
	for i, line := range record(t, reviews...) {
		if strings.Contains(line, "lintel:redacted:") {
			redacted++
		}
		body := string(reviews[i].Body)
		if diff := cmp.Diff(judge(t, set, body), judge(t, set, line)); diff != "" {
			t.Errorf("redacted, it is judged otherwise: -before, +after:\n%s\n%s", diff, line)
		}
	}
	if redacted < 30 {
		t.Errorf("only %d of %d reviews have anything redacted", redacted, len(reviews))
	}
}

// TestNothingOfASecret records a secret in all places that people put one into.
func TestNothingOfASecret(t *testing.T) {
	const canary = "tUqu3-canary-0f2e"
	metadata := `"metadata":{"name":"x","namespace":"shop","annotations":{"secret":"CANARY","` + lastApplied + `":"{\"a\":\"CANARY\"}"},"managedFields":[{"fieldsV1":{"f:CANARY":{}}}]}`
	for name, object := range map[string]string{
		"Pod": `{"apiVersion":"v1","kind":"Pod",` + metadata + `,"spec":{"containers":[{"name":"c","image":"x","env":[{"name":"PASSWORD","value":"CANARY"}],` +
			`"args":["--token=CANARY"],"command":["CANARY"]}]},"status":{"message":"CANARY"}}`,
		"Secret":    `{"apiVersion":"v1","kind":"Secret",` + metadata + `,"data":{"password":"CANARY"},"stringData":{"token":"CANARY"},"extra":"CANARY"}`,
		"ConfigMap": `{"apiVersion":"v1","kind":"ConfigMap",` + metadata + `,"data":{"db":"postgres://svc:CANARY@db/x","CANARY":"y"}}`,
	} {
		object = strings.ReplaceAll(object, "CANARY", canary)
		body := review(t, "u", object)
		body = strings.Replace(body, `"oldObject":null`, `"oldObject":`+object+`,"options":{"x":"`+canary+`"},"other":"`+canary+`"`, 1)
		body = strings.Replace(body, `"username":"ann"`, `"username":"ann","extra":{"jti":["`+canary+`"]}`, 1)
		d := &engine.Decision{Excused: []engine.Excuse{{Policy: "p", Exception: "data." + canary}}}
		d.Violations = []engine.Violation{{Policy: "p", Message: canary, Fix: canary, Subject: canary, Details: json.RawMessage(`"` + canary + `"`), Path: engine.Path{"data", canary}}}
		line := record(t, replay.Reviewed{Door: "deny", Body: []byte(body), Decision: d})[0]
		if strings.Contains(line, "canary") {
			t.Errorf("%s: the secret is in the line: %s", name, line)
		}
	}
}
