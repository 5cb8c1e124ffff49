package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/lintel-policy/lintel/policies"
)

func newPoliciesNew(s streams) *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "new NAME",
		Short: "Begin a new policy",
		Long: `Make the folder of a new policy, with Rego, a test of it and samples. It is a whole
policy that passes "lintel test", to be changed into the one that is wanted. What is
there already is never overwritten.

NAME has small letters, digits and "-".`,
		Example: `  lintel policies new pull-secrets --dir ./policies
  lintel test ./policies/pull-secrets`,
		Args:              named(`name the policy, as in "lintel policies new pull-secrets"`),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(_ *cobra.Command, args []string) error {
			made, err := policies.New(dir, args[0])
			for _, file := range made {
				fmt.Fprintln(s.out, file)
			}
			return err
		},
	}
	cmd.Flags().StringVar(&dir, "dir", ".", "`folder` to make the policy's folder in")
	return cmd
}
