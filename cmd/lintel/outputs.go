package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lintel-policy/lintel/report"
)

// outputs are the flags that say how findings are told: in which formats, where
// to, and which of them fail the run.
type outputs struct {
	names        []string // of the formats that there are, the default first
	given        []string // "format" or "format=file"
	noFix, quiet bool
	failOn       string
	baseline     string // name of the file; "" without one

	targets []target
	formats []report.Format  // of the targets
	before  *report.Baseline // nil without one
	fails   report.FailOn
}

// flags adds the flags, of which one takes the names of formats.
func (o *outputs) flags(cmd *cobra.Command, formats []string) {
	o.names = formats
	flags := cmd.Flags()
	targetsFlag(cmd, &o.given, formats)
	flags.BoolVar(&o.noFix, "no-fix", false, "leave out of text how to put violations right")
	flags.BoolVarP(&o.quiet, "quiet", "q", false, "have text say nothing where nothing is denied or warned about")
	flags.StringVar(&o.failOn, "fail-on", report.FailOns()[0], "which `enforcement` of a violation makes the exit code 1: "+strings.Join(report.FailOns(), ", "))
	flags.StringVar(&o.baseline, "baseline", "", "`file` of old findings, which fail nothing; -o baseline=FILE writes one")
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
	if o.targets, err = readTargets(o.given, o.names); err != nil {
		return err
	}
	folder, _ := os.Getwd() // without it, SARIF does not say it
	b, _ := readBuild()     // without it, SARIF does not say it
	for _, t := range o.targets {
		format, err := report.New(t.format, report.Config{
			Colour: t.file == "" && wantsColour(stdout), NoFix: o.noFix, Quiet: o.quiet, Folder: folder, Root: os.Getenv("GITHUB_WORKSPACE"), Version: b.Version,
		})
		if err != nil {
			return err
		}
		o.formats = append(o.formats, format)
	}
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
	for i, t := range o.targets {
		errs = append(errs, t.write(stdout, func(w io.Writer) error { return o.formats[i].Write(w, r) }))
	}
	return errors.Join(errs...)
}

// finish writes r everywhere, tells of errors, and returns what the exit code is made of.
func (o *outputs) finish(r *report.Report, s streams) error {
	written := o.write(r, s.out)
	concluded := conclude(r, s.err)
	if written != nil {
		complain(s.err, written.Error())
		return errUntold
	}
	return concluded
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
