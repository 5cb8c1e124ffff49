package doctor

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"
)

// A Right is a need, and which of its verbs the account may not use.
type Right struct {
	Need
	Missing []string
	// Inventory says that policies read the kind, which is the operator's to permit.
	Inventory bool
}

// An answer says whether the account may do something.
type answer int

const (
	unknown answer = iota // nobody who was asked would say
	allowed
	refused
)

const accountPrefix = "system:serviceaccount:"

// atOnce is how many reviews are asked for at a time.
const atOnce = 8

// readRights asks what the account may do.
func (r *reader) readRights(ctx context.Context) {
	s := r.s
	if s.Account == "" {
		s.unsee("what Lintel's account may do", "its name is not known: give it with --account")
		return
	}
	rights := r.rights()
	excess := tooMuch()
	answers := r.ask(ctx, rights, excess)
	for i := range rights {
		for _, verb := range rights[i].Verbs {
			if answers[rights[i].attributes(verb)] == refused {
				rights[i].Missing = append(rights[i].Missing, verb)
			}
		}
	}
	s.Rights = rights
	for _, e := range excess {
		if answers[e.attributes(e.Verbs[0])] == allowed {
			s.Excess = append(s.Excess, e)
		}
	}
	if len(s.Excess) > 0 {
		r.readGrants(ctx)
	}
	if slices.Contains(slices.Collect(maps.Values(answers)), unknown) {
		s.unsee("what "+s.Account+" may do", "that takes the permission to create subjectaccessreviews.authorization.k8s.io")
	}
}

// rights returns what the account needs, of the kinds that policies read and of the
// ConfigMaps that they are made of too.
func (r *reader) rights() []Right {
	s := r.s
	var rights []Right
	for _, need := range Needs(Traits{Namespace: s.Namespace, Cluster: s.fromCluster(), Has: s.configMapNames()}) {
		rights = append(rights, Right{Need: need})
	}
	if s.Set != nil {
		for _, kind := range s.Set.Inventory() {
			if resource, ok := s.resourceOf(kind.APIVersion, kind.Kind); ok {
				rights = append(rights, Right{Inventory: true, Need: Need{
					Group: resource.Group, Resource: resource.Resource, Verbs: []string{"get", "list", "watch"},
					Why: s.readersOf(kind.APIVersion, kind.Kind) + " that kind, and what cannot be read cannot be decided by",
				}})
			}
		}
	}
	if s.fromCluster() {
		for _, p := range s.Objects.Policies {
			if ref := p.Spec.Source.ConfigMapRef; ref != nil {
				rights = append(rights, Right{Need: Need{
					Resource: "configmaps", Namespace: ref.Namespace, Name: ref.Name, Verbs: []string{"get", "list", "watch"},
					Why: "policy " + p.Name + " has its Rego in that ConfigMap",
				}})
			}
		}
	}
	return rights
}

// resourceOf returns the resource of a kind, if the cluster has it.
func (s *Snapshot) resourceOf(apiVersion, kind string) (schema.GroupResource, bool) {
	gk := schema.FromAPIVersionAndKind(apiVersion, kind).GroupKind()
	plural, ok := s.Catalog.Plurals()[gk]
	return schema.GroupResource{Group: gk.Group, Resource: plural}, ok
}

// readersOf says which policies read a kind.
func (s *Snapshot) readersOf(apiVersion, kind string) string {
	var names []string
	for _, p := range s.Set.Policies() {
		for _, k := range p.Inventory {
			if k.APIVersion == apiVersion && k.Kind == kind {
				names = append(names, p.Name)
			}
		}
	}
	if len(names) == 1 {
		return "policy " + names[0] + " reads"
	}
	return "policies " + strings.Join(names, ", ") + " read"
}

// tooMuch is what the account must not be allowed, each with one verb that tells.
func tooMuch() []Need {
	const everything = "who can do that can do everything"
	const secrets = "Lintel needs no Secret but its own, and what it cannot read cannot leak by it"
	return []Need{
		{Group: "*", Resource: "*", Verbs: []string{"*"}, Why: everything},
		{Resource: "secrets", Verbs: []string{"get"}, Why: secrets},
		{Resource: "secrets", Verbs: []string{"list"}, Why: secrets},
		{Group: "rbac.authorization.k8s.io", Resource: "clusterroles", Verbs: []string{"escalate"}, Why: everything},
		{Group: "rbac.authorization.k8s.io", Resource: "clusterroles", Verbs: []string{"bind"}, Why: everything},
		{Resource: "users", Verbs: []string{"impersonate"}, Why: everything},
		{Resource: "serviceaccounts", Subresource: "token", Verbs: []string{"create"}, Why: everything},
		{Resource: "pods", Verbs: []string{"create"}, Why: "who makes pods is whoever they run as"},
	}
}

func (n Need) attributes(verb string) authorizationv1.ResourceAttributes {
	return authorizationv1.ResourceAttributes{
		Namespace: n.Namespace, Verb: verb, Group: n.Group, Resource: n.Resource, Subresource: n.Subresource, Name: n.Name,
	}
}

// ask asks the API server about all of them.
func (r *reader) ask(ctx context.Context, rights []Right, excess []Need) map[authorizationv1.ResourceAttributes]answer {
	answers := map[authorizationv1.ResourceAttributes]answer{}
	for _, right := range rights {
		for _, verb := range right.Verbs {
			answers[right.attributes(verb)] = unknown
		}
	}
	for _, need := range excess {
		answers[need.attributes(need.Verbs[0])] = unknown
	}
	self := r.isAccount(ctx)
	var mu sync.Mutex
	var asking errgroup.Group
	asking.SetLimit(atOnce)
	for _, attributes := range slices.Collect(maps.Keys(answers)) {
		asking.Go(func() error {
			a := r.may(ctx, attributes, self)
			mu.Lock()
			defer mu.Unlock()
			answers[attributes] = a
			return nil
		})
	}
	_ = asking.Wait() // none returns an error
	return answers
}

// isAccount reports whether the caller is Lintel's account, and may ask about itself.
func (r *reader) isAccount(ctx context.Context) bool {
	me, err := r.client.AuthenticationV1().SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	return err == nil && me.Status.UserInfo.Username == r.s.Account
}

// may asks whether the account may do something. Who may not ask that about others
// may ask it about himself, or in a namespace.
func (r *reader) may(ctx context.Context, attributes authorizationv1.ResourceAttributes, self bool) answer {
	client := r.client.AuthorizationV1()
	spec := authorizationv1.SubjectAccessReviewSpec{User: r.s.Account, Groups: groupsOf(r.s.Account), ResourceAttributes: &attributes}
	if self {
		review, err := client.SelfSubjectAccessReviews().Create(ctx, &authorizationv1.SelfSubjectAccessReview{
			Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &attributes},
		}, metav1.CreateOptions{})
		if err == nil {
			return answerOf(review.Status)
		}
	}
	review, err := client.SubjectAccessReviews().Create(ctx, &authorizationv1.SubjectAccessReview{Spec: spec}, metav1.CreateOptions{})
	if err == nil {
		return answerOf(review.Status)
	}
	if apierrors.IsForbidden(err) && attributes.Namespace != "" {
		local, err := client.LocalSubjectAccessReviews(attributes.Namespace).Create(ctx, &authorizationv1.LocalSubjectAccessReview{
			ObjectMeta: metav1.ObjectMeta{Namespace: attributes.Namespace}, Spec: spec,
		}, metav1.CreateOptions{})
		if err == nil {
			return answerOf(local.Status)
		}
	}
	return unknown
}

func answerOf(s authorizationv1.SubjectAccessReviewStatus) answer {
	if s.Allowed {
		return allowed
	}
	return refused
}

// groupsOf returns the groups that the API server knows a user to be in.
func groupsOf(account string) []string {
	groups := []string{"system:authenticated"}
	if namespace, _, ok := accountOf(account); ok {
		groups = append(groups, "system:serviceaccounts", "system:serviceaccounts:"+namespace)
	}
	return groups
}

// accountOf takes apart the user name of a ServiceAccount.
func accountOf(user string) (namespace, name string, ok bool) {
	rest, ok := strings.CutPrefix(user, accountPrefix)
	if !ok {
		return "", "", false
	}
	return strings.Cut(rest, ":")
}

// accountObject names the account as the object that it is.
func (s *Snapshot) accountObject() string {
	if namespace, name, ok := accountOf(s.Account); ok {
		return "ServiceAccount " + namespace + "/" + name
	}
	return "User " + s.Account
}

// A Grant is a ClusterRole that is bound to the account.
type Grant struct {
	Binding rbacv1.ClusterRoleBinding
	Rules   []rbacv1.PolicyRule
}

// gives reports whether the role permits something with all objects of a resource.
func (g Grant) gives(n Need) bool {
	resource := strings.TrimSuffix(n.Resource+"/"+n.Subresource, "/")
	return slices.ContainsFunc(g.Rules, func(r rbacv1.PolicyRule) bool {
		return len(r.ResourceNames) == 0 && hasOrAll(r.Verbs, n.Verbs[0]) && hasOrAll(r.APIGroups, n.Group) && hasOrAll(r.Resources, resource)
	})
}

// readGrants reads the ClusterRoles that are bound to the account.
func (r *reader) readGrants(ctx context.Context) {
	all, ok := see(r.s, "ClusterRoleBindings", func() (*rbacv1.ClusterRoleBindingList, error) {
		return r.client.RbacV1().ClusterRoleBindings().List(ctx, metav1.ListOptions{})
	})
	if !ok {
		return
	}
	groups := groupsOf(r.s.Account)
	for _, b := range all.Items {
		if !slices.ContainsFunc(b.Subjects, func(subject rbacv1.Subject) bool { return r.s.isAccountOf(subject, groups) }) {
			continue
		}
		role, ok := see(r.s, "ClusterRoles", func() (*rbacv1.ClusterRole, error) {
			return r.client.RbacV1().ClusterRoles().Get(ctx, b.RoleRef.Name, metav1.GetOptions{})
		})
		if ok {
			r.s.Grants = append(r.s.Grants, Grant{b, role.Rules})
		}
	}
}

// isAccountOf reports whether a subject is the account, or a group of service accounts.
func (s *Snapshot) isAccountOf(subject rbacv1.Subject, groups []string) bool {
	switch subject.Kind {
	case rbacv1.ServiceAccountKind:
		return s.Account == accountPrefix+subject.Namespace+":"+subject.Name
	case rbacv1.UserKind:
		return s.Account == subject.Name
	}
	return subject.Kind == rbacv1.GroupKind && subject.Name != groups[0] && slices.Contains(groups, subject.Name)
}

// checkRights says what the account lacks.
func checkRights(s *Snapshot) []Finding {
	var found []Finding
	for _, right := range s.Rights {
		if len(right.Missing) == 0 {
			continue
		}
		f := Finding{
			Check: "rights.missing", Severity: Problem, Object: s.accountObject(),
			Message: fmt.Sprintf("may not %s %s", strings.Join(right.Missing, ", "), right.what()),
			Why:     right.Why, YAML: s.roleFor(right.Need),
		}
		if right.Inventory {
			f.Check = "rights.inventory"
		}
		found = append(found, f)
	}
	return found
}

// roleFor returns a role for one need, bound to the account.
func (s *Snapshot) roleFor(n Need) string {
	rule := rbacv1.PolicyRule{APIGroups: []string{n.Group}, Resources: []string{n.Resource}, Verbs: n.Verbs}
	name := lintel + "-" + n.Resource
	if n.Subresource != "" {
		rule.Resources = []string{n.Resource + "/" + n.Subresource}
		name += "-" + n.Subresource
	}
	if n.Group != "" {
		name += "." + n.Group
	}
	if n.Name != "" {
		rule.ResourceNames = []string{n.Name}
		name += "-" + n.Name
	}
	subject := rbacv1.Subject{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: s.Account}
	if namespace, account, ok := accountOf(s.Account); ok {
		subject = rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: account}
	}
	kind := "ClusterRole"
	if n.Namespace != "" {
		kind = "Role"
	}
	meta := plainMeta{Name: name, Namespace: n.Namespace}
	return documents(
		role{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: kind, Metadata: meta, Rules: []rbacv1.PolicyRule{rule}},
		binding{
			APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: kind + "Binding", Metadata: meta, Subjects: []rbacv1.Subject{subject},
			RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: kind, Name: name},
		},
	)
}

// role and binding are as those of Kubernetes, without the fields that are empty.
type (
	plainMeta struct {
		Name      string `json:"name"`
		Namespace string `json:"namespace,omitempty"`
	}
	role struct {
		APIVersion string              `json:"apiVersion"`
		Kind       string              `json:"kind"`
		Metadata   plainMeta           `json:"metadata"`
		Rules      []rbacv1.PolicyRule `json:"rules"`
	}
	binding struct {
		APIVersion string           `json:"apiVersion"`
		Kind       string           `json:"kind"`
		Metadata   plainMeta        `json:"metadata"`
		RoleRef    rbacv1.RoleRef   `json:"roleRef"`
		Subjects   []rbacv1.Subject `json:"subjects"`
	}
)

// documents writes objects as YAML that can be applied.
func documents(objects ...any) string {
	var text strings.Builder
	for _, o := range objects {
		data, err := yaml.Marshal(o)
		if err != nil {
			return "" // strings alone are in it
		}
		text.WriteString("---\n")
		text.Write(data)
	}
	return text.String()
}

// checkExcess says what the account should not be allowed.
func checkExcess(s *Snapshot) []Finding {
	var found []Finding
	for _, n := range s.Excess {
		f := Finding{
			Check: "rights.excess", Severity: Problem, Object: s.accountObject(),
			Message: fmt.Sprintf("may %s %s", n.Verbs[0], n.what()), Why: n.Why,
			Command: "kubectl get clusterrolebindings,rolebindings -A -o wide",
		}
		if n.Verbs[0] == "*" {
			f.Message = "may do everything with everything"
		}
		for _, g := range s.Grants {
			if !g.gives(n) {
				continue
			}
			f.Message += fmt.Sprintf("; ClusterRoleBinding %s gives it ClusterRole %s", g.Binding.Name, g.Binding.RoleRef.Name)
			switch {
			case g.Binding.Name == lintel:
				f.Command = applyInstallation
			case len(g.Binding.Subjects) == 1:
				f.Command = "kubectl delete clusterrolebinding " + quoted(g.Binding.Name)
			}
		}
		found = append(found, f)
		if n.Verbs[0] == "*" {
			return found // all else follows
		}
	}
	return found
}
