package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/lintel-policy/lintel/engine"
)

// The exit codes.
const (
	exitClean    = 0
	exitDenied   = 1
	exitUntold   = 2
	errorsPrefix = "lintel: "
)

var (
	// errDenied reports that something is denied. The results have said what.
	errDenied = errors.New("something is denied")
	// errUntold reports that it could not be told whether something is denied.
	// Standard error has said why.
	errUntold = errors.New("could not tell")
)

// streams are the standard streams.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// run runs a command line, which begins with the name that lintel was called by,
// and returns the exit code.
func run(ctx context.Context, line []string, s streams) int {
	root := newRoot(s) //nolint:contextcheck // commands get the context from cobra
	root.SetArgs(asCalled(root, line[0], line[1:]))
	return exitCode(root.ExecuteContext(ctx), s.err)
}

// exitCode tells of an error that has not been told of.
func exitCode(err error, stderr io.Writer) int {
	switch {
	case err == nil:
		return exitClean
	case errors.Is(err, errDenied):
		return exitDenied
	case !errors.Is(err, errUntold):
		complain(stderr, err.Error())
	}
	return exitUntold
}

// complain writes text, which may have several lines, to standard error.
func complain(stderr io.Writer, text string) {
	for line := range strings.SplitSeq(engine.PrintableLines(text), "\n") {
		fmt.Fprintf(stderr, "%s%s\n", errorsPrefix, line)
	}
}

func newRoot(s streams) *cobra.Command {
	var version bool
	root := &cobra.Command{
		Use:   "lintel",
		Short: "Hold Kubernetes objects to policies written in Rego",
		Long: `Lintel holds Kubernetes objects to policies written in Rego: in files, before
they reach a cluster, and in the cluster, as an admission webhook.

It exits with 0 if nothing is denied, with 1 if something is, and with 2 if it
could not tell, whatever else it found.`,
		Example: `  lintel check deploy/
  kubectl get deployment web -o yaml | lintel check -
  lintel serve --kubeconfig ~/.kube/config -p embedded`,
		Args:              noCommand,
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if version {
				return tellVersion(s.out, "text")
			}
			return cmd.Help()
		},
	}
	root.Flags().BoolVar(&version, "version", false, "print the version of lintel, as lintel version does")
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(s.err)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w: see %q", err, cmd.CommandPath()+" --help")
	})
	root.AddCommand(
		newAudit(s), newBench(s), newBreakglass(s), newCheck(s), newCompletion(), newDoctor(s), newExplain(s), newFix(s), newPolicies(s),
		newRenderChart(s), newReplay(s), newServe(s), newTest(s), newVersion(s),
	)
	root.SetHelpCommand(newHelp())
	return root
}

// noCommand returns the error for a word where there should be a command, if there is
// one, with the command that may be meant.
func noCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	err := fmt.Errorf("unknown command %q for %q", args[0], cmd.CommandPath())
	cmd.SuggestionsMinimumDistance = 2
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		return fmt.Errorf("%w: is %q meant?", err, near[0])
	}
	return fmt.Errorf("%w: see %q", err, cmd.CommandPath()+" --help")
}

// named returns the check of the one argument that a command takes; what says what
// to name.
func named(what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch {
		case len(args) == 0 || args[0] == "":
			return errors.New("nothing is named: " + what)
		case len(args) > 1:
			return errors.New("more than one is named: " + what)
		}
		return nil
	}
}

// newHelp is cobra's own help command, but for an unknown command, which is an error.
func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:     "help [COMMAND]",
		Short:   "Help about a command",
		Example: "  lintel help check",
		ValidArgsFunction: func(cmd *cobra.Command, typed []string, _ string) ([]string, cobra.ShellCompDirective) {
			about, rest, err := cmd.Root().Find(typed)
			if err != nil || len(rest) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			var names []string
			for _, sub := range about.Commands() {
				if sub.IsAvailableCommand() {
					names = append(names, cobra.CompletionWithDesc(sub.Name(), sub.Short))
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			about, rest, err := cmd.Root().Find(args)
			if err != nil {
				return err
			}
			if err := noCommand(about, rest); err != nil {
				return err
			}
			return about.Help()
		},
	}
}

// wantsColour reports whether w is a terminal whose user has not refused colours
// (https://no-color.org).
func wantsColour(w io.Writer) bool {
	return isTerminal(w) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
