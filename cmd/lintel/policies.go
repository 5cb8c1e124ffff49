package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/engine"
)

// A listing is what `lintel policies` says.
type listing struct {
	Revision string         `json:"revision"`
	Policies []listedPolicy `json:"policies"`
	Errors   []listedError  `json:"errors"` // of policies that are broken
}

type listedError struct {
	Policy  string `json:"policy,omitempty"`
	Message string `json:"message"`
}

type listedPolicy struct {
	Name        string               `json:"name"`
	Enforcement v1alpha1.Enforcement `json:"enforcement"`
	Stages      []v1alpha1.Stage     `json:"stages,omitempty"` // by time
	Severity    engine.Severity      `json:"severity"`
	Category    string               `json:"category"`
	Title       string               `json:"title"`
	Description string               `json:"description"`
	Origin      string               `json:"origin"`
	Reviews     bool                 `json:"reviews"` // whether it finds violations
	Patches     bool                 `json:"patches"` // whether it patches
	Match       v1alpha1.Match       `json:"match"`
}

func newPolicies(s streams) *cobra.Command {
	cmd := newPoliciesList(s)
	cmd.Use = "policies"
	cmd.Short = "List policies, write their documentation, begin a new one"
	cmd.Long += "\n\nWithout a command of its own it lists, too."
	cmd.Example = `  lintel policies
  lintel policies docs -p ./policies --out docs/policies
  lintel policies new pull-secrets --dir ./policies`
	cmd.AddCommand(newPoliciesList(s), newPoliciesDocs(s), newPoliciesNew(s))
	cmd.SetHelpCommand(&cobra.Command{Hidden: true}) // lintel help is enough
	return cmd
}

func newPoliciesList(s streams) *cobra.Command {
	var from sourceFlags
	var output string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List policies",
		Long:  "List policies with what they are enforced as and which kinds they match.",
		Example: `  lintel policies list
  lintel policies list -p ./policies -o json`,
		Args: noCommand,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := from.load(cmd.Context())
			if err != nil {
				return err
			}
			l := list(p)
			if err := writeAs(s.out, output, l, l.text); err != nil {
				return err
			}
			return p.complain(s.err)
		},
	}
	from.add(cmd)
	outputFlag(cmd, &output)
	return cmd
}

func list(from *loaded) listing {
	l := listing{Revision: from.set.Revision(), Policies: []listedPolicy{}, Errors: []listedError{}}
	for _, err := range from.broken {
		e := brokenPolicy(err)
		l.Errors = append(l.Errors, listedError{e.Policy, e.Message})
	}
	for _, p := range from.set.Policies() {
		l.Policies = append(l.Policies, newListedPolicy(p))
	}
	return l
}

func newListedPolicy(p engine.Info) listedPolicy {
	return listedPolicy{
		Name: p.Name, Enforcement: p.Enforcement, Stages: p.Spec.Stages, Severity: p.Severity, Category: p.Category, Title: p.Title,
		Description: p.Description, Origin: p.Origin, Reviews: p.Reviews, Patches: p.PatchesObjects, Match: p.Match,
	}
}

func (l listing) text(w io.Writer) error {
	var buf strings.Builder
	tab := tabwriter.NewWriter(&buf, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tab, "NAME\tENFORCEMENT\tSEVERITY\tCATEGORY\tTITLE\tKINDS")
	for _, p := range l.Policies {
		fmt.Fprintf(tab, "%s\t%s\t%s\t%s\t%s\t%s\n", engine.Printable(p.Name), p.enforced(), p.Severity,
			engine.Printable(p.Category), engine.Printable(p.Title), engine.Printable(p.kinds()))
	}
	if err := tab.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "%s%s\n", buf.String(), engine.Footer(l.Revision))
	return err
}

// enforced says how the policy is enforced, and in which stages from when on.
func (p listedPolicy) enforced() string {
	text := string(p.Enforcement)
	for _, s := range p.Stages {
		text += fmt.Sprintf(", %s from %s", s.Enforcement, engine.Moment(s.From.Time))
	}
	return text
}

// shownKinds is how many kinds are listed by name.
const shownKinds = 9

// kinds returns the names of the kinds that are matched, each once.
func (p listedPolicy) kinds() string {
	var kinds []string
	for _, k := range p.Match.Kinds {
		for _, name := range k.Kinds {
			if !slices.Contains(kinds, name) {
				kinds = append(kinds, name)
			}
		}
	}
	if more := len(kinds) - shownKinds; more > 0 {
		kinds = append(kinds[:shownKinds], fmt.Sprintf("+%d more", more))
	}
	return strings.Join(kinds, ", ")
}
