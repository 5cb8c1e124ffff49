package replay_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/replay"
)

// now is when requests are made.
func now() time.Time { return time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC) }

// review returns an AdmissionReview of an object.
func review(t testing.TB, uid, object string) string {
	t.Helper()
	var o struct {
		APIVersion, Kind string
		Metadata         struct{ Name, Namespace string }
	}
	if err := json.Unmarshal([]byte(object), &o); err != nil {
		t.Fatalf("read %s: %v", object, err)
	}
	group, version, ok := strings.Cut(o.APIVersion, "/")
	if !ok {
		group, version = "", o.APIVersion
	}
	data, err := json.Marshal(map[string]any{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": map[string]any{
		"uid": uid, "operation": "CREATE", "kind": map[string]any{"group": group, "version": version, "kind": o.Kind},
		"resource": map[string]any{"group": group, "version": version, "resource": strings.ToLower(o.Kind) + "s"},
		"name":     o.Metadata.Name, "namespace": o.Metadata.Namespace, "userInfo": map[string]any{"username": "ann"},
		"object": json.RawMessage(object), "oldObject": nil,
	}})
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// record has reviews recorded in a file and returns its lines.
func record(t testing.TB, reviews ...replay.Reviewed) []string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "reviews")
	r, err := replay.Open(replay.Config{Path: path})
	if err != nil {
		t.Fatalf("Open(...): %v", err)
	}
	for _, rv := range reviews {
		r.Record(rv)
	}
	r.Close(time.Minute)
	if n := r.Written(); n != int64(len(reviews)) {
		t.Fatalf("%d of %d reviews were written", n, len(reviews))
	}
	return lines(t, path)
}

func lines(t testing.TB, path string) []string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
}

func TestRecordedLine(t *testing.T) {
	namespace, err := engine.DecodeObject([]byte(`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"shop","labels":{"team":"shop"},"managedFields":[]}}`))
	if err != nil {
		t.Fatal(err)
	}
	body := `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"u","operation":"UPDATE","dryRun":false,
		"kind":{"group":"","version":"v1","kind":"ConfigMap"},"resource":{"group":"","version":"v1","resource":"configmaps"},"name":"a","namespace":"shop","new":"field",
		"requestKind":{"group":"","version":"v1beta1","kind":"ConfigMap"},"requestResource":{"group":"","version":"v1beta1","resource":"configmaps"},
		"userInfo":{"username":"ann","groups":["g"],"extra":{"token":["t0ken"]}},"options":{"kind":"UpdateOptions"},
		"object":{"kind":"ConfigMap","metadata":{"name":"a","managedFields":[{"a":"b"}],"annotations":{"` + lastApplied + `":"{}","b":"c"}},"data":{"n":"1"}},
		"oldObject":{"kind":"ConfigMap","big":12345678901234567890}}}`
	d := &engine.Decision{Revision: "abc", Namespace: namespace, Time: now(), Evaluated: []string{"p", "q"},
		Violations: []engine.Violation{{Policy: "p", Enforcement: v1alpha1.Deny, Message: "no value here", Path: engine.Path{"data", "n"}}},
		Errors:     []*engine.PolicyError{{Policy: "q", OnError: v1alpha1.OnErrorAllow}}, Excused: []engine.Excuse{{Policy: "r", Exception: "shop/x"}}}
	got := record(t, replay.Reviewed{Door: "deny", Body: []byte(body), Decision: d})
	want := []string{`{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","lintel":{"version":1,"time":"2026-06-01T12:00:00Z","door":"deny",` +
		`"namespace":{"apiVersion":"v1","kind":"Namespace","metadata":{"labels":{"team":"shop"},"name":"shop"}},"verdict":{"revision":"abc","allowed":false,` +
		`"policies":["p","q"],"findings":[{"policy":"p","enforcement":"deny","path":"data.n"}],"undecided":[{"policy":"q","onError":"allow"}],` +
		`"excused":[{"policy":"r","exception":"shop/x"}]}},"request":{"dryRun":false,"kind":{"group":"","kind":"ConfigMap","version":"v1"},"name":"a","namespace":"shop",` +
		`"object":{"data":{"n":"1"},"kind":"ConfigMap","metadata":{"annotations":{"b":"c"},"name":"a"}},"oldObject":{"big":12345678901234567890,"kind":"ConfigMap"},` +
		`"operation":"UPDATE","options":{"kind":"UpdateOptions"},"requestKind":{"group":"","kind":"ConfigMap","version":"v1beta1"},` +
		`"requestResource":{"group":"","resource":"configmaps","version":"v1beta1"},"resource":{"group":"","resource":"configmaps","version":"v1"},"uid":"u",` +
		`"userInfo":{"groups":["g"],"username":"ann"}}}`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what was recorded: -want, +got:\n%s", diff)
	}
	if _, err := engine.Decode([]byte(got[0])); err != nil {
		t.Errorf("a line is no AdmissionReview: %v", err)
	}
}

const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// TestManyFindings holds that a verdict is short, and still names each policy.
func TestManyFindings(t *testing.T) {
	d := &engine.Decision{}
	for i := range 500 {
		d.Violations = append(d.Violations, engine.Violation{Policy: "p", Enforcement: v1alpha1.Deny, Path: engine.Path{"data", i}})
	}
	d.Violations = append(d.Violations, engine.Violation{Policy: "q", Enforcement: v1alpha1.Warn})
	line := record(t, replay.Reviewed{Door: "deny", Body: []byte(review(t, "u", `{"apiVersion":"v1","kind":"ConfigMap"}`)), Decision: d})[0]
	var got struct{ Lintel replay.Note }
	if err := json.Unmarshal([]byte(line), &got); err != nil {
		t.Fatal(err)
	}
	v := got.Lintel.Verdict
	if len(v.Findings) > 110 || v.More != 501-len(v.Findings) || v.Findings[len(v.Findings)-1].Policy != "q" {
		t.Errorf("%d findings and %d more, want about 100 with the last policy among them", len(v.Findings), v.More)
	}
}

// TestFileIsBounded holds that two files together have no more bytes than the
// limit, that lines are whole, and that nobody but the owner can read them.
func TestFileIsBounded(t *testing.T) {
	folder := t.TempDir()
	r, err := replay.Open(replay.Config{Path: folder, Limit: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	object := `{"apiVersion":"v1","kind":"ConfigMap","data":{"a":"` + strings.Repeat("some words ", 4000) + `"}}`
	for i := range 60 {
		r.Record(replay.Reviewed{Door: "deny", Body: []byte(review(t, "u", object))})
		for r.Written() <= int64(i) {
			time.Sleep(time.Millisecond)
		}
	}
	r.Record(replay.Reviewed{Body: []byte(strings.Replace(review(t, "u", object), "some words", strings.Repeat("more words", 60_000), 1))})
	r.Record(replay.Reviewed{Body: make([]byte, 5<<20)})
	r.Record(replay.Reviewed{Body: []byte(strings.Replace(review(t, "u", object), `"data":{`, `"x":[`+strings.Repeat("{},", 200_000)+`0],"data":{`, 1))})
	r.Record(replay.Reviewed{Body: []byte("{}")})
	r.Close(time.Minute)
	want := []int64{0, 3, 1, 0}
	for i, reason := range replay.Reasons() {
		if got := r.Dropped(i); got != want[i] {
			t.Errorf("%d reviews are dropped as %s, want %d", got, reason, want[i])
		}
	}
	total := int64(0)
	for _, name := range []string{"reviews.jsonl", "reviews.jsonl.1"} {
		info, err := os.Stat(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		if total += info.Size(); info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %s, want 0600", name, info.Mode())
		}
		for _, line := range lines(t, filepath.Join(folder, name)) {
			if !json.Valid([]byte(line)) {
				t.Errorf("%s has a line that is no JSON", name)
			}
		}
	}
	if total > 1<<20 || total < 1<<19 {
		t.Errorf("the files have %d bytes, want up to 1 MiB and more than half of that", total)
	}
}

// TestWritingFails holds that reviews are dropped while the file cannot be written,
// and recorded again afterwards.
func TestWritingFails(t *testing.T) {
	folder := t.TempDir()
	inTheWay := filepath.Join(folder, "reviews.jsonl.1", "x")
	if err := os.MkdirAll(inTheWay, 0o755); err != nil {
		t.Fatal(err)
	}
	r, err := replay.Open(replay.Config{Path: folder, Limit: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	const unwritable = 3
	object := `{"apiVersion":"v1","kind":"ConfigMap","data":{"a":"` + strings.Repeat("some words ", 10000) + `"}}`
	until := func(what string, done func() bool) {
		t.Helper()
		for deadline := time.Now().Add(30 * time.Second); !done(); {
			if time.Now().After(deadline) {
				t.Fatalf("never was a review %s", what)
			}
			before := r.Written() + r.Dropped(unwritable)
			r.Record(replay.Reviewed{Door: "deny", Body: []byte(review(t, "u", object))})
			for r.Written()+r.Dropped(unwritable) == before {
				time.Sleep(time.Millisecond)
			}
		}
	}
	until("dropped", func() bool { return r.Dropped(unwritable) > 0 })
	written := r.Written()
	if err := os.RemoveAll(filepath.Dir(inTheWay)); err != nil {
		t.Fatal(err)
	}
	until("recorded again", func() bool { return r.Written() > written })
	r.Close(time.Minute)
}

// TestFull holds that who records never waits: where nobody writes fast enough,
// reviews are dropped.
func TestFull(t *testing.T) {
	r, err := replay.Open(replay.Config{Path: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close(0)
	body := []byte(review(t, "u", `{"apiVersion":"v1","kind":"ConfigMap","data":{"a":"`+strings.Repeat("0123456789abcdef ", 200_000)+`"}}`))
	for range 50 {
		r.Record(replay.Reviewed{Door: "deny", Body: body})
	}
	if r.Dropped(0) == 0 {
		t.Error("50 reviews of 3 MB are given at once, and none is dropped: they are all held")
	}
}

func TestOpenRefuses(t *testing.T) {
	folder := t.TempDir()
	pipe := filepath.Join(folder, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/dev/null", filepath.Join(folder, "out")); err != nil {
		t.Fatal(err)
	}
	cases := map[string]replay.Config{
		"a pipe":             {Path: pipe},
		"a link that leaves": {Path: filepath.Join(folder, "out")},
		"no folder":          {Path: filepath.Join(folder, "none", "x")},
		"too little":         {Path: folder, Limit: 1000},
	}
	for name, cfg := range cases {
		if r, err := replay.Open(cfg); err == nil {
			r.Close(0)
			t.Errorf("%s: it is opened", name)
		}
	}
}

// TestTornLine holds that what comes after a line that a crash has cut begins anew.
func TestTornLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "reviews")
	if err := os.WriteFile(path, []byte(`{"apiVersion":`), 0o644); err != nil {
		t.Fatal(err)
	}
	r, err := replay.Open(replay.Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	r.Record(replay.Reviewed{Door: "deny", Body: []byte(review(t, "u", `{"apiVersion":"v1","kind":"ConfigMap"}`))})
	r.Close(time.Minute)
	if got := lines(t, path); len(got) != 2 || !json.Valid([]byte(got[1])) {
		t.Errorf("got %q", got)
	}
}
