package secrets_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lintel-policy/lintel/secrets"
)

// Test values are made up, and in parts so that no scanner takes them for live.
const (
	token  = "ghp_" + "Zq3vX8mTn5Kd2Lw7Rb9Yc4Hf6Js1Pg0UaVe3"
	random = "q9Zt" + "4xW7mB2kLp8VnC5sRd1GhY6f"
	jwt    = "eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiJhZG1pbiJ9." + "c2lnbmF0dXJlLW9mLXRoZS10b2tlbg"
	begin  = "-----BEGIN " + "PRIVATE KEY-----"
	end    = "-----END " + "PRIVATE KEY-----"
)

func newScanner(t testing.TB) *secrets.Scanner {
	t.Helper()
	s, err := secrets.New(secrets.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func decode(t testing.TB, object string) secrets.Node {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(object), &v); err != nil {
		t.Fatalf("decode %s: %v", object, err)
	}
	return secrets.Of(v)
}

func env(name, value string) secrets.Node {
	return secrets.Of(map[string]any{"kind": "Pod", "spec": map[string]any{"containers": []any{
		map[string]any{"name": "web", "env": []any{map[string]any{"name": name, "value": value}}},
	}}})
}

func configMap(key, text string) secrets.Node {
	return secrets.Of(map[string]any{"kind": "ConfigMap", "data": map[string]any{key: text}})
}

// found writes findings in a line each: path, key, line and rule.
func found(findings []secrets.Finding) []string {
	out := []string{}
	for _, f := range findings {
		path := []string{}
		for _, at := range f.Path {
			path = append(path, fmt.Sprint(at))
		}
		line := strings.Join(path, ".")
		if f.Key != "" {
			line += " " + f.Key
		}
		if f.Line > 0 {
			line += fmt.Sprintf(":%d", f.Line)
		}
		out = append(out, line+" "+f.Rule)
	}
	return out
}

// rules returns the rules of findings, with commas between.
func rules(findings []secrets.Finding) string {
	out := []string{}
	for _, f := range findings {
		out = append(out, f.Rule)
	}
	return strings.Join(out, ",")
}

// values holds what each rule finds in an environment variable, name=value in a line each.
func checkEnv(t *testing.T, want string, lines map[string]string) {
	t.Helper()
	s := newScanner(t)
	for reason, line := range lines {
		name, value, _ := strings.Cut(line, "=")
		if got := rules(s.Scan(env(name, value))); got != want {
			t.Errorf("%s: %s: rules %q, want %q", reason, line, got, want)
		}
	}
}

func TestPathsOfFindings(t *testing.T) {
	cases := map[string]struct {
		reason string
		object string
		want   []string
	}{
		"Containers": {
			reason: "Containers of every kind are looked at, in templates of any kind.",
			object: `{"kind":"Deployment","spec":{"template":{"spec":{
				"containers":[{"env":[{"name":"DB_PASSWORD","value":"hunter2"}]}],
				"initContainers":[{"env":[{"name":"DB_PASSWORD","value":"hunter2"}]}],
				"ephemeralContainers":[{"env":[{"name":"DB_PASSWORD","value":"hunter2"}]}]}}}}`,
			want: []string{
				"spec.template.spec.containers.0.env.0.value password-name",
				"spec.template.spec.ephemeralContainers.0.env.0.value password-name",
				"spec.template.spec.initContainers.0.env.0.value password-name",
			},
		},
		"Arguments": {
			reason: "An option and its argument may be one item, two items, or words of a script.",
			object: `{"args":["--db-password","hunter2","--password=hunter2","--verbose","--token-file","hunter2"],
				"command":["sh","-c","export API_TOKEN=` + random + ` && DB_PASSWORD=hunter2 ./run --root-password 'tr0ub4dor'"]}`,
			want: []string{
				"args.1 password-name",
				"args.2 --password password-name",
				"command.2 --root-password password-name",
				"command.2 API_TOKEN secret-name",
				"command.2 DB_PASSWORD password-name",
			},
		},
		"References": {
			reason: "What refers to a secret is none, and status and metadata of the cluster are not looked at.",
			object: `{"metadata":{"uid":"` + token + `","managedFields":[{"manager":"` + token + `"}]},"status":{"token":"` + token + `"},
				"spec":{"env":[{"name":"PASSWORD","valueFrom":{"secretKeyRef":{"name":"db","key":"password1"}}}],
				"image":"reg/` + token + `","imagePullSecrets":[{"name":"regcred1"}],"caBundle":"` + token + `"}}`,
			want: []string{},
		},
		"SecretData": {
			reason: "A Secret is where secrets belong; its annotations are not.",
			object: `{"kind":"Secret","metadata":{"annotations":{"note":"` + token + `"}},"data":{"password":"aHVudGVyMg=="},"stringData":{"password":"hunter2"}}`,
			want:   []string{"metadata.annotations.note github-pat-unverified"},
		},
		"SealedSecret": {
			reason: "What is encrypted is no secret.",
			object: `{"kind":"SealedSecret","spec":{"encryptedData":{"password":"` + random + `"}},"sops":{"token":"ENC[AES256_GCM,data:` + token + `]"}}`,
			want:   []string{},
		},
		"Parameters": {
			reason: "Argo CD and Helm pass values as pairs of name and value, and as maps.",
			object: `{"kind":"Application","spec":{"source":{"helm":{"parameters":[{"name":"db.password","value":"hunter2"},{"name":"db.host","value":"hunter2"}],
				"valuesObject":{"auth":{"rootPassword":"hunter2","existingSecret":"db-secret1"}},"values":"auth:\n  password: hunter2\n"}}}}`,
			want: []string{
				"spec.source.helm.parameters.0.value password-name",
				"spec.source.helm.values auth.password:2 password-name",
				"spec.source.helm.valuesObject.auth.rootPassword password-name",
			},
		},
		"BinaryData": {
			reason: "Binary data of a ConfigMap is read decoded.",
			object: `{"kind":"ConfigMap","binaryData":{"app.env":"REJfUEFTU1dPUkQ9aHVudGVyMgo=","logo.png":"iVBORw0KGgoAAAANSUhEUg=="}}`,
			want:   []string{"binaryData.app.env DB_PASSWORD:1 password-name"},
		},
		"Applied": {
			reason: "What kubectl applied repeats the object: a secret counts twice only where the two differ.",
			object: `{"metadata":{"annotations":{"kubectl.kubernetes.io/last-applied-configuration":
				"{\"spec\":{\"env\":[{\"name\":\"A_PASSWORD\",\"value\":\"hunter2\"},{\"name\":\"B_PASSWORD\",\"value\":\"hunter3\"}]}}"}},
				"spec":{"env":[{"name":"A_PASSWORD","value":"hunter2"},{"name":"B_PASSWORD","value":"hunter4"}]}}`,
			want: []string{
				"metadata.annotations.kubectl.kubernetes.io/last-applied-configuration spec.env[1].value password-name",
				"spec.env.0.value password-name",
				"spec.env.1.value password-name",
			},
		},
		"SecretAsKey": {
			reason: "A key that is a secret is reported, and not repeated.",
			object: `{"data":{"` + token + `":"x"}}`,
			want:   []string{"data.<key redacted> github-pat-unverified"},
		},
		"SecretAsKeyOfText": {
			reason: "The same inside of a text.",
			object: `{"data":{"f":"` + token + `: password\nother: x\n"}}`,
			want:   []string{"data.f:1 github-pat-unverified"},
		},
		"TokenUnderAnyName": {
			reason: "A token of a provider is one under any name, said with the name it is under.",
			object: `{"data":{"settings.yaml":"a: 1\nhub:\n  login: ` + token + `\n"}}`,
			want:   []string{"data.settings.yaml hub.login:3 github-pat-unverified"},
		},
		"Schema": {
			reason: "A schema has names that say secret, and no values.",
			object: `{"kind":"CustomResourceDefinition","spec":{"schema":{"openAPIV3Schema":{"properties":{"password":{"type":"string","description":"The password: it is at least 8 long"},
				"token":{"type":"string","format":"password"}},"required":["password","token"]}}}}`,
			want: []string{},
		},
	}
	s := newScanner(t)
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, found(s.Scan(decode(t, tc.object)))); diff != "" {
				t.Errorf("%s\nScan(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// TestWhatIsWrittenInPlans asks that of what a Terraform plan has, what people wrote
// is looked at, and not what will come of it; elsewhere those keys mean nothing.
func TestWhatIsWrittenInPlans(t *testing.T) {
	const spec = `"spec":{"value":{"password":"a1"},"values":{"password":"hunter2"},"sensitive":{"password":"hunter2"},"unknown":{"password":"hunter2"},` +
		`"tagging":[{"tags":{"password":"hunter2"}}],"configured":{"password":"hunter2","values":{"token":"` + token + `"}}}`
	for name, tc := range map[string]struct {
		object string
		want   []string
	}{
		"Plan":   {`{"apiVersion":"terraform.lintel.dev/v1","kind":"x",` + spec + `}`, []string{"spec.configured.password password-name", "spec.configured.values.token github-pat-unverified"}},
		"NoSpec": {`{"apiVersion":"terraform.lintel.dev/v1","kind":"x","values":{"password":"hunter2"}}`, []string{"values.password password-name"}},
		"NoPlan": {`{"apiVersion":"v1","kind":"x",` + spec + `}`, []string{
			"spec.configured.password password-name", "spec.configured.values.token github-pat-unverified", "spec.sensitive.password password-name",
			"spec.tagging.0.tags.password password-name", "spec.unknown.password password-name", "spec.values.password password-name",
		}},
	} {
		if diff := cmp.Diff(tc.want, found(newScanner(t).Scan(decode(t, tc.object)))); diff != "" {
			t.Errorf("%s: -want, +got:\n%s", name, diff)
		}
	}
}
