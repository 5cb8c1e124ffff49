package bench_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/lintel-policy/lintel/secrets"
)

// BenchmarkSecrets scans objects with nothing to find, beside json.Unmarshal of
// the same bytes, and texts of a megabyte that are made to take long.
//
// The goals: 2 times json.Unmarshal for a Deployment of 3 KB and for a ConfigMap of
// dashboards of 200 KB, 3 times for a ConfigMap of settings of 20 KB, and 100 ms for
// each hostile text.
func BenchmarkSecrets(b *testing.B) {
	scanner, err := secrets.New(secrets.Config{})
	if err != nil {
		b.Fatal(err)
	}
	for _, tc := range []struct {
		name   string
		object []byte
	}{
		{"deployment-3KB", deployment(b)},
		{"settings-20KB", configMap(b, settings(20_000))},
		{"dashboards-200KB", configMap(b, dashboards(200_000))},
	} {
		var object any
		if err := json.Unmarshal(tc.object, &object); err != nil {
			b.Fatal(err)
		}
		if found := scanner.Scan(secrets.Of(object)); len(found) > 0 {
			b.Fatalf("%s: found %v in an object without secrets", tc.name, found)
		}
		bench := &bench{baseline: func() { unmarshal(b, tc.object) }}
		bench.run(b, tc.name, func() { scanner.Scan(secrets.Of(object)) })
	}
	for name, text := range hostile(1_000_000) {
		object := secrets.Of(map[string]any{"kind": "ConfigMap", "data": map[string]any{"x": text}})
		b.Run("hostile-"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				scanner.Scan(object)
			}
		})
	}
}

func configMap(b *testing.B, text string) []byte {
	data, err := json.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "x", "namespace": "shop"}, "data": map[string]any{"x": text},
	})
	if err != nil {
		b.Fatal(err)
	}
	return data
}

// settings are properties, as Java has them.
func settings(size int) string {
	var text strings.Builder
	for i := 0; text.Len() < size; i++ {
		fmt.Fprintf(&text, "# Setting %d\nserver.pool-%d.max-connections=%d\nspring.datasource.url-%d=jdbc:postgresql://db-%d.shop.svc:5432/shop\n"+
			"feature.flag.%d.enabled=true\nlogging.level.com.example.module%d=INFO\nsecurity.password-file-%d=/etc/secrets/db-%d\n", i, i, i*7%50, i, i%9, i, i, i, i)
	}
	return text.String()
}

// dashboards are JSON as Grafana has it.
func dashboards(size int) string {
	var text strings.Builder
	text.WriteString(`{"annotations": {"list": []}, "panels": [`)
	for i := 0; text.Len() < size; i++ {
		fmt.Fprintf(&text, `{"datasource": {"type": "prometheus", "uid": "${DS_PROMETHEUS}"}, "fieldConfig": {"defaults": {"unit": "reqps", "decimals": 2}}, `+
			`"gridPos": {"h": 8, "w": 12, "x": 0, "y": %d}, "id": %d, "targets": [{"expr": "sum(rate(http_requests_total{job=~\"$job\", code=~\"5..\"}[5m])) by (handler)", `+
			`"legendFormat": "{{handler}}", "refId": "A"}], "title": "Requests by handler %d", "type": "timeseries"},`, i*8, i, i)
	}
	return text.String() + `{"id": 0}], "schemaVersion": 39, "title": "HTTP", "uid": "a1b2c3d4e"}`
}

// hostile are texts that scanners take long over.
func hostile(size int) map[string]string {
	repeated := func(text string) string { return strings.Repeat(text, size/len(text)) }
	return map[string]string{
		"one-line":    repeated("aB3-"),
		"keywords":    repeated("gh" + "p_"),
		"assignments": repeated("password=x\n"),
		"names":       repeated("secret_token_password_key "),
		"urls":        repeated("a://b:c@"),
		"quotes":      repeated(`"`),
		"braces":      repeated("{"),
		"base64":      repeated("QUJD"),
		"jwt":         repeated("eyJ" + "hbGciOiJIUzI1NiJ9."),
		"dashes":      repeated("-----BEGIN "),
		"spaces":      repeated(" "),
	}
}
