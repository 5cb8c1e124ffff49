package controller

import (
	"slices"
	"strconv"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
)

// Match conditions, in CEL. One that errs holds up a request or lets it by without
// asking, so each field is looked for before it is read.
const (
	// labelsChange leaves out updates of a status that leave the labels alone, which
	// are most of what nodes and controllers write. Updates of a pod's status can
	// change its labels.
	labelsChange = `!has(request.subResource) || request.subResource != "status" || object == null || oldObject == null || ` +
		`(has(object.metadata) && has(object.metadata.labels) ? object.metadata.labels : {}) != ` +
		`(has(oldObject.metadata) && has(oldObject.metadata.labels) ? oldObject.metadata.labels : {})`

	// notBookkeeping leaves out updates that change nothing but finalizers, owners and
	// the status, of an object that is on its way out or by who runs the cluster: the
	// garbage collector and those who guard volumes take finalizers and owners off,
	// and an outage must not keep them from it. Nothing that is judged changes. The
	// spec of a Namespace has nothing but finalizers. Who may do so is looked for
	// first, and an object of many fields is asked about: to go through them takes the
	// API server more than it may use for a condition, and seconds.
	notBookkeeping = `!(request.operation == "UPDATE" && object != null && oldObject != null && has(object.metadata) && has(oldObject.metadata) && ` +
		`(has(oldObject.metadata.deletionTimestamp) || has(request.userInfo) && has(request.userInfo.username) && ` +
		`(request.userInfo.username == "system:kube-controller-manager" || request.userInfo.username.startsWith("system:serviceaccount:kube-system:"))) && ` +
		`(has(object.metadata.labels) ? object.metadata.labels : {}) == (has(oldObject.metadata.labels) ? oldObject.metadata.labels : {}) && ` +
		`(has(object.metadata.annotations) ? object.metadata.annotations : {}) == (has(oldObject.metadata.annotations) ? oldObject.metadata.annotations : {}) && ` +
		`object.size() < 100 && oldObject.size() < 100 && ` +
		`object.all(key, key in ["metadata", "status"] || key == "spec" && ` + isNamespace + ` || key in oldObject && object[key] == oldObject[key]) && ` +
		`oldObject.all(key, key in ["metadata", "status"] || key in object))`

	isNamespace = `has(request.kind) && has(request.kind.kind) && request.kind.kind == "Namespace" && (!has(request.kind.group) || request.kind.group == "")`

	// isScale finds requests to set replicas.
	isScale = `has(request.subResource) && request.subResource == "scale"`
)

// conditions are those that all entries have in common. Exempt users are never
// asked about: to hold up what the API server does for itself, such as the Service
// "kubernetes", cuts the cluster off from itself.
func (p plan) conditions(rules []admissionv1.RuleWithOperations) []admissionv1.MatchCondition {
	conditions := []admissionv1.MatchCondition{
		{Name: "not-exempt", Expression: not(userIn(p.set.ExemptUsers()))},
		{Name: "not-bookkeeping", Expression: notBookkeeping},
	}
	for _, rule := range rules {
		if slices.ContainsFunc(rule.Resources, func(r string) bool { return strings.HasSuffix(r, "/status") }) {
			return append(conditions, admissionv1.MatchCondition{Name: "status-changes-labels", Expression: labelsChange})
		}
	}
	return conditions
}

// userIn is true for requests of one of the users.
func userIn(names []string) string {
	if len(names) == 0 {
		return "false"
	}
	return "has(request.userInfo) && has(request.userInfo.username) && request.userInfo.username in " + listOf(names)
}

// resourceIn is true for requests to one of the targets.
func resourceIn(targets []string) string {
	if len(targets) == 0 {
		return "false"
	}
	return `has(request.resource) && ((has(request.resource.group) ? request.resource.group : "") + "/" + ` +
		`(has(request.resource.resource) ? request.resource.resource : "") + ` +
		`(has(request.subResource) && request.subResource != "" ? "/" + request.subResource : "")) in ` + listOf(targets)
}

// listOf writes a list of strings. CEL reads the escapes that Go writes.
func listOf(texts []string) string {
	quoted := make([]string, len(texts))
	for i, text := range texts {
		quoted[i] = strconv.QuoteToASCII(text)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

func not(expression string) string { return "!(" + expression + ")" }

// either is true where one of the expressions is, of which none may be empty.
func either(expressions ...string) string { return "(" + strings.Join(expressions, ") || (") + ")" }
