package manifests_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"
)

// auditManifest permits what serve --audit needs.
const auditManifest = "audit.yaml"

// auditRoles returns the roles of the manifest.
func auditRoles(t *testing.T) []rbacv1.ClusterRole {
	t.Helper()
	data, err := os.ReadFile(auditManifest)
	if err != nil {
		t.Fatal(err)
	}
	var roles []rbacv1.ClusterRole
	for document := range strings.SplitSeq(string(data), "\n---\n") {
		var role rbacv1.ClusterRole
		if err := yaml.Unmarshal([]byte(document), &role); err != nil {
			t.Fatal(err)
		}
		if role.Kind == "ClusterRole" {
			roles = append(roles, role)
		}
	}
	return roles
}

// TestAuditRoles holds roles to what an audit takes: to read, no Secrets among it, and to
// write the reports of one name alone.
func TestAuditRoles(t *testing.T) {
	roles := auditRoles(t)
	if len(roles) != 2 {
		t.Errorf("%d roles, want 2", len(roles))
	}
	for _, role := range roles {
		for _, rule := range role.Rules {
			said := fmt.Sprint(rule.Verbs, rule.APIGroups, rule.Resources, rule.ResourceNames, rule.NonResourceURLs)
			if strings.Contains(said, "*") || slices.Contains(rule.Resources, "secrets") {
				t.Errorf("%s: %s has a wildcard or Secrets", role.Name, said)
			}
			isReports := slices.Equal(rule.APIGroups, []string{"openreports.io"})
			for _, verb := range rule.Verbs {
				switch verb {
				case "get", "list", "watch":
				case "create":
					if !isReports {
						t.Errorf("%s: %s is not about reports", role.Name, said)
					}
				default:
					if !isReports || !slices.Equal(rule.ResourceNames, []string{"lintel"}) {
						t.Errorf("%s: %s is not about the reports of Lintel", role.Name, said)
					}
				}
			}
		}
	}
}

// TestAuditLists permits to list all that the library matches, whether a cluster has
// such kinds or not: what may not be listed is in no report.
func TestAuditLists(t *testing.T) {
	permitted := map[string]bool{}
	for _, role := range auditRoles(t) {
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
