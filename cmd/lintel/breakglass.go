package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/lintel-policy/lintel/controller"
	"github.com/lintel-policy/lintel/engine"
)

// glassTimeout bounds the command, since in an outage an API server may hang.
const glassTimeout = time.Minute

// A breakglassCommand is `lintel breakglass` with its flags.
type breakglassCommand struct {
	streams     streams
	kubeconfig  string
	context     string
	length      time.Duration
	reason      string
	end, status bool
}

func newBreakglass(s streams) *cobra.Command {
	c := &breakglassCommand{streams: s}
	cmd := &cobra.Command{
		Use:   "breakglass",
		Short: "Open the gate of a cluster for a time, in an emergency",
		Long: `Open the gate of a cluster for a time, in an emergency: nothing is denied, warned
about or patched by Lintel until it is over.

It changes the two webhook configurations "lintel" with your own rights, so it works
whether Lintel runs or not: the API server no longer asks any of their entries.
Lintel closes the gate when the time is over, or when it is started after that.
Until when, why and who is written into both, and recorded as an Event, in Lintel's
log and in its metrics; it takes effect at once.

The time is an hour at most. To go on for longer, break the glass again, which is
recorded again. Without flags it says how the gate stands.

Exit code 0: it did what was asked for; 2: not all of it.`,
		Example: `  lintel breakglass --for 30m --reason "INC-4711: nothing can be scheduled"
  lintel breakglass --status
  lintel breakglass --end`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := c.settle(cmd.Flags().Changed); err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), glassTimeout)
			defer cancel()
			return c.run(ctx)
		},
	}
	flags := cmd.Flags()
	flags.DurationVar(&c.length, "for", 30*time.Minute, "`time` to keep the gate open for; 1h at most")
	flags.StringVar(&c.reason, "reason", "", "`text` for those who read the records; the gate is not opened without it")
	flags.BoolVar(&c.end, "end", false, "close the gate before the time is over")
	flags.BoolVar(&c.status, "status", false, "say how the gate stands, and change nothing")
	flags.StringVar(&c.kubeconfig, "kubeconfig", "", "`file` that says how to reach the cluster; without it, as kubectl finds out")
	flags.StringVar(&c.context, "context", "", "`name` of the context of the kubeconfig; without it, the current one")
	return cmd
}

// settle checks which flags were given. Where none was, the gate is looked at.
func (c *breakglassCommand) settle(changed func(flag string) bool) error {
	opens := changed("for") || changed("reason")
	switch {
	case c.end && c.status:
		return errors.New("--end and --status are both given: one closes the gate, the other changes nothing")
	case opens && (c.end || c.status):
		return errors.New("--end and --status go with neither --for nor --reason, which open the gate")
	case opens && strings.TrimSpace(c.reason) == "":
		return errors.New("--reason is missing: those who read the records have to know why the gate was open")
	}
	c.status = !opens && !c.end
	return nil
}

func (c *breakglassCommand) run(ctx context.Context) error {
	// What is wrong with the flags is said before anything is asked of a cluster.
	if _, err := c.opening(time.Now(), ""); err != nil {
		return err
	}
	config, err := findCluster(c.kubeconfig, c.context)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("make client: %w", err)
	}
	fmt.Fprintf(c.streams.out, "cluster %s\n", engine.Printable(config.Host))
	glass := controller.Glass{Client: client.AdmissionregistrationV1()}
	switch {
	case c.status:
		panes, err := glass.Look(ctx)
		return c.tell(panes, err)
	case c.end:
		panes, err := glass.End(ctx)
		return c.tell(panes, err)
	}
	return c.open(ctx, client, glass)
}

// opening returns what the flags ask for, the zero one where they do not.
func (c *breakglassCommand) opening(now time.Time, by string) (controller.Opening, error) {
	if c.status || c.end {
		return controller.Opening{}, nil
	}
	return controller.NewOpening(now, c.length, c.reason, by)
}

func (c *breakglassCommand) open(ctx context.Context, client kubernetes.Interface, glass controller.Glass) error {
	by, now := c.whoAmI(ctx, client)
	opening, err := c.opening(now, by)
	if err != nil {
		return err
	}
	panes, err := glass.Break(ctx, opening)
	if err == nil && !slices.ContainsFunc(panes, func(p controller.Pane) bool { return !p.Missing }) {
		return errors.New(`there is no webhook configuration "lintel" in the cluster: nothing of Lintel's stands in the way, and nothing could be recorded`)
	}
	failed := c.tell(panes, err)
	if slices.ContainsFunc(panes, func(p controller.Pane) bool { return p.Opening == opening }) {
		fmt.Fprintln(c.streams.out, "to close it before: lintel breakglass --end")
	}
	return failed
}

// whoAmI returns the name that the API server knows the caller by, and its time, by
// which an opening ends. An emergency does not fail for want of either.
func (c *breakglassCommand) whoAmI(ctx context.Context, client kubernetes.Interface) (string, time.Time) {
	review, err := client.AuthenticationV1().SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		complain(c.streams.err, fmt.Sprintf("who opens the gate is not recorded: %s", err))
		return "", time.Now()
	}
	if now := review.CreationTimestamp.Time; !now.IsZero() {
		return review.Status.UserInfo.Username, now
	}
	return review.Status.UserInfo.Username, time.Now()
}

// tell says how the configurations stand, and what could not be done.
func (c *breakglassCommand) tell(panes []controller.Pane, failed error) error {
	for _, p := range panes {
		if err := tellPane(c.streams.out, p); err != nil {
			return err
		}
	}
	errs := engine.EachError(failed)
	if slices.ContainsFunc(errs, apierrors.IsForbidden) {
		errs = append(errs, errors.New(`it takes the verbs "get" and "patch" on both webhook configurations "lintel"`))
	}
	return complainOf(errs, c.streams.err)
}

// tellPane says how one configuration stands.
func tellPane(w io.Writer, p controller.Pane) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s lintel: %s\n", p.Kind, stance(p))
	if p.Opening != (controller.Opening{}) {
		over := ""
		if time.Now().After(p.Opening.Until) {
			over = ", which is over: Lintel closes the gate when it runs, lintel breakglass --end now"
		}
		fmt.Fprintf(&b, "  until   %s%s\n  reason  %s\n  by      %s\n", engine.Moment(p.Opening.Until), over, p.Opening.Reason, p.Opening.Who())
	}
	if p.Broken != nil {
		fmt.Fprintf(&b, "  broken  %s: Lintel takes the annotations off and closes the gate\n", p.Broken)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// stance says whether anything of a configuration stands in the way.
func stance(p controller.Pane) string {
	asked := fmt.Sprintf("%d entries are asked", p.Entries-p.Open)
	if p.Entries-p.Open == 1 {
		asked = "1 entry is asked"
	}
	switch {
	case p.Missing:
		return "is not there, so nothing of it is asked"
	case p.Entries == 0:
		return "open: it has no entries"
	case p.IsOpen():
		return "open: none of its entries is asked"
	case p.Open > 0:
		return fmt.Sprintf("half open: %s, of %d", asked, p.Entries)
	}
	return "closed: " + asked
}
