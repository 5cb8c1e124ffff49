package verify_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lintel-policy/lintel/policies"
	"github.com/lintel-policy/lintel/verify"
)

// The files of a policy that passes, for cases to change.
const (
	rego = `# METADATA
# title: Registry
# description: Images come from our registry.
# custom: {match: {kinds: [{apiGroups: [apps], kinds: [Deployment]}]}}
package lintel.registry

# METADATA
# title: An image is foreign
violation contains {"msg": msg, "path": ["spec", "template", "spec", "containers", i, "image"]} if {
	some i, container in input.review.object.spec.template.spec.containers
	image := object.get(container, "image", "")
	not startswith(image, "registry.example.com/")
	msg := sprintf("image %q is foreign", [image])
}
`
	tests = `package lintel.registry_test

import data.lintel.registry

test_violation[name] if {
	some name, tc in {
		"foreign": {"container": {"image": "nginx"}, "want": 1},
		"absent": {"container": {}, "want": 1},
	}
	got := count(registry.violation) with input.review.object.spec.template.spec.containers as [tc.container]
	got == tc.want
}
`
	good = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: registry.example.com/web}]}
`
	bad = `# want: spec.template.spec.containers[0].image: image "nginx" is foreign
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: nginx}]}
`
)

// suite returns the policy registry with some files changed: one that is "" is not there.
func suite(t *testing.T, files map[string]string) policies.Suite {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "registry")
	all := map[string]string{"registry.rego": rego, "registry_test.rego": tests, "testdata/good.yaml": good, "testdata/bad.yaml": bad}
	for name, text := range files {
		all[name] = text
	}
	for name, text := range all {
		if text == "" {
			continue
		}
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	suites, err := policies.LoadSuites(dir)
	if err != nil || len(suites) != 1 {
		t.Fatalf("LoadSuites(...): %v, %d suites", err, len(suites))
	}
	return suites[0]
}

// complaints returns a line for each thing that is wrong, with the base names of files.
func complaints(r *verify.Result) []string {
	var lines []string
	if r.Broken != nil {
		lines = append(lines, "broken")
	}
	for _, c := range r.Cases {
		if c.Failure != "" {
			lines = append(lines, filepath.Base(c.File)+" "+c.Name+": "+strings.ReplaceAll(c.Failure, "\n", " "))
		}
	}
	for _, p := range r.Problems {
		lines = append(lines, filepath.Base(p.File)+": "+p.Message)
	}
	return lines
}

func changed(text, before, after string) string { return strings.Replace(text, before, after, 1) }

// withRule returns files with another rule in the Rego, which finds "second".
func withRule(rego, body string, files map[string]string) map[string]string {
	files["registry.rego"] = rego + `
# METADATA
# title: Another
violation contains {"msg": "second"} if {
	` + body + `
}
`
	return files
}

// only returns files of a policy with no rule and no test but this one: its bad sample has
// some fields of a pod, its good one has others.
func only(body, inBad, inGood string) map[string]string {
	head, _, _ := strings.Cut(rego, "# METADATA\n# title: An image")
	files := withRule(head, body, map[string]string{"registry_test.rego": ""})
	files["testdata/good.yaml"] = changed(good, "{containers", "{"+inGood+"containers")
	files["testdata/bad.yaml"] = "# want: second\n" + changed(good, "{containers", "{"+inBad+"containers")
	return files
}

func TestRun(t *testing.T) {
	cases := map[string]struct {
		reason string
		files  map[string]string
		cfg    verify.Config
		want   []string
	}{
		"Passes": {reason: "Every case below is a change of this one."},
		"Nothing": {
			reason: "Of a policy that nothing proves, one line says it.",
			files:  map[string]string{"registry_test.rego": "", "testdata/good.yaml": "", "testdata/bad.yaml": ""},
			want:   []string{"registry.rego: there are neither tests nor samples"},
		},
		"FailingTest": {
			reason: "What was compared is shown.",
			files:  map[string]string{"registry_test.rego": changed(tests, `"want": 1}`, `"want": 2}`)},
			want:   []string{"registry_test.rego test_violation/foreign: line 11: got == tc.want   got: 1   tc.want: 2"},
		},
		"TestWithoutRows": {
			reason: "A table that is empty passes as any set does.",
			files:  map[string]string{"registry_test.rego": tests + "\ntest_none[name] if some name in []\n"},
			want:   []string{"registry_test.rego test_none: it has no rows, so it tests nothing"},
		},
		"BuiltInError": {
			reason: "Opa takes an error of a function for undefined; the engine does not.",
			files:  map[string]string{"registry_test.rego": tests + "\ntest_not if not to_number(\"x\")\n"},
			want:   []string{`registry_test.rego test_not: registry_test.rego:14: eval_builtin_error: to_number: strconv.ParseFloat: parsing "x": invalid syntax`},
		},
		"OwnFunctions": {
			reason: "Tests have the functions of the engine, and not their pretences.",
			files:  map[string]string{"registry_test.rego": tests + "\ntest_quantity if k8s.quantity(\"1Ki\") == 1024\n\ntest_library if data.lintel.workload.selects({}, {\"a\": \"b\"})\n"},
		},
		"TestOfTheLibrary": {
			reason: "What stands in the library's package would change the library.",
			files:  map[string]string{"registry_test.rego": "package lintel.workload\n\ntest_x if true\n"},
			want:   []string{"broken"},
		},
		"BrokenTest": {
			reason: "Nothing can be told of a policy whose tests do not compile.",
			files:  map[string]string{"registry_test.rego": "package lintel.registry_test\n\ntest_x if nothing.there\n"},
			want:   []string{"broken"},
		},
		"BadSampleIsGood": {
			reason: "What is wanted and not found is told of.",
			files:  map[string]string{"testdata/bad.yaml": bad + "---\n" + changed(bad, "image: nginx", "image: registry.example.com/web")},
			want:   []string{`bad.yaml Deployment web: wanted (-) and found (+): - spec.template.spec.containers[0].image: image "nginx" is foreign`},
		},
		"GoodSampleIsBad": {
			reason: "So is what is found and not wanted.",
			files:  map[string]string{"testdata/good.yaml": changed(good, "registry.example.com/", "")},
			want:   []string{`good.yaml Deployment web: wanted (-) and found (+): + spec.template.spec.containers[0].image: image "web" is foreign`},
		},
		"SampleWithoutWant": {
			reason: "A bad sample of which nothing is said and in which nothing is found proves nothing.",
			files:  map[string]string{"testdata/bad2.yaml": good},
			want:   []string{"bad2.yaml Deployment web: nothing is found in it, and no comment says what should be: # want: path: message"},
		},
		"SampleNobodyAsksAbout": {
			reason: "Nothing is found in an object that is not looked at.",
			files:  map[string]string{"testdata/good.yaml": good + "---\n{apiVersion: v1, kind: Pod, metadata: {name: web}}\n"},
			want:   []string{"good.yaml Pod web: the policy is not asked about v1 Pod: its match leaves it out"},
		},
		"SampleTheAPIServerRefuses": {
			reason: "Such an object never comes to the policy.",
			files:  map[string]string{"testdata/good.yaml": changed(good, "selector", "selectr")},
			want:   []string{`good.yaml sample: unknown field "spec.selectr"`},
		},
		"NamespaceBesideSample": {
			reason: "A Namespace is what the others are in, and no sample itself.",
			files:  map[string]string{"testdata/good.yaml": "{apiVersion: v1, kind: Namespace, metadata: {name: default}}\n---\n" + good},
		},
		"InventoryBesideSample": {
			reason: "Objects of a file see each other, in the namespace that they would be in.",
			files: map[string]string{
				"registry.rego": changed(changed(rego, "custom: {match", "custom: {inventory: [{apiVersion: v1, kind: ConfigMap}], match"),
					"not startswith(image", "not _open\n\tnot startswith(image") +
					"\n_open if data.inventory.namespace[input.review.namespace].v1.ConfigMap.open\n",
				"testdata/good.yaml":  good,
				"testdata/good2.yaml": changed(good, "registry.example.com/", "") + "---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: open}}\n",
			},
		},
		"RuleThatNeverFires": {
			reason: "Nobody has seen that the rule can find anything.",
			files: map[string]string{"registry.rego": rego + `
# METADATA
# title: No image has a tag
violation contains {"msg": "latest"} if input.review.object.spec.template.spec.containers[_].image == "latest"
`},
			want: []string{`registry.rego: no test and no sample makes the rule "No image has a tag" fire`},
		},
		"KindThatNobodyTries": {
			reason: "A misspelt kind matches nothing, in silence.",
			files:  map[string]string{"registry.rego": changed(rego, "kinds: [Deployment]", "kinds: [Deployment, DaemonSets]")},
			want:   []string{"registry.rego: it matches kinds that no sample is of and no test mentions: DaemonSets"},
		},
		"ExtensionThatNobodyTries": {
			reason: "Not each kind of an extension has to be tried, but one of them.",
			files: map[string]string{
				"registry.rego":      changed(changed(rego, "[apps]", "[example.com]"), "Deployment", "Gadget"),
				"testdata/good.yaml": "", "testdata/bad.yaml": "",
			},
			want: []string{"registry.rego: no sample is of a kind that it matches, and no test mentions one"},
		},
		"AbsentField": {
			reason: "A call with an undefined argument is undefined, negated or not: the object passes.",
			files: map[string]string{
				"registry.rego":      changed(rego, `object.get(container, "image", "")`, "container.image"),
				"registry_test.rego": changed(tests, "\t\t\"absent\": {\"container\": {}, \"want\": 1},\n", ""),
			},
			want: []string{`bad.yaml: without spec.template.spec.containers[0].image it no longer says "image \"nginx\" is foreign", and no test and no sample lacks that field`},
		},
		"AbsentFieldIsKnown": {
			reason: "A test that lacks the field says that the silence is meant.",
			files: map[string]string{
				"registry.rego":      changed(rego, `object.get(container, "image", "")`, "container.image"),
				"registry_test.rego": changed(tests, `"container": {}, "want": 1`, `"container": {}, "want": 0`),
			},
		},
		"AbsentFieldOfAnIndexedRule": {
			reason: "The index leaves the rule out where the field is absent: it is asked and answers nothing.",
			files:  only(`input.review.object.spec.template.spec.hostNetwork == true`, "hostNetwork: true, ", ""),
		},
		"AbsentFieldInAnother": {
			reason: "What minds the absence of a field minds that of what it stands in.",
			files: only(`input.review.object.spec.template.spec.dnsConfig.nameservers[0] == "10.0.0.1"`,
				"dnsConfig: {nameservers: [10.0.0.1]}, ", "dnsConfig: {searches: [a]}, "),
		},
		"AbsentFieldOfAnotherKind": {
			reason: "That a Service has no such field says nothing of Deployments.",
			files: withRule(changed(rego, "[{apiGroups: [apps], kinds: [Deployment]}]", "[{apiGroups: [apps, \"\"], kinds: [Deployment, Service]}]"),
				`input.review.object.spec.minReadySeconds > 5`, map[string]string{
					"registry_test.rego": "",
					"testdata/good.yaml": changed(good, "spec:", "spec:\n  minReadySeconds: 1") + "---\n{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {ports: [{port: 80}]}}\n",
					"testdata/bad.yaml":  changed(bad, "spec:", "spec:\n  minReadySeconds: 2"),
					"testdata/bad2.yaml": "# want: second\n" + changed(good, "spec:", "spec:\n  minReadySeconds: 7"),
				}),
			want: []string{`bad2.yaml: without spec.minReadySeconds it no longer says "second", and no test and no sample lacks that field`},
		},
		"FieldThatIsSetAgain": {
			reason: "The API server never sends a Deployment without replicas.",
			files: withRule(rego, `input.review.object.spec.replicas > 5`, map[string]string{"registry_test.rego": `package lintel.registry_test

import data.lintel.registry

test_second if {
	made := {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {}, "spec": {"replicas": 7, "template": {"spec": {}}}}
	{"second"} == {v.msg | some v in registry.violation} with input.review.object as made
}
`}),
		},
		"FieldThatOnlyTestsHave": {
			reason: "Where a sample makes a rule fire, it is the sample that is looked at: objects of tests are seldom whole.",
			files: map[string]string{
				"registry.rego": changed(rego, `not startswith(image, "registry.example.com/")`, "_foreign(image)") +
					"\n_foreign(image) if image == \"nginx\"\n\n_foreign(_) if input.review.object.spec.odd\n",
				"registry_test.rego": changed(tests, "as [tc.container]\n", "as [tc.container]\n\t\twith input.review.object.spec.odd as 1\n"),
			},
		},
		"NameOfAnItem": {
			reason: "The API server takes no container without a name.",
			files: map[string]string{
				"registry.rego":      changed(changed(rego, `"image %q is foreign"`, `"image %q of %s is foreign"`), "[image]", "[image, container.name]"),
				"registry_test.rego": changed(changed(tests, `"image": "nginx"`, `"name": "web", "image": "nginx"`), `"container": {}`, `"container": {"name": "web"}`),
				"testdata/bad.yaml":  "",
			},
		},
		"AbsentFieldOfATest": {
			reason: "Where no sample makes a rule fire, the objects of tests are tried.",
			files: map[string]string{
				"registry.rego":      changed(rego, `object.get(container, "image", "")`, "container.image"),
				"registry_test.rego": changed(tests, "\t\t\"absent\": {\"container\": {}, \"want\": 1},\n", ""),
				"testdata/bad.yaml":  "",
			},
			want: []string{`registry.rego: without spec.template.spec.containers[0].image it no longer says "image \"nginx\" is foreign", and no test and no sample lacks that field`},
		},
		"FailsWithoutField": {
			reason: "A policy that errs denies what is fine, or lets pass what is not.",
			files: map[string]string{
				"registry.rego": changed(rego, "image :=", "to_number(object.get(input.review.object, [\"metadata\", \"labels\", \"count\"], \"x\")) >= 0\n\timage :="),
				"registry_test.rego": changed(tests, "as [tc.container]", `as [tc.container]
		with input.review.object.metadata.labels.count as "1"`),
				"testdata/good.yaml": changed(good, "{name: web}", `{name: web, labels: {count: "1"}}`),
				"testdata/bad.yaml":  changed(bad, "{name: web}", `{name: web, labels: {count: "1"}}`),
			},
			want: []string{
				`bad.yaml: without metadata.labels it fails: registry.rego:11: eval_builtin_error: to_number: strconv.ParseFloat: parsing "x": invalid syntax`,
				`bad.yaml: without metadata.labels.count it fails: registry.rego:11: eval_builtin_error: to_number: strconv.ParseFloat: parsing "x": invalid syntax`,
			},
		},
		"PatchThatDoesNotSettle": {
			reason: "Two writers would never end.",
			files: map[string]string{"registry.rego": rego + `
# METADATA
# title: A number grows
patch contains {"path": ["metadata", "annotations", "n"], "op": "set", "value": sprintf("%sx", [before])} if {
	before := object.get(input.review.object, ["metadata", "annotations", "n"], "")
}
`},
			want: []string{
				"bad.yaml Deployment web: patch: its patches do not settle in 10 rounds and are left out",
				"good.yaml Deployment web: patch: its patches do not settle in 10 rounds and are left out",
			},
		},
		"TooLittleCoverage": {
			reason: "Lines that nothing reaches are named.",
			files:  map[string]string{"registry.rego": rego + "\n_unused if true\n"},
			cfg:    verify.Config{Coverage: 100},
			want:   []string{"registry.rego: no test and no sample reaches line 16"},
		},
		"OnlySome": {
			reason: "Of a few tests it cannot be told what all of them prove.",
			files:  map[string]string{"registry.rego": rego + "\n_unused if true\n", "registry_test.rego": changed(tests, `"want": 1}`, `"want": 2}`)},
			cfg:    verify.Config{Coverage: 100, Run: regexp.MustCompile("absent$")},
		},
		"TestThatTakesMemory": {
			reason: "Memory ends before time does.",
			files:  map[string]string{"registry_test.rego": tests + "\ntest_large if count([x | some x in numbers.range(1, 10000000)]) < 0\n"},
			cfg:    verify.Config{Timeout: time.Minute, Memory: 300 << 20, Run: regexp.MustCompile("test_large")},
			want: []string{
				"registry_test.rego test_large: it was stopped",
				".: stopped before all was run: it takes more memory than it may",
			},
		},
		"TestWithoutEnd": {
			reason: "What does not end is stopped.",
			files: map[string]string{"registry_test.rego": tests + "\ntest_long if {\n" +
				"\tsome a in numbers.range(1, 3000)\n\tsome b in numbers.range(1, 3000)\n\tsome c in numbers.range(1, 3000)\n\ta * b * c == -1\n}\n"},
			cfg:  verify.Config{Timeout: 2 * time.Second},
			want: []string{"registry_test.rego test_long: it takes longer than 2s"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := suite(t, tc.files)
			got := complaints(verify.Run(t.Context(), tc.cfg, s))
			for i := range got {
				got[i] = strings.ReplaceAll(got[i], s.Policy.Origin+string(filepath.Separator), "")
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s\nRun(...): -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
