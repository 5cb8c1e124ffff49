package main

import (
	"path/filepath"

	"github.com/spf13/cobra"
)

// The names under which kubectl finds lintel on the PATH: as a plugin, and as
// what completes the plugin's commands. They are links to the same binary.
const (
	pluginName   = "kubectl-lintel"
	completeName = "kubectl_complete-lintel"
)

// asCalled changes root and its arguments to the name that the binary was called by.
func asCalled(root *cobra.Command, name string, args []string) []string {
	switch filepath.Base(name) {
	case pluginName:
		root.Annotations = map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl lintel"}
	case completeName:
		return append([]string{cobra.ShellCompRequestCmd}, args...)
	}
	return args
}
