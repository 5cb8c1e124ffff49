package controller

import (
	"context"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/policies"
	"github.com/lintel-policy/lintel/webhook"
)

// doubts are what is said of a policy that compiles and is probably not meant so.
func (c *Checker) doubts(p v1alpha1.Policy, info engine.Info) []string {
	var texts []string
	say := func(format string, args ...any) { texts = append(texts, p.Name+": "+fmt.Sprintf(format, args...)) }
	catalog := c.cfg.Catalog()
	rules, err := RulesOf(info, catalog)
	if err != nil {
		say("%s", strings.TrimPrefix(strings.SplitN(err.Error(), "\n", 2)[0], "policy "+p.Name+": "))
	}
	if len(rules.Never) > 0 {
		say("nobody is ever asked about %s (docs/design/never-held-up.md)", kindsOf(rules.Never))
	}
	if kinds := rules.absent(); kinds != "" {
		say("it matches nothing that this cluster has, until there is %s", kinds)
	}
	for _, k := range info.Inventory {
		if _, ok := catalog.resource(schema.FromAPIVersionAndKind(k.APIVersion, k.Kind)); !ok && !k.Optional {
			say("it reads %s %s, which this cluster does not have: until then it cannot decide", k.APIVersion, k.Kind)
		}
	}
	if p.Spec.Source.Library == "" && isShipped(p.Name) {
		say("a policy of the library has this name, and this is another one: a name of its own, or source: {library: %s}, says which is meant", p.Name)
	}
	return texts
}

// absentKinds names the kinds that a policy matches, where the cluster has none of them;
// else it is "".
func absentKinds(info engine.Info, catalog *Catalog) string {
	if catalog == nil {
		return ""
	}
	rules, err := RulesOf(info, catalog)
	if err != nil {
		return "" // it asks for what cannot be, and waits for nothing
	}
	return rules.absent()
}

// absent names what the rules of one policy wait for, where there are none.
func (r Rules) absent() string {
	if len(r.Rules) > 0 {
		return ""
	}
	return kindsOf(r.Pending)
}

// maxKinds is how many kinds are named before the rest is counted.
const maxKinds = 3

// kindsOf names kinds for people.
func kindsOf(list []Pending) string {
	var names []string
	for _, p := range list {
		names = append(names, p.Kind.GroupKind().String())
	}
	names = slices.Compact(names)
	if more := len(names) - maxKinds; more > 0 {
		names = append(names[:maxKinds], fmt.Sprintf("%d more", more))
	}
	return strings.Join(names, ", ")
}

// isShipped reports whether the library has a policy of that name.
func isShipped(name string) bool {
	library, err := policies.Embedded()
	return err == nil && slices.ContainsFunc(library, func(p engine.Policy) bool { return p.Name == name })
}

// exception refuses an exception that can excuse nothing, and says of others why
// they excuse nothing now.
func (c *Checker) exception(ctx context.Context, e v1alpha1.PolicyException, created bool) webhook.Finding {
	name := e.Namespace + "/" + e.Name
	if err := engine.CheckException(e); err != nil {
		return refused("PolicyException", name, err)
	}
	var texts []string
	say := func(format string, args ...any) { texts = append(texts, e.Name+": "+fmt.Sprintf(format, args...)) }
	if !c.cfg.Now().Before(e.Spec.Expires.Time) {
		if created {
			return refused("PolicyException", name, fmt.Errorf("spec.expires: %s is past: it excuses until then, so give a time to come", engine.Moment(e.Spec.Expires.Time)))
		}
		say("it excuses nothing any more, since spec.expires is past")
	}
	if set := c.cfg.Set(); set != nil && slices.Contains(set.ExcludedNamespaces(), e.Namespace) {
		say("nothing in namespace %s is ever judged, so there is nothing to excuse", e.Namespace)
	}
	for _, n := range e.Spec.Objects.Names {
		if strings.Contains(n, "/") {
			say("no object is called %q: an exception is for its own namespace, %s, and names have none", n, e.Namespace)
		}
	}
	for _, kind := range e.Spec.Objects.Kinds {
		if text := c.unfitKind(kind); text != "" {
			say("%s", text)
		}
	}
	for _, text := range c.notHonoured(ctx, e) {
		say("%s", text)
	}
	return webhook.Finding{Warnings: texts}
}

// unfitKind says why no object of a kind can be excused, "" if it can.
func (c *Checker) unfitKind(kind string) string {
	found := c.cfg.Catalog().matching("*", kind)
	if len(found) == 0 {
		return fmt.Sprintf("this cluster has no kind %q", kind)
	}
	if slices.ContainsFunc(found, c.cfg.Catalog().isNamespaced) {
		return ""
	}
	return fmt.Sprintf("a %s is in no namespace, and no exception excuses it", kind)
}

// notHonoured says for which of its policies an exception has no effect, and what
// their Policy would have to say.
func (c *Checker) notHonoured(ctx context.Context, e v1alpha1.PolicyException) []string {
	var texts []string
	for _, name := range e.Spec.Policies {
		exceptions, ok := c.honours(name)
		switch {
		case !ok:
			texts = append(texts, fmt.Sprintf("there is no policy %s yet, so it has no effect on that", name))
		case exceptions == nil:
			texts = append(texts, fmt.Sprintf("policy %s honours no exceptions: it has no effect unless spec.exceptions of the Policy says "+
				"{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: %s}}}", name, e.Namespace))
		case !c.selects(ctx, exceptions.NamespaceSelector, e.Namespace):
			texts = append(texts, fmt.Sprintf("policy %s honours exceptions in namespaces with %s, which %s has not: it has no effect",
				name, metav1.FormatLabelSelector(exceptions.NamespaceSelector), e.Namespace))
		}
	}
	return texts
}

// honours returns what a policy says of exceptions, and whether there is one of that
// name: as an object, which may be newer than what is in force, or from elsewhere.
func (c *Checker) honours(name string) (*v1alpha1.Exceptions, bool) {
	for _, p := range c.cfg.Policies().Policies {
		if p.Name == name {
			return p.Spec.Exceptions, true
		}
	}
	set := c.cfg.Set()
	if set == nil {
		return nil, false
	}
	for _, info := range set.Policies() {
		if info.Name == name {
			return info.Spec.Exceptions, true
		}
	}
	return nil, false
}

// selects reports whether a selector selects a namespace, which is taken to be so
// where it cannot be read.
func (c *Checker) selects(ctx context.Context, s *metav1.LabelSelector, namespace string) bool {
	if s == nil {
		return true
	}
	selector, err := metav1.LabelSelectorAsSelector(s)
	if err != nil {
		return true // the policy is broken, which is said of that
	}
	ns, err := c.cfg.Namespace(ctx, namespace)
	return err != nil || selector.Matches(labels.Set(ns.Labels()))
}
