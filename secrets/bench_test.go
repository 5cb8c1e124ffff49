package secrets_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/lintel-policy/lintel/secrets"
)

const mega = 1 << 20

// hostile returns objects of 1 MB that are made to be slow to scan.
func hostile() map[string]secrets.Node {
	fill := func(s string) string { return strings.Repeat(s, mega/len(s)) }
	out := map[string]secrets.Node{}
	for name, unit := range map[string]string{
		"a run of letters": "a", "a run of digits": "7", "spaces": " ", "lines": "\n", "quotes": "\"", "backslashes": "\\", "separators": ":", "equals": "=", "tags": "<a>",
		"passwords": "password=", "harmless passwords": "password=${X} ", "weak passwords": "password=x1yz ", "long passwords": "password=" + strings.Repeat("a b ", 120) + "\n",
		"names": `"name":"a",`, "values": `"name":"token","value":"${a}",`, "keywords": "ghp_ AKIA xoxb- ", "URLs": "a://b:c", "URL credentials": "a://b:${c}@d ", "slashes": "a://b:c/d@",
		"JWT starts": "eyJ ", "JWT headers": "eyJhbGciOiJIUzI1NiJ9.", "key starts": "-----BEGIN PRIVATE KEY-----", "key words": "PRIVATE KEY", "options": "--password ", "dashes": "--",
		"commands": "mysql -p$A ", "curl": "curl curl ", "machines": "machine ", "netrc": "machine a login b password ${c} ", "bearers": "Bearer Basic ", "pgpass": "a:5432:b:c:${d}\n", "DSN": "a:${b}@tcp(",
		"quoted": `"password":"`, "escaped": `\"password\":\"`, "indents": "a:\n ", "sections": "[a]\npassword=${b}\n", "base64": "QUFBQ", "words": "aB", "tokens": token + " ", "blocks": "password: |\n", "escapes": `password:\\\\\\`,
		"unicode": "é", "assignments": "A=b ", "json": `{"a":"b"},`, "PuTTY": "PuTTY-User-Key-File-", "hex": "0123456789abcdef", "keys": "key: abcdefghij1234567890\n", "named keys": "x_key: q9Zt4xW7mB2kLp8VnC5s\n",
	} {
		out[name] = configMap("file", fill(unit))
		if name == "tokens" || name == "a run of letters" || name == "json" {
			out[name+" in binaryData"] = secrets.Of(map[string]any{"kind": "ConfigMap", "binaryData": map[string]any{"x": base64.StdEncoding.EncodeToString([]byte(fill(unit)[:mega*3/4]))}})
			out[name+" as a key"] = configMap(fill(unit), "x")
		}
	}
	small, named := map[string]any{}, []any{}
	for i := range mega / 12 {
		small[fmt.Sprint("k", i)] = "v1"
	}
	for range mega / 30 {
		named = append(named, map[string]any{"name": "token", "value": "abc"})
	}
	var deep any = "x"
	for range mega / 2 {
		deep = []any{deep}
	}
	lists := make([]any, mega/3)
	for i := range lists {
		lists[i] = []any{}
	}
	maps := make([]any, mega/3)
	for i := range maps {
		maps[i] = map[string]any{}
	}
	texts := make([]any, mega/6)
	for i := range texts {
		texts[i] = "-p1"
	}
	out["small keys"], out["named values"], out["nesting"], out["lists"], out["maps"], out["texts"] = secrets.Of(small), secrets.Of(map[string]any{"env": named}), secrets.Of(deep), secrets.Of(lists), secrets.Of(maps), secrets.Of(map[string]any{"command": texts})
	out["applied lists"] = applied("[" + strings.Repeat("[],", 42<<10) + "1]")
	out["applied maps"] = applied("[" + strings.Repeat("{},", 42<<10) + "1]")
	out["applied nesting"] = applied(strings.Repeat("[", 9000) + strings.Repeat("]", 9000))
	return out
}

func applied(text string) secrets.Node {
	return secrets.Of(map[string]any{"metadata": map[string]any{"annotations": map[string]any{"kubectl.kubernetes.io/last-applied-configuration": text}}})
}

// TestHostileInputs bounds what 1 MB may allocate, which is exact, and take, which
// is generous here: a machine under load is slow. BenchmarkHostile has the time.
func TestHostileInputs(t *testing.T) {
	s := newScanner(t)
	for name, object := range hostile() {
		var before, after runtime.MemStats
		start := time.Now()
		runtime.ReadMemStats(&before)
		got := s.Scan(object)
		runtime.ReadMemStats(&after)
		if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 8<<20 {
			t.Errorf("%s: allocated %d bytes, want at most 8 MiB", name, allocated)
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%s: took %v", name, took)
		}
		if len(got) > 21 {
			t.Errorf("%s: %d findings, want at most 20 and one that says more", name, len(got))
		}
	}
}

func BenchmarkHostile(b *testing.B) {
	s := newScanner(b)
	for name, object := range hostile() {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s.Scan(object)
			}
		})
	}
}

// usual returns JSON of objects as there are in clusters.
func usual() map[string]string {
	container := `{"name":"web%d","image":"reg/web:1.2.3","args":["--listen=:8080","--log-level","info"],"env":[{"name":"DB_HOST","value":"db.prod.svc"},
		{"name":"DB_PASSWORD","valueFrom":{"secretKeyRef":{"name":"db","key":"password"}}},{"name":"CACHE_TTL","value":"3600s"}],
		"ports":[{"containerPort":8080,"name":"http"}],"resources":{"requests":{"cpu":"100m","memory":"128Mi"},"limits":{"memory":"256Mi"}},
		"readinessProbe":{"httpGet":{"path":"/ready","port":"http"},"periodSeconds":5},"volumeMounts":[{"name":"tmp","mountPath":"/tmp"}]}`
	containers := []string{}
	for i := range 4 {
		containers = append(containers, fmt.Sprintf(container, i))
	}
	lines := strings.Repeat("server.port=8080\nspring.datasource.url=jdbc:postgresql://db:5432/app\nspring.datasource.password=${DB_PASSWORD}\nlogging.level.root: INFO\n# a comment of some length\n", 125)
	panel := `{"datasource":{"type":"prometheus","uid":"$ds"},"fieldConfig":{"defaults":{"color":{"mode":"palette-classic"},"unit":"reqps"},"overrides":[]},"gridPos":{"h":8,"w":12,"x":0,"y":0},"id":2,
		"targets":[{"expr":"sum(rate(http_requests_total{job=\"web\",code=~\"5..\"}[5m])) by (instance)","legendFormat":"{{instance}}","refId":"A"}],"title":"Requests by instance","type":"timeseries"},`
	text := func(s string) string {
		b, _ := json.Marshal(map[string]any{"kind": "ConfigMap", "metadata": map[string]any{"name": "x"}, "data": map[string]any{"file": s}})
		return string(b)
	}
	return map[string]string{
		"Deployment3KB":  `{"kind":"Deployment","metadata":{"name":"web","labels":{"app":"web"}},"spec":{"template":{"spec":{"containers":[` + strings.Join(containers, ",") + `]}}}}`,
		"ConfigMap20KB":  text(lines),
		"ConfigMap200KB": text("[" + strings.Repeat(panel, 200<<10/len(panel)) + "0]"),
	}
}

// BenchmarkUsual compares a scan with decoding the same bytes.
func BenchmarkUsual(b *testing.B) {
	s := newScanner(b)
	for name, text := range usual() {
		object := decode(b, text)
		b.Run(name+"/scan", func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				s.Scan(object)
			}
		})
		b.Run(name+"/unmarshal", func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				var v any
				_ = json.Unmarshal([]byte(text), &v)
			}
		})
	}
}

func BenchmarkNew(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		newScanner(b)
	}
}
