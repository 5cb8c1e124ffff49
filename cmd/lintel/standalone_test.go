package main

import (
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"

	"github.com/lintel-policy/lintel/certs"
)

// asked is a review of a ConfigMap without an owner.
const asked = `{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {"uid": "u-1", "operation": "CREATE",
	"kind": {"group": "", "version": "v1", "kind": "ConfigMap"}, "resource": {"group": "", "version": "v1", "resource": "configmaps"},
	"namespace": "shop", "name": "orphan", "userInfo": {"username": "jane"}, "object": ` + orphan + `}}`

// startAlone starts lintel without a cluster, and returns it with the addresses of
// the webhook, the metrics and the probes.
func startAlone(t *testing.T, args ...string) (s *served, webhook, metrics, probes string) {
	t.Helper()
	args = append([]string{"serve", "--standalone", "--address", "127.0.0.1:0", "--metrics-address", "127.0.0.1:0", "--probe-address", "127.0.0.1:0"}, args...)
	s = &served{cmd: exec.Command("lintel", args...), log: make(chan map[string]any, 1000), ended: make(chan error, 1)}
	s.cmd.Stdout = &s.stdout
	stderr, err := s.cmd.StderrPipe()
	must(err)
	must(s.cmd.Start())
	t.Cleanup(func() { _ = s.cmd.Process.Kill() })
	go s.read(t, stderr)
	metrics, _ = s.awaitLog(t, "serving metrics")["address"].(string)
	probes, _ = s.awaitLog(t, "serving probes")["address"].(string)
	webhook, _ = s.awaitLog(t, "serving")["address"].(string)
	return s, webhook, metrics, probes
}

// owners writes the policy that wants owners, and returns its parent folder.
func owners(t *testing.T) string {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "owned")
	must(os.Mkdir(folder, 0o755))
	must(os.WriteFile(filepath.Join(folder, "owned.rego"), []byte(owned), 0o600))
	return filepath.Dir(folder)
}

// insecure asks without knowing who vouches for the certificate, which is made
// for this one process.
func insecure() *http.Client {
	return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
	}}
}

// get returns status and body of a page.
func get(t *testing.T, url string) (int, string) {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	must(err)
	return res.StatusCode, string(body)
}

// decide sends a review and returns the verdict.
func decide(t *testing.T, client *http.Client, address, path string) *admissionv1.AdmissionResponse {
	t.Helper()
	res, err := client.Post("https://"+address+path, "application/json", strings.NewReader(asked))
	must(err)
	defer res.Body.Close()
	var review admissionv1.AdmissionReview
	must(json.NewDecoder(res.Body).Decode(&review))
	return review.Response
}

func TestStandalone(t *testing.T) {
	s, webhook, metrics, probes := startAlone(t, "-p", owners(t))
	for path, allowed := range map[string]bool{"/validate": false, "/validate/deny": false, "/validate/warn": true, "/mutate": true} {
		if got := decide(t, insecure(), webhook, path); got.UID != "u-1" || got.Allowed != allowed {
			t.Errorf("%s: got %+v, want uid u-1, allowed %t", path, got, allowed)
		}
	}
	for url, want := range map[string]string{
		"http://" + probes + "/livez":    "ok\nrevision ",
		"http://" + probes + "/readyz":   "ok\nrevision ",
		"http://" + metrics + "/metrics": `lintel_webhook_decisions_total{path="deny",verdict="denied"} 1`,
	} {
		if code, body := get(t, url); code != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s: got %d, want 200 and %q in:\n%s", url, code, want, body)
		}
	}
	for _, url := range []string{"http://" + metrics + "/debug/pprof/", "http://" + metrics + "/readyz", "http://" + probes + "/metrics"} {
		if code, _ := get(t, url); code != http.StatusNotFound {
			t.Errorf("%s: got %d, want 404: each port serves one thing", url, code)
		}
	}
	s.end(t, syscall.SIGTERM)
}

// TestStandaloneLibrary holds that the library is served where nothing is named.
func TestStandaloneLibrary(t *testing.T) {
	s, _, metrics, _ := startAlone(t)
	if _, body := get(t, "http://"+metrics+"/metrics"); !strings.Contains(body, "lintel_webhook_revision_info") {
		t.Errorf("metrics do not name the revision:\n%s", body)
	}
	s.end(t, syscall.SIGINT)
}

// TestNotReadyWhileEnding holds that a replica that was told to end says so, and
// answers until it is gone.
func TestNotReadyWhileEnding(t *testing.T) {
	s, webhook, _, probes := startAlone(t, "-p", owners(t), "--lame-duck", "3s")
	client := insecure()
	decide(t, client, webhook, "/validate")
	must(s.cmd.Process.Signal(syscall.SIGTERM))
	ready := func() bool {
		code, _ := get(t, "http://"+probes+"/readyz")
		return code == http.StatusOK
	}
	for deadline := time.Now().Add(2 * time.Second); ready(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("told to end, it is still ready")
		}
	}
	if code, body := get(t, "http://"+probes+"/livez"); code != http.StatusOK {
		t.Errorf("/livez while ending: got %d %s, want 200: it is not to be killed", code, body)
	}
	if got := decide(t, client, webhook, "/validate"); got.Allowed {
		t.Error("while ending, a violation is admitted")
	}
	for range s.log { // read to its end
	}
	if err := <-s.ended; err != nil {
		t.Errorf("lintel serve: %v, want exit code 0", err)
	}
}

// TestCertificateFolder holds that a certificate is served from a folder, and
// another one when it is replaced.
func TestCertificateFolder(t *testing.T) {
	folder := t.TempDir()
	first := issue(t, folder)
	s, webhook, _, _ := startAlone(t, "-p", owners(t), "--cert-dir", folder)
	serial := func() string {
		conn, err := tls.Dial("tcp", webhook, &tls.Config{InsecureSkipVerify: true})
		must(err)
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	if got := serial(); got != first {
		t.Errorf("serial number: got %s, want that of the folder, %s", got, first)
	}
	second := issue(t, folder)
	for deadline := time.Now().Add(2 * time.Minute); serial() != second; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("a replaced certificate is not served")
		}
	}
	s.end(t, syscall.SIGTERM)
}

// issue writes a certificate into a folder and returns its serial number.
func issue(t *testing.T, folder string) string {
	t.Helper()
	authority, err := certs.NewAuthority(time.Now(), time.Hour)
	must(err)
	pair, err := authority.Issue([]string{"localhost"}, time.Now(), time.Hour)
	must(err)
	must(os.WriteFile(filepath.Join(folder, "tls.key"), pair.Key, 0o600))
	must(os.WriteFile(filepath.Join(folder, "tls.crt"), pair.Certificate, 0o600))
	parsed, err := tls.X509KeyPair(pair.Certificate, pair.Key)
	must(err)
	return parsed.Leaf.SerialNumber.String()
}
