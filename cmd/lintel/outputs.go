package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lintel-policy/lintel/report"
)

// outputs are the flags that say how findings are told: in which formats, where
// to, and which of them fail the run.
type outputs struct {
	given        []string // "format" or "format=file"
	noFix, quiet bool
	failOn       string
	baseline     string // name of the file; "" without one

	targets []target
	before  *report.Baseline // nil without one
	fails   report.FailOn
}

// A target is one format and the file that it goes to.
type target struct {
	format report.Format
	file   string // "" is standard output
}

// flags adds the flags.
func (o *outputs) flags(cmd *cobra.Command) {
	flags := cmd.Flags()
	standard := report.Formats()[0]
	flags.StringArrayVarP(&o.given, "output", "o", []string{standard},
		"`format[=file]` of the output: "+strings.Join(report.Formats(), ", ")+"; without a file on standard output; repeatable")
	cmd.Flag("output").DefValue = standard
	flags.BoolVar(&o.noFix, "no-fix", false, "leave out of text how to put violations right")
	flags.BoolVarP(&o.quiet, "quiet", "q", false, "have text say nothing where nothing is denied or warned about")
	flags.StringVar(&o.failOn, "fail-on", report.FailOns()[0], "which `enforcement` of a violation makes the exit code 1: "+strings.Join(report.FailOns(), ", "))
	flags.StringVar(&o.baseline, "baseline", "", "`file` of old findings, which fail nothing; -o baseline=FILE writes one")
	must(cmd.RegisterFlagCompletionFunc("output", func(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		if strings.Contains(typed, "=") {
			return nil, cobra.ShellCompDirectiveDefault
		}
		return report.Formats(), cobra.ShellCompDirectiveNoFileComp
	}))
	complete(cmd, "fail-on", report.FailOns()...)
}

// prepare reads what the flags name, so that what is wrong with them is told of
// before there is work.
func (o *outputs) prepare(stdout io.Writer) error {
	var err error
	if o.fails, err = report.ParseFailOn(o.failOn); err != nil {
		return fmt.Errorf("read --fail-on: %w", err)
	}
	if o.baseline != "" {
		if o.before, err = readBaseline(o.baseline); err != nil {
			return err
		}
	}
	for _, given := range o.given {
		if err := o.add(given, stdout); err != nil {
			return err
		}
	}
	return nil
}

// add adds the target that one value of the flag names.
func (o *outputs) add(given string, stdout io.Writer) error {
	name, file, named := strings.Cut(given, "=")
	if named && file == "" {
		return fmt.Errorf("output %q names no file", given)
	}
	if file == "-" {
		file = ""
	}
	if file != "" {
		file = filepath.Clean(file)
	}
	if slices.ContainsFunc(o.targets, func(t target) bool { return t.file == file }) {
		if file == "" {
			return errors.New("two outputs go to standard output: give one of them a file, as in -o sarif=lintel.sarif")
		}
		return fmt.Errorf("two outputs go to %s", file)
	}
	folder, _ := os.Getwd() // without it, SARIF does not say it
	b, _ := readBuild()     // without it, SARIF does not say it
	format, err := report.New(name, report.Config{
		Colour: file == "" && wantsColour(stdout), NoFix: o.noFix, Quiet: o.quiet, Folder: folder, Root: os.Getenv("GITHUB_WORKSPACE"), Version: b.Version,
	})
	if err != nil {
		return err
	}
	if file != "" {
		if err := canReplace(file); err != nil {
			return err
		}
	}
	o.targets = append(o.targets, target{format, file})
	return nil
}

// write compares r with the baseline and writes it everywhere. What cannot be
// written to one place does not keep it from the others.
func (o *outputs) write(r *report.Report, stdout io.Writer) error {
	r.FailOn = o.fails
	if o.before != nil {
		o.before.Compare(r)
	}
	var errs []error
	for _, t := range o.targets {
		if t.file == "" {
			if err := t.format.Write(stdout, r); err != nil {
				errs = append(errs, fmt.Errorf("write results: %w", err))
			}
			continue
		}
		var buf bytes.Buffer
		err := t.format.Write(&buf, r)
		if err == nil {
			err = replaceFile(t.file, buf.Bytes())
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("write %s: %w", t.file, err))
		}
	}
	return errors.Join(errs...)
}

// maxBaseline is how large a baseline may be: a finding takes about 400 bytes.
const maxBaseline = 64 << 20

// readBaseline reads a baseline from a file.
func readBaseline(file string) (*report.Baseline, error) {
	data, err := readRegular(file, maxBaseline)
	if err != nil {
		return nil, fmt.Errorf("read baseline %s: %w", file, err)
	}
	return report.ReadBaseline(file, data)
}
