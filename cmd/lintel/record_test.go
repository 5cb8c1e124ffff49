package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lintel-policy/lintel/replay"
)

// canary stands for a secret.
const canary = "tUqu3-canary-0f2e"

// secretive returns reviews of objects that have the canary where people put
// secrets, by their uid.
func secretive() map[string]string {
	const metadata = `"metadata":{"name":"x","namespace":"shop","annotations":{"secret":"CANARY","kubectl.kubernetes.io/last-applied-configuration":"{\"a\":\"CANARY\"}"},` +
		`"managedFields":[{"fieldsV1":{"f:CANARY":{}}}]}`
	reviews := map[string]string{}
	for kind, object := range map[string]string{
		"Pod": `{"apiVersion":"v1","kind":"Pod",` + metadata + `,"spec":{"containers":[{"name":"c","image":"x",` +
			`"env":[{"name":"PASSWORD","value":"CANARY"}],"args":["--token=CANARY"],"command":["CANARY"]}]}}`,
		"Secret":    `{"apiVersion":"v1","kind":"Secret",` + metadata + `,"data":{"password":"CANARY"},"stringData":{"token":"CANARY"}}`,
		"ConfigMap": `{"apiVersion":"v1","kind":"ConfigMap",` + metadata + `,"data":{"db":"postgres://svc:CANARY@db/x"}}`,
	} {
		reviews["uid-"+kind] = strings.ReplaceAll(fmt.Sprintf(`{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"uid-%s","operation":"UPDATE",`+
			`"kind":{"group":"","version":"v1","kind":%[1]q},"resource":{"group":"","version":"v1","resource":"things"},"name":"x","namespace":"shop",`+
			`"userInfo":{"username":"ann","extra":{"token":["CANARY"]}},"object":%s,"oldObject":%[2]s,"options":{"x":"CANARY"}}}`, kind, object), "CANARY", canary)
	}
	return reviews
}

// TestRecording serves with --record, and holds that the file has each review once,
// nothing of a secret, and the verdicts that the same policies come to again.
func TestRecording(t *testing.T) {
	file := filepath.Join(t.TempDir(), "reviews.jsonl")
	from := []string{"-p", owners(t), "-p", "embedded"}
	s, webhook, metrics, _ := startAlone(t, append(from, "--record", file)...)
	client := insecure()
	for _, body := range secretive() {
		for _, path := range []string{"/mutate", "/validate/deny", "/validate/warn"} {
			res, err := client.Post("https://"+webhook+path, "application/json", strings.NewReader(body))
			must(err)
			answer, err := io.ReadAll(res.Body)
			must(err)
			must(res.Body.Close())
			if res.StatusCode != http.StatusOK {
				t.Fatalf("%s: got %d %s", path, res.StatusCode, answer)
			}
		}
	}
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(10 * time.Millisecond) {
		_, page := get(t, "http://"+metrics+"/metrics")
		if strings.Contains(page, "lintel_record_written_total 6\n") && strings.Contains(page, `lintel_record_dropped_total{reason="full"} 0`) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("metrics do not say that 6 reviews were recorded:\n%s", page)
		}
	}
	s.end(t, syscall.SIGTERM)

	text, err := os.ReadFile(file)
	must(err)
	for _, secret := range []string{canary, "canary", "dFVxdTMtY2FuYXJ5LTBmMmU"} {
		if strings.Contains(string(text), secret) {
			t.Errorf("the file has a secret: %s", text)
		}
	}
	if !strings.Contains(string(text), "lintel:redacted:") || !strings.Contains(string(text), `"policy":"no-hardcoded-secrets"`) {
		t.Errorf("nothing was redacted, or found: %s", text)
	}
	info, err := os.Stat(file)
	must(err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the file has mode %s, want 0600", info.Mode())
	}
	assertReplayed(t, file, from)
}

// assertReplayed holds that the policies that decided decide the same again.
func assertReplayed(t *testing.T, file string, from []string) {
	t.Helper()
	out, err := exec.Command("lintel", append([]string{"replay", file, "-o", "json"}, from...)...).Output()
	var s replay.Summary
	if failed := json.Unmarshal(out, &s); failed != nil {
		t.Fatalf("lintel replay: %v, %v: %s", err, failed, out)
	}
	if s.Requests != 3 || s.Repeated != 0 || len(s.Policies) != 0 || len(s.Errors) != 0 {
		t.Errorf("lintel replay: %d requests, %d repeated, errors %v, changed policies %v; want 3 requests and nothing else", s.Requests, s.Repeated, s.Errors, s.Policies)
	}
}
