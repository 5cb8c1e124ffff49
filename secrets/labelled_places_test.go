package secrets_test

import (
	"encoding/base64"
	"hash/fnv"
	"math/rand/v2"
	"strings"
)

// A place puts a value in an object, and says at which path it stands. Where a
// place has a text, the value takes the place of its §.
type place func(value string) (object map[string]any, path []any)

type dict = map[string]any

func fill(text, value string) string { return strings.ReplaceAll(text, "§", value) }

// workload is a Deployment with a container of that list, beside what each
// manifest has and which is no secret.
func workload(list string, container dict) dict {
	container["name"], container["image"] = "web", "registry.example.com/shop/web:1.4.2"
	return dict{"apiVersion": "apps/v1", "kind": "Deployment",
		"metadata": dict{"name": "web", "namespace": "shop", "labels": dict{"app": "web"}},
		"spec": dict{"replicas": int64(2), "selector": dict{"matchLabels": dict{"app": "web"}},
			"template": dict{"metadata": dict{"labels": dict{"app": "web"}}, "spec": dict{list: []any{container}}}}}
}

func inContainer(list string, rest ...any) []any {
	return append([]any{"spec", "template", "spec", list, 0}, rest...)
}

func inEnvOf(list, name string) place {
	return func(value string) (dict, []any) {
		env := []any{dict{"name": "LOG_LEVEL", "value": "info"}, dict{"name": name, "value": value}}
		return workload(list, dict{"env": env}), inContainer(list, "env", 1, "value")
	}
}

func inEnv(name string) place { return inEnvOf("containers", name) }

// inEnvRef has no value, but a reference to where it is.
func inEnvRef(name, from string, ref dict) place {
	return func(string) (dict, []any) {
		env := []any{dict{"name": name, "valueFrom": dict{from: ref}}}
		return workload("containers", dict{"env": env}), nil
	}
}

// inList puts the value in the last of the arguments or words of a command.
func inList(field string, texts []string) place {
	return func(value string) (dict, []any) {
		list := []any{}
		for _, text := range texts {
			list = append(list, fill(text, value))
		}
		return workload("containers", dict{field: list}), inContainer("containers", field, len(list)-1)
	}
}

func inArgs(texts ...string) place    { return inList("args", texts) }
func inCommand(texts ...string) place { return inList("command", texts) }
func inShell(text string) place       { return inList("command", []string{"sh", "-c", text}) }

func configOf(field, key, text string) (dict, []any) {
	return dict{"apiVersion": "v1", "kind": "ConfigMap", "metadata": dict{"name": "web", "namespace": "shop"},
		field: dict{key: text}}, []any{field, key}
}

func inConfig(key, text string) place {
	return func(value string) (dict, []any) { return configOf("data", key, fill(text, value)) }
}

func inBinary(key, text string) place {
	return func(value string) (dict, []any) { return configOf("binaryData", key, base64Of(fill(text, value))) }
}

func inAnnotation(key, text string) place {
	return func(value string) (dict, []any) {
		object, _ := configOf("data", "LOG_LEVEL", "info")
		object["metadata"] = dict{"name": "web", "annotations": dict{key: fill(text, value)}}
		return object, []any{"metadata", "annotations", key}
	}
}

func nested(keys []string, value any) any {
	for i := len(keys) - 1; i >= 0; i-- {
		value = dict{keys[i]: value}
	}
	return value
}

// inHelm puts the value in a HelmRelease's values, below a dotted path.
func inHelm(path string) place {
	return func(value string) (dict, []any) {
		keys := strings.Split(path, ".")
		where := []any{"spec", "values"}
		for _, key := range keys {
			where = append(where, key)
		}
		return dict{"apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease", "metadata": dict{"name": "web"},
			"spec": dict{"interval": "5m", "chart": dict{"spec": dict{"chart": "web", "version": "1.2.3"}}, "values": nested(keys, value)}}, where
	}
}

func argo(helm dict) dict {
	return dict{"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": dict{"name": "web", "namespace": "argocd"},
		"spec": dict{"project": "default", "source": dict{"repoURL": "https://charts.example.com", "targetRevision": "1.2.3", "helm": helm}}}
}

func inArgo(name string) place {
	return func(value string) (dict, []any) {
		return argo(dict{"parameters": []any{dict{"name": name, "value": value}}}),
			[]any{"spec", "source", "helm", "parameters", 0, "value"}
	}
}

func inArgoValues(text string) place {
	return func(value string) (dict, []any) {
		return argo(dict{"values": fill(text, value)}), []any{"spec", "source", "helm", "values"}
	}
}

// inField puts the value in the spec of any other kind.
func inField(kind, path string) place {
	return func(value string) (dict, []any) {
		keys := strings.Split(path, ".")
		where := []any{"spec"}
		for _, key := range keys {
			where = append(where, key)
		}
		return dict{"apiVersion": "example.com/v1", "kind": kind, "metadata": dict{"name": "web"}, "spec": nested(keys, value)}, where
	}
}

const (
	digits  = "0123456789"
	hexa    = digits + "abcdef"
	lower   = "abcdefghijklmnopqrstuvwxyz"
	upper   = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	word    = digits + lower
	mixed   = digits + lower + upper
	urlish  = mixed + "-_"
	base64s = mixed + "+/"
)

// made is a value in a provider's form that nobody was ever given: it is drawn
// when the tests run, so that no scanner of sources takes it for a live one.
func made(prefix, alphabet string, length int) string {
	seed := fnv.New64a()
	seed.Write([]byte(prefix + alphabet))
	draw := rand.New(rand.NewPCG(seed.Sum64(), uint64(length)))
	letters := make([]byte, length)
	for i := range letters {
		letters[i] = alphabet[draw.IntN(len(alphabet))]
	}
	return prefix + string(letters)
}

func base64Of(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

func jwtOf(header, payload string) string {
	parts := []string{base64.RawURLEncoding.EncodeToString([]byte(header)), base64.RawURLEncoding.EncodeToString([]byte(payload))}
	return strings.Join(append(parts, made("", urlish, 43)), ".")
}

// pemOf is a block of that kind with a body of that many characters.
func pemOf(kind string, length int) string {
	body := made("MI", base64s, length-2)
	var b strings.Builder
	b.WriteString("-----BEGIN " + kind + "-----\n")
	for len(body) > 64 {
		b.WriteString(body[:64] + "\n")
		body = body[64:]
	}
	return b.String() + body + "\n-----END " + kind + "-----\n"
}

func indent(text string) string {
	return "    " + strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n    ") + "\n"
}
