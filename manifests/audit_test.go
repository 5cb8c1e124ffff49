package manifests_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"
)

// auditManifest permits what serve --audit needs.
const auditManifest = "audit.yaml"

// TestAuditLists permits to list all that the library matches, whether a cluster has
// such kinds or not: what may not be listed is in no report.
func TestAuditLists(t *testing.T) {
	data, err := os.ReadFile(auditManifest)
	if err != nil {
		t.Fatal(err)
	}
	permitted := map[string]bool{}
	for document := range strings.SplitSeq(string(data), "\n---\n") {
		var role rbacv1.ClusterRole
		if err := yaml.Unmarshal([]byte(document), &role); err != nil {
			t.Fatal(err)
		}
		if role.Name != "lintel-audit" {
			continue
		}
		for _, rule := range role.Rules {
			if !slices.Contains(rule.Verbs, "list") || !slices.Contains(rule.Verbs, "watch") {
				continue
			}
			for _, group := range rule.APIGroups {
				for _, resource := range rule.Resources {
					permitted[group+"/"+resource] = true
				}
			}
		}
	}
	for _, policy := range installed(t).Policies() {
		for _, match := range policy.Match.Kinds {
			for _, group := range match.APIGroups {
				for _, kind := range match.Kinds {
					if group != "terraform.lintel.dev" && !permitted[group+"/"+plural(kind)] {
						t.Errorf("%s matches %s of %q, and %s may not be listed", policy.Name, kind, group, plural(kind))
					}
				}
			}
		}
	}
}

// plural is what the API calls objects of a kind, as authors of kinds form it.
func plural(kind string) string {
	name := strings.ToLower(kind)
	if strings.HasSuffix(name, "s") {
		return name + "es"
	}
	return name + "s"
}
