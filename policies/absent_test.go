package policies_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lintel-policy/lintel/engine"
)

// An absence is a field that a rule reads, in an object that breaks nothing.
type absence struct {
	reason     string
	parameters object
	field      engine.Path
	want       []string // path: message, where the field is absent, null or of a wrong type
}

const (
	deployment = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {environment: production, team: shop, service: web}}
spec:
  replicas: 3
  selector: {matchLabels: {service: web}}
  template:
    metadata: {labels: {environment: production, team: shop, service: web}}
    spec:
      topologySpreadConstraints:
      - {maxSkew: 1, topologyKey: topology.kubernetes.io/zone, whenUnsatisfiable: ScheduleAnyway, labelSelector: {matchLabels: {service: web}}}
      containers:
      - name: web
        ports: [{name: http, containerPort: 8080}]
        livenessProbe: {httpGet: {port: http}, periodSeconds: 5}
        readinessProbe: {exec: {command: [/app/ready]}}
        resources: {requests: {cpu: 100m, memory: 1Gi}, limits: {cpu: 100m, memory: 1Gi}}
`
	containerPath = "spec.template.spec.containers[0]"
)

func inContainer(steps ...any) engine.Path {
	return slices.Concat(engine.Path{"spec", "template", "spec", "containers", 0}, steps)
}

func inConstraint(steps ...any) engine.Path {
	return slices.Concat(engine.Path{"spec", "template", "spec", "topologySpreadConstraints", 0}, steps)
}

// absences has, for each violation rule by policy and title, the field whose
// absence could make the rule say nothing.
func absences() map[string]absence {
	return map[string]absence{
		"probes/A probe is missing": {
			reason: "A probe that is not there is what the rule is about.",
			field:  inContainer("livenessProbe"),
			want:   []string{containerPath + ": no livenessProbe"},
		},
		"probes/A probe asks nothing": {
			reason: "A handler that is not there asks nothing.",
			field:  inContainer("livenessProbe", "httpGet"),
			want:   []string{containerPath + ": no livenessProbe: the one that is there asks nothing"},
		},
		"probes/A probe cannot fail": {
			reason: "A command that is not there asks nothing.",
			field:  inContainer("readinessProbe", "exec", "command"),
			want:   []string{containerPath + ": no readinessProbe: the one that is there asks nothing"},
		},
		"probes/A probe names a port that is not there": {
			reason: "Without any port, none is declared.",
			field:  inContainer("ports"),
			want:   []string{containerPath + `.livenessProbe.httpGet.port: the livenessProbe asks port "http", which the container does not declare`},
		},
		"probes/A probe is slower than allowed": {
			reason:     "The API server puts a default in the place of what is absent.",
			parameters: object{"maximum": object{"periodSeconds": 10}},
			field:      inContainer("livenessProbe", "periodSeconds"),
		},
		"required-labels/A label or tag is missing": {
			reason: "Without labels there is none of them.",
			field:  engine.Path{"spec", "template", "metadata", "labels"},
			want: []string{
				`spec.template.metadata.labels.environment: label "environment" is missing (cost reports group by it)`,
				`spec.template.metadata.labels.service: label "service" is missing (cost reports group by it)`,
				`spec.template.metadata.labels.team: label "team" is missing (cost reports group by it)`,
			},
		},
		"required-labels/A label or tag is a placeholder": {
			reason: "What is not there is missing, and no placeholder.",
			field:  engine.Path{"metadata", "labels", "team"},
			want:   []string{`metadata.labels.team: label "team" is missing (cost reports group by it)`},
		},
		"required-labels/A label or tag has a value that is not allowed": {
			reason:     "What is not there is missing, whatever would be allowed.",
			parameters: object{"labels": []any{object{"key": "team", "allowedRegex": "^shop$"}}},
			field:      engine.Path{"metadata", "labels", "team"},
			want:       []string{`metadata.labels.team: label "team" is missing (cost reports group by it)`},
		},
		"resources/A request or limit is missing": {
			reason: "Without limits there is none of memory.",
			field:  inContainer("resources", "limits"),
			want:   []string{containerPath + ".resources.limits.memory: no memory limit, so a leak takes the node down with it"},
		},
		"resources/A cpu limit is missing": {
			reason:     "Where a cpu limit is asked for, its absence is a fault.",
			parameters: object{"requireCpuLimit": true},
			field:      inContainer("resources", "limits"),
			want: []string{
				containerPath + ".resources.limits.cpu: no cpu limit, which this cluster asks for",
				containerPath + ".resources.limits.memory: no memory limit, so a leak takes the node down with it",
			},
		},
		"resources/A request or limit is no amount": {
			reason: "A limit stands in for a request that is absent.",
			field:  inContainer("resources", "requests"),
		},
		"resources/A request is too small": {
			reason:     "A limit that stands in for the request is held to the floor.",
			parameters: object{"minimum": object{"cpu": "200m"}},
			field:      inContainer("resources", "requests"),
			want:       []string{containerPath + ".resources.requests.cpu: the cpu request is less than the 200m that is asked for"},
		},
		"resources/A request or limit is too large": {
			reason:     "What is absent is more than nothing; the limit goes on being held to the ceiling.",
			parameters: object{"maximum": object{"memory": "512Mi"}},
			field:      inContainer("resources", "requests"),
			want:       []string{containerPath + ".resources.limits.memory: the memory limit is more than the 512Mi that is allowed"},
		},
		"resources/A limit is too far above its request": {
			reason:     "A request that is absent is as high as the limit.",
			parameters: object{"maxLimitRequestRatio": object{"memory": 2}},
			field:      inContainer("resources", "requests"),
		},
		"topology-spread/Nothing spreads the pods over zones": {
			reason: "Without constraints there is none over zones.",
			field:  engine.Path{"spec", "template", "spec", "topologySpreadConstraints"},
			want: []string{"spec.template.spec.topologySpreadConstraints: " +
				"nothing spreads the 3 replicas over zones, so the loss of one zone can take all of them"},
		},
		"topology-spread/A constraint over zones does not hold": {
			reason: "A constraint without a selector selects nothing.",
			field:  inConstraint("labelSelector"),
			want: []string{"spec.template.spec.topologySpreadConstraints[0]: " +
				"the constraint over zones selects none of the pods of this template, so it spreads nothing"},
		},
		"topology-spread/Scaling would pile the pods up": {
			reason: "A Deployment without replicas has one.",
			field:  engine.Path{"spec", "replicas"},
		},
	}
}

// TestAbsentFields takes from an object that breaks nothing the field that a rule
// reads, and puts null and wrong types in its place: the rule must not fail, nor
// fall silent where the absence is a fault.
func TestAbsentFields(t *testing.T) {
	for name, tc := range absences() {
		policy, _, _ := strings.Cut(name, "/")
		set := compile(t, engine.Config{Policies: []engine.Policy{sourceOf(t, policy, tc.parameters)}})
		for what, value := range map[string]any{"absent": nil, "null": nil, "blank": " ", "false": false, "a list": []any{}} {
			t.Run(name+"/"+what, func(t *testing.T) {
				o := fromYAML(t, deployment)
				last := len(tc.field) - 1
				parent := get(o, tc.field[:last]...).(object)
				parent[tc.field[last].(string)] = value
				if what == "absent" {
					delete(parent, tc.field[last].(string))
				}
				if diff := cmp.Diff(tc.want, findings(decide(t, set, o), policy)); diff != "" {
					t.Errorf("%s\nReview(...): -want, +got:\n%s", tc.reason, diff)
				}
			})
		}
	}
}

// TestEveryRuleKnowsAbsence asks for an absence for each violation rule.
func TestEveryRuleKnowsAbsence(t *testing.T) {
	rules := map[string]bool{}
	for _, policy := range names() {
		for _, module := range parseFolder(t, policy) {
			for _, rule := range module.Rules {
				if rule.Head.Name == "_finding" {
					rules[policy+"/"+titleOf(rule)] = true
				}
			}
		}
	}
	have := slices.Sorted(maps.Keys(absences()))
	if diff := cmp.Diff(slices.Sorted(maps.Keys(rules)), have); diff != "" {
		t.Errorf("-rules, +absences:\n%s", diff)
	}
}

// TestScaleIsNoWorkload asks that policies about pod templates have nothing to say
// of a Scale, and fail on it no more than on an object that is deleted.
func TestScaleIsNoWorkload(t *testing.T) {
	set := library(t)
	for name, review := range map[string]object{
		"Scale": {
			"operation": "UPDATE", "kind": object{"group": "autoscaling", "version": "v1", "kind": "Scale"},
			"resource": object{"group": "apps", "version": "v1", "resource": "deployments"}, "subResource": "scale",
			"object":    object{"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": object{"name": "web"}, "spec": object{"replicas": 3}},
			"oldObject": object{"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": object{"name": "web"}, "spec": object{"replicas": 1}},
		},
		"Deletion": {
			"operation": "DELETE", "kind": object{"group": "apps", "version": "v1", "kind": "Deployment"},
			"resource":  object{"group": "apps", "version": "v1", "resource": "deployments"},
			"oldObject": fromYAML(t, deployment),
		},
	} {
		review["uid"], review["name"], review["namespace"] = "1", "web", "shop"
		req, err := engine.Decode(asJSON(t, object{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": review}))
		if err != nil {
			t.Fatalf("%s: Decode(...): %v", name, err)
		}
		req = req.In(objectOf(t, object{"apiVersion": "v1", "kind": "Namespace", "metadata": object{"name": "shop"}}))
		d, err := set.Review(t.Context(), req, nil)
		if err != nil || len(d.Errors) > 0 || len(d.Violations) > 0 {
			t.Errorf("%s: Review(...): %v, %+v", name, err, d)
		}
	}
}

// TestBrokenRegex asks that a parameter that makes a rule fail is read as no
// permission.
func TestBrokenRegex(t *testing.T) {
	parameters := object{"labels": []any{object{"key": "team", "allowedRegex": "("}}}
	set := compile(t, engine.Config{Policies: []engine.Policy{sourceOf(t, "required-labels", parameters)}})
	if d := decide(t, set, fromYAML(t, deployment)); d.Allowed() || len(d.Errors) != 1 {
		t.Errorf("Review(...): allowed %v, errors %v", d.Allowed(), d.Errors)
	}
}
