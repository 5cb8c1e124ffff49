package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/lintel-policy/lintel/doctor"
)

// doctorTime bounds all that is read.
const doctorTime = 2 * time.Minute

// errProblems reports that something is wrong with an installation. The results
// have said what.
var errProblems = fmt.Errorf("there are problems: %w", errDenied)

// errBlind reports that whoever looks may see nothing of an installation.
var errBlind = errors.New("you may read neither the Deployment nor the registration, so nothing is known")

// A doctorCommand is `lintel doctor` with its flags.
type doctorCommand struct {
	streams    streams
	kubeconfig string
	namespace  string
	account    string
	output     string
}

func newDoctor(s streams) *cobra.Command {
	c := &doctorCommand{streams: s}
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Look at an installation and say what is or will be wrong",
		Long: `Look at an installation in a cluster, and say what is wrong with it or will be:
permissions that Lintel lacks or should not have, policies that are broken or match
nothing, exceptions that excuse nothing, a registration that does not fit the
policies or that others have changed, namespaces that have to be left out and are
not, timeouts, certificates that end, other webhooks, versions, replicas.

Each finding says why it matters, and has the command or the YAML that mends it. It
reads with your permissions and changes nothing; what it could not see, it says.
Secret values are not read, but for the certificate in the Secret lintel-tls.

Exit code 0: no problem; 1: at least one; 2: could not look.`,
		Example: `  lintel doctor
  lintel doctor --kubeconfig ~/.kube/production -n policy-system
  lintel doctor -o json | jq -r '.findings[].yaml // empty' | kubectl apply -f -`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.run(cmd.Context()) },
	}
	flags := cmd.Flags()
	flags.StringVar(&c.kubeconfig, "kubeconfig", "", "`file` that says how to reach the cluster; without it, as kubectl finds out")
	flags.StringVarP(&c.namespace, "namespace", "n", "lintel-system", "`namespace` of the installation")
	flags.StringVar(&c.account, "account", "", "`user` that Lintel is to the API server, as in system:serviceaccount:lintel-system:lintel; without it, that of the Deployment")
	outputFlag(cmd, &c.output)
	return cmd
}

func (c *doctorCommand) run(ctx context.Context) error {
	if err := checkFormat(c.output); err != nil {
		return err
	}
	if problems := validation.IsDNS1123Label(c.namespace); len(problems) > 0 {
		return fmt.Errorf("namespace %q: %s", c.namespace, problems[0])
	}
	config, err := findCluster(c.kubeconfig, "")
	if err != nil {
		return err
	}
	b, err := readBuild()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, doctorTime)
	defer cancel()
	snapshot, err := doctor.Read(ctx, doctor.Config{REST: config, Namespace: c.namespace, Account: c.account, Version: b.Version})
	if err != nil {
		return err
	}
	r := snapshot.Examine()
	text := func(w io.Writer) error { return r.WriteText(w, wantsColour(c.streams.out)) }
	if err := writeAs(c.streams.out, c.output, r, text); err != nil {
		return err
	}
	switch {
	case r.Summary.Problems > 0:
		return errProblems
	case snapshot.IsBlind():
		return errBlind
	}
	return nil
}
