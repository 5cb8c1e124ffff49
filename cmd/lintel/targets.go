package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// A target is one format and the file that it goes to.
type target struct {
	format string
	file   string // "" is standard output
}

// targetsFlag adds the flag that says in which formats results are told and where to.
func targetsFlag(cmd *cobra.Command, given *[]string, formats []string) {
	cmd.Flags().StringArrayVarP(given, "output", "o", formats[:1],
		"`format[=file]` of the output: "+strings.Join(formats, ", ")+"; without a file on standard output; repeatable")
	cmd.Flag("output").DefValue = formats[0]
	must(cmd.RegisterFlagCompletionFunc("output", func(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		if strings.Contains(typed, "=") {
			return nil, cobra.ShellCompDirectiveDefault
		}
		return formats, cobra.ShellCompDirectiveNoFileComp
	}))
}

// readTargets returns the targets that the values of the flag name, each with a
// place of its own that can be written to, as far as that can be seen.
func readTargets(given, formats []string) ([]target, error) {
	var targets []target
	for _, value := range given {
		format, file, named := strings.Cut(value, "=")
		switch {
		case !slices.Contains(formats, format):
			return nil, unknownFormat(format, formats)
		case named && file == "":
			return nil, fmt.Errorf("output %q names no file", value)
		case file == "-":
			file = ""
		case file != "":
			file = filepath.Clean(file)
		}
		taken := slices.ContainsFunc(targets, func(t target) bool { return t.file == file })
		switch {
		case taken && file == "":
			return nil, errors.New("two outputs go to standard output: give one of them a file, as in -o junit=lintel.xml")
		case taken:
			return nil, fmt.Errorf("two outputs go to %s", file)
		case file != "":
			if err := canReplace(file); err != nil {
				return nil, err
			}
		}
		targets = append(targets, target{format, file})
	}
	return targets, nil
}

// write has a function write the results to the place of the target.
func (t target) write(stdout io.Writer, results func(io.Writer) error) error {
	if t.file == "" {
		if err := results(stdout); err != nil {
			return fmt.Errorf("write results: %w", err)
		}
		return nil
	}
	var buf bytes.Buffer
	err := results(&buf)
	if err == nil {
		err = replaceFile(t.file, buf.Bytes())
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", t.file, err)
	}
	return nil
}
