package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/lintel-policy/lintel/report"
)

// version is set by the linker (-X main.version=v1.2.3) where a binary is built
// without git, as the image is. If empty, Go knows the version.
var version string

// A build says what this binary was built from.
type build struct {
	Version  string `json:"version"`            // of the module
	Commit   string `json:"commit,omitempty"`   // full hash; empty if it was not built from a checkout
	Time     string `json:"time,omitempty"`     // of the commit, as RFC 3339
	Modified bool   `json:"modified,omitempty"` // whether the checkout was not as committed
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func newVersion(s streams) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version of lintel",
		Example: `  lintel version
  lintel version -o json`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return tellVersion(s.out, output) },
	}
	outputFlag(cmd, &output)
	return cmd
}

func tellVersion(w io.Writer, output string) error {
	b, err := readBuild()
	if err != nil {
		return err
	}
	return writeAs(w, output, b, b.text)
}

// outputFlag adds the flag for the format of what is no report.
func outputFlag(cmd *cobra.Command, output *string) {
	cmd.Flags().StringVarP(output, "output", "o", "text", "`format` of the output: text or json")
	complete(cmd, "output", "text", "json")
}

// checkFormat refuses a format that [writeAs] does not know, before there is work.
func checkFormat(format string) error {
	if format != "text" && format != "json" {
		return unknownFormat(format, []string{"text", "json"})
	}
	return nil
}

func unknownFormat(format string, known []string) error {
	return fmt.Errorf("format %q is unknown: it is one of %q", format, known)
}

// writeAs writes v as JSON, or as text writes it.
func writeAs(w io.Writer, format string, v any, text func(io.Writer) error) error {
	if err := checkFormat(format); err != nil {
		return err
	}
	if format == "json" {
		return report.EncodeJSON(w, v)
	}
	return text(w)
}

func readBuild() (build, error) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return build{}, errors.New("this binary does not say what it was built from")
	}
	b := build{Version: info.Main.Version, Go: info.GoVersion, Platform: runtime.GOOS + "/" + runtime.GOARCH}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.time":
			b.Time = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	b.Version = cmp.Or(version, b.Version, "(devel)")
	return b, nil
}

func (b build) text(w io.Writer) error {
	commit := ""
	if b.Commit != "" {
		commit = " commit " + b.Commit
		if b.Modified {
			commit += " (modified)"
		}
	}
	_, err := fmt.Fprintf(w, "lintel %s%s %s %s\n", b.Version, commit, b.Go, b.Platform)
	return err
}
