package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/lintel-policy/lintel/api/v1alpha1"
	"github.com/lintel-policy/lintel/audit"
	"github.com/lintel-policy/lintel/controller"
	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/report"
)

// An auditCommand is `lintel audit` with its flags.
type auditCommand struct {
	streams   streams
	policies  sourceFlags
	namespace string
	labels    []string
	since     string       // file of an earlier run; "" without one
	changed   string       // time in which objects were made or changed; "" for all
	window    audit.Window // the same
	out       outputs
	given     func(flag string) bool // whether a flag was given
}

func newAudit(s streams) *cobra.Command {
	c := &auditCommand{streams: s}
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Hold what is in a cluster to policies",
		Long: `Hold what is in a cluster to policies, and say what would be denied, warned about
and patched if it were made today. Nothing is written, and nothing has to be
installed: it takes a kubeconfig that may list the kinds that the policies match,
the kinds that they read, and namespaces.

Objects are counted by policy, by the labels that tell whose they are, and by
namespace; those without a label of their own count under that of their namespace,
else as "(unlabelled)". The labels are those that required-labels asks for, unless
--by names others.

Without --policies, the Policy and PolicyException objects of the cluster are gone
by, and where it has no such kinds the policies in this binary; standard error says
which. What built-in controllers make of a workload, such as the pods of a
Deployment, is recorded and not denied, as at admission.

By the Policy objects of a cluster in which lintel serve runs, it also says which
requests of the last 24 hours each policy would have denied if it denied, and whose
they were; not for one namespace.

--since names what -o json wrote earlier, to say how the numbers have changed. In a
baseline are findings that were there before; they are counted and fail nothing.

--changed limits all of that to objects that were made or changed in a time, by
their creationTimestamp and managedFields: what came in while the gate was open, say.
docs/audit.md has what cannot be seen by them.

Exit code 0: nothing is denied; 1: something is, or what --fail-on says; 2: could
not tell.`,
		Example: `  lintel audit
  lintel audit --kubeconfig ~/.kube/config -p embedded -p ./policies
  lintel audit -n shop -o text
  lintel audit -o table -o html=audit.html -o json=audit.json
  lintel audit --since audit.json
  lintel audit --changed 2027-01-12T03:11:07Z/2027-01-12T03:41:12Z -o text
  lintel audit --fail-on never -o baseline=lintel-baseline.json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c.given = cmd.Flags().Changed
			return c.run(cmd.Context())
		},
	}
	c.addFlags(cmd)
	return cmd
}

func (c *auditCommand) addFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	policiesFlag(cmd, &c.policies.names, fromCluster)
	cmd.Flag("policies").DefValue = `"cluster", where the cluster has none "embedded"`
	flags.StringVar(&c.policies.kubeconfig, "kubeconfig", "", "`file` that says how to reach the cluster; without it, as kubectl finds out")
	flags.StringVarP(&c.namespace, "namespace", "n", "", "`namespace` to look at; without it, all, and what is in none")
	flags.StringSliceVar(&c.labels, "by", nil, "`labels` to count by, separated by commas; without it, those that required-labels asks for")
	flags.StringVar(&c.since, "since", "", "`file` that -o json wrote earlier, to compare with")
	flags.StringVar(&c.changed, "changed", "", "just what was made or changed in a `time`: FROM or FROM/TO, each as in 2027-01-31T14:00:00Z, or for how long until now, as in 2h")
	c.out.flags(cmd, report.ClusterFormats())
}

func (c *auditCommand) run(ctx context.Context) error {
	if err := c.out.prepare(c.streams.out); err != nil {
		return err
	}
	if err := c.settle(time.Now()); err != nil {
		return err
	}
	earlier, err := c.earlier()
	if err != nil {
		return err
	}
	config, err := findCluster(c.policies.kubeconfig, "")
	if err != nil {
		return err
	}
	config.QPS = -1 // the API server's own fairness bounds this, as for kubectl
	if err := c.choosePolicies(ctx, config); err != nil {
		return err
	}
	policies, err := c.policies.load(ctx)
	if err != nil {
		return err
	}
	r, err := c.audit(ctx, config, policies)
	if err != nil {
		return err
	}
	r.Since = earlier
	return c.out.finish(r, c.streams)
}

// settle reads the flags that say what the run is about.
func (c *auditCommand) settle(now time.Time) (err error) {
	if c.changed != "" && c.since != "" {
		return errors.New("--changed and --since are both given: an earlier run counted all objects")
	}
	c.window, err = windowOf(c.changed, now)
	return err
}

// windowOf reads a time from when on, as that or as how long ago it was, and where it is
// followed by "/" until when.
func windowOf(text string, now time.Time) (w audit.Window, err error) {
	if text == "" {
		return w, nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago > 0 {
		return audit.Window{From: now.Add(-ago).Truncate(time.Second)}, nil
	}
	from, to, hasEnd := strings.Cut(text, "/")
	if w.From, err = time.Parse(time.RFC3339, from); err == nil && hasEnd && to != "" {
		w.To, err = time.Parse(time.RFC3339, to)
	}
	switch {
	case err != nil:
		return audit.Window{}, fmt.Errorf("--changed %q is no time as in %q, with or without an end, nor as in %q", text, "2027-01-31T14:00:00Z/2027-01-31T14:30:00Z", "2h")
	case !w.To.IsZero() && w.To.Before(w.From):
		return audit.Window{}, fmt.Errorf("--changed %q ends before it begins", text)
	}
	return w, nil
}

// maxEarlier is how large the file of an earlier run may be.
const maxEarlier = 1 << 30

func (c *auditCommand) earlier() (*report.Earlier, error) {
	if c.since == "" {
		return nil, nil
	}
	data, err := readRegular(c.since, maxEarlier)
	if err != nil {
		return nil, fmt.Errorf("read --since %s: %w", c.since, err)
	}
	return report.ReadEarlier(c.since, data)
}

// choosePolicies goes by the library where nothing else is said and the cluster has
// no policies of its own.
func (c *auditCommand) choosePolicies(ctx context.Context, config *rest.Config) error {
	if c.given("policies") {
		return nil
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("make client: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	switch _, err := controller.ReadPolicies(ctx, client); {
	case errors.Is(err, controller.ErrNoDefinitions):
		c.policies.names = []string{fromEmbedded}
		fmt.Fprintln(c.streams.err, "by the policies in this binary, as the cluster has no Policy objects")
	case err != nil:
		return fmt.Errorf("read policies of the cluster: %w", err)
	default:
		fmt.Fprintln(c.streams.err, "by the Policy objects of the cluster")
	}
	return nil
}

// audit reviews what is in the cluster.
func (c *auditCommand) audit(ctx context.Context, config *rest.Config, policies *loaded) (*report.Report, error) {
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("make client: %w", err)
	}
	catalog, err := controller.ReadCatalog(ctx, client.DiscoveryClient, nil)
	if err != nil {
		return nil, fmt.Errorf("reach the cluster: %w", err)
	}
	cfg := audit.Config{Client: client.CoreV1().RESTClient(), Set: policies.set, Namespace: c.namespace, Labels: c.groupedBy(policies), Changed: c.window, Now: time.Now()}
	stored, asked := catalog.Stored(policies.set.Policies())
	for _, r := range stored {
		cfg.Kinds = append(cfg.Kinds, auditKind(r))
	}
	var errs []report.Error
	for _, kind := range policies.set.Inventory() {
		if r, ok := catalog.Read(kind); ok {
			cfg.Inventory = append(cfg.Inventory, auditKind(r))
		} else if !kind.Optional {
			errs = append(errs, report.Error{Message: fmt.Sprintf("read %s %s for the inventory: the cluster has no such kind", kind.APIVersion, kind.Kind)})
		}
	}
	p := startProgress(c.streams.err)
	cfg.Reviewed = p.judged
	r, err := audit.Run(ctx, cfg)
	p.stop()
	if err != nil {
		return nil, err
	}
	for _, err := range append(slices.Clone(policies.broken), engine.EachError(asked)...) {
		errs = append(errs, brokenPolicy(err))
	}
	r.Errors = append(errs, r.Errors...)
	r.Policies = policies.described()
	if c.namespace == "" {
		r.LastDays = policies.lastDays(cfg.Now)
	}
	return r, nil
}

// countedFor is how old a day is at most that somebody still counts: by hours.
const countedFor = 25 * time.Hour

// lastDays returns what the policies of a cluster would have denied, as their status has
// it. What nobody keeps up with any more is left out.
func (l *loaded) lastDays(now time.Time) []report.LastDay {
	days := map[string]v1alpha1.LastDay{}
	for _, p := range l.objects {
		if day := p.Status.LastDay; day != nil && now.Sub(day.Since.Time) < countedFor {
			days[p.Name] = *day
		}
	}
	return report.LastDays(days)
}

func auditKind(r metav1.APIResource) audit.Kind {
	return audit.Kind{
		GroupVersionKind: schema.GroupVersionKind{Group: r.Group, Version: r.Version, Kind: r.Kind}, Resource: r.Name, Namespaced: r.Namespaced,
	}
}

// groupedBy returns the labels to count by.
func (c *auditCommand) groupedBy(policies *loaded) []string {
	if c.given("by") {
		return append([]string{}, c.labels...)
	}
	for _, p := range policies.set.Policies() {
		if keys := requiredLabels(p); p.Name == "required-labels" && len(keys) > 0 {
			return keys
		}
	}
	return []string{"team", "environment"}
}

// requiredLabels returns the keys of the parameter of required-labels, as far as it is
// one.
func requiredLabels(p engine.Info) []string {
	list, _ := p.Values["labels"].([]any)
	var keys []string
	for _, entry := range list {
		label, _ := entry.(map[string]any)
		if key, _ := label["key"].(string); key != "" {
			keys = append(keys, key)
		}
	}
	return keys
}
