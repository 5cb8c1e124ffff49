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

	// notBookkeeping leaves out updates that change neither spec nor labels nor
	// annotations, of an object that is on its way out or by who runs the cluster:
	// the garbage collector and those who guard volumes take finalizers and owners
	// off, and an outage must not keep them from it. Nothing that is judged changes;
	// the subresource finalize changes a Namespace's finalizers, which are its spec.
	notBookkeeping = `!(request.operation == "UPDATE" && object != null && oldObject != null && ` +
		`(has(request.subResource) && request.subResource == "finalize" || ` +
		`has(object.spec) && has(oldObject.spec) && object.spec == oldObject.spec) && has(object.metadata) && has(oldObject.metadata) && ` +
		`(has(object.metadata.labels) ? object.metadata.labels : {}) == (has(oldObject.metadata.labels) ? oldObject.metadata.labels : {}) && ` +
		`(has(object.metadata.annotations) ? object.metadata.annotations : {}) == (has(oldObject.metadata.annotations) ? oldObject.metadata.annotations : {}) && ` +
		`(has(oldObject.metadata.deletionTimestamp) || has(request.userInfo) && has(request.userInfo.username) && ` +
		`(request.userInfo.username == "system:kube-controller-manager" || request.userInfo.username.startsWith("system:serviceaccount:kube-system:"))))`

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
