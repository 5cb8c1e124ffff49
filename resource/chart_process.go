package resource

import (
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"time"
)

// Limits of the process that renders one chart. The largest charts in use take a
// second and 100 MB.
const (
	chartTimeout = 30 * time.Second

	// maxChartMemory is how much memory it may take. Beyond it the process ends.
	maxChartMemory = 1 << 30

	// maxRendered is how many bytes a chart may become.
	maxRendered = 2 * MaxFile
)

// A chartJob is what the process that renders is given.
type chartJob struct {
	Files              []chartFile // of a folder
	Archive            []byte      // instead of files, a packaged chart
	Values             []chartFile
	Set, SetString     []string
	APIVersions        []string
	Release, Namespace string
}

type chartFile struct {
	Name string
	Data []byte
}

// A chartAnswer is what it says.
type chartAnswer struct {
	Library bool // the chart is one that renders nothing
	Texts   []chartText
	Fault   *chartFault
}

// A chartText is what became of a template, or a CustomResourceDefinition of a chart.
type chartText struct {
	Place string // the file in the chart
	Text  []byte
	Plain bool    // the text is that of the file
	Lines []int32 // line in the file of each line of the text; 0 where it is not known
	name  string  // of the template in helm
}

// A chartFault says why a chart could not be rendered.
type chartFault struct {
	File    string // a file outside the chart; "" if the fault is in it
	Place   string // the file in the chart; "" if it is the chart as a whole
	Line    int
	Message string
}

// RenderCharts renders the chart that a parent process writes to in, and answers
// on out. It takes limits that end the process, and must be all that the process
// does.
func RenderCharts(in io.Reader, out io.Writer) error {
	if err := limitProcess(); err != nil {
		return err
	}
	var job chartJob
	if err := gob.NewDecoder(in).Decode(&job); err != nil {
		return fmt.Errorf("read chart: %w", err)
	}
	if err := gob.NewEncoder(out).Encode(job.answer()); err != nil {
		return fmt.Errorf("write answer: %w", err)
	}
	return nil
}

// runRenderer has the job done by a process of its own.
func runRenderer(ctx context.Context, o ChartOptions, job chartJob) (*chartAnswer, error) {
	timeout := o.Timeout
	if timeout == 0 {
		timeout = chartTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var in bytes.Buffer
	if err := gob.NewEncoder(&in).Encode(job); err != nil {
		return nil, fmt.Errorf("write chart: %w", err)
	}
	out, said := &bounded{limit: 2 * maxRendered}, &bounded{limit: 64 << 10}
	cmd := exec.CommandContext(ctx, o.Renderer[0], o.Renderer[1:]...)
	cmd.Env = []string{"PATH="} // what a template may not see is not there
	cmd.Dir = "/"
	cmd.Stdin, cmd.Stdout, cmd.Stderr = &in, out, said
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		return nil, endError(ctx, err, out, said, timeout)
	}
	var answer chartAnswer
	if err := gob.NewDecoder(&out.kept).Decode(&answer); err != nil {
		return nil, errors.New("render: the process that renders charts gave no answer")
	}
	return &answer, nil
}

// outOfMemory matches what Go's runtime says when the system gives it no memory,
// and of a stack that has grown too large.
var outOfMemory = regexp.MustCompile(`(?m)^(fatal error|runtime): .*(memory|map pages|stack|OS thread)`)

// endError says why the process ended. What it said itself is not repeated: it may
// hold values.
func endError(ctx context.Context, err error, out, said *bounded, timeout time.Duration) error {
	var exit *exec.ExitError
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Errorf("takes more than %v to render", timeout)
	case out.full:
		return errRendered
	case outOfMemory.Match(said.kept.Bytes()), errors.As(err, &exit) && exit.ExitCode() < 0:
		return fmt.Errorf("takes more than %d MiB of memory to render", maxChartMemory>>20)
	case errors.As(err, &exit):
		return fmt.Errorf("render: the process that renders charts ends with %w", exit)
	}
	return fmt.Errorf("start the process that renders charts: %w", err)
}

var errRendered = fmt.Errorf("becomes more than %d MiB when it is rendered", maxRendered>>20)

// A bounded keeps what is written to it up to a limit, and refuses the rest.
type bounded struct {
	kept  bytes.Buffer
	limit int
	full  bool
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.kept.Len()+len(p) > b.limit {
		b.full = true
		return 0, io.ErrShortWrite
	}
	return b.kept.Write(p)
}
