package resource

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"helm.sh/helm/v4/pkg/ignore"
)

// Limits of the files of one chart.
const (
	// maxChartBytes is how many bytes they may have together, which is what helm
	// itself takes.
	maxChartBytes = 100 << 20

	// maxChartFiles is how many there may be; the largest charts in use have about
	// a thousand.
	maxChartFiles = 10_000
)

// A gatherer reads the files of a chart as helm does, but follows no symbolic link
// out of its folder.
type gatherer struct {
	ctx   context.Context //nolint:containedctx // that of one call of Walk, which callbacks do not pass on
	root  *os.Root
	src   chartSource
	rules *ignore.Rules
	files []chartFile
	bytes int64
}

// gatherChart returns the files of the chart in a folder.
func gatherChart(ctx context.Context, root *os.Root, src chartSource) ([]chartFile, *Error) {
	g := &gatherer{ctx: ctx, root: root, src: src, rules: ignore.Empty()}
	if _, err := root.Lstat(ignore.HelmIgnore); err == nil {
		data, err := g.read(ignore.HelmIgnore)
		if err == nil {
			g.rules, err = ignore.Parse(bytes.NewReader(data))
		}
		if err != nil {
			return nil, g.fail(ignore.HelmIgnore, err)
		}
	}
	g.rules.AddDefaults()
	if err := g.folder(".", 0); err != nil {
		return nil, err
	}
	return g.files, nil
}

func (g *gatherer) fail(name string, err error) *Error {
	return &Error{File: g.src.shown(name), Err: cause(err)}
}

func (g *gatherer) folder(name string, depth int) *Error {
	if depth > maxFolders {
		return g.fail(name, fmt.Errorf("folders nest deeper than %d", maxFolders))
	}
	dir := walker{root: g.root}
	entries, err := dir.entries(name)
	if err != nil {
		return g.fail(name, fmt.Errorf("read folder: %w", cause(err)))
	}
	for _, entry := range entries {
		if err := g.entry(path.Join(filepath.ToSlash(name), entry.Name()), entry, depth); err != nil {
			return err
		}
	}
	return nil
}

// entry takes what is in a folder, and what a symbolic link in it leads to.
func (g *gatherer) entry(name string, entry fs.DirEntry, depth int) *Error {
	if err := g.ctx.Err(); err != nil {
		return g.fail(name, err)
	}
	info, err := g.root.Stat(name)
	if err != nil {
		if link, err := entry.Info(); err == nil && (g.rules.Ignore(name, link) || isReading(name)) {
			return nil
		}
		if entry.Type()&fs.ModeSymlink != 0 {
			err = errors.New("is a symbolic link that leads nowhere or out of the chart")
		}
		return g.fail(name, err)
	}
	switch {
	case g.rules.Ignore(name, info):
		return nil
	case info.IsDir():
		return g.folder(name, depth+1)
	case !info.Mode().IsRegular():
		return g.fail(name, fmt.Errorf("is %s, no regular file, in a chart", modeName(info.Mode())))
	case len(g.files) == maxChartFiles:
		return g.fail("", fmt.Errorf("has more than %d files: list in %s what does not belong to the chart", maxChartFiles, ignore.HelmIgnore))
	}
	data, err := g.read(name)
	if err != nil {
		return g.fail(name, err)
	}
	g.files = append(g.files, chartFile{name, bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))})
	return nil
}

// isReading reports whether a file is for people, so that nothing is missing if it
// cannot be read. Repositories often link those to one at their top.
func isReading(name string) bool {
	return !strings.Contains(name, "/") && (path.Ext(name) == ".md" || strings.HasPrefix(name, "LICENSE"))
}

func (g *gatherer) read(name string) ([]byte, error) {
	data, err := readBounded(func(flag int) (*os.File, error) { return g.root.OpenFile(name, flag, 0) }, maxChartBytes-g.bytes)
	if errors.Is(err, errTooLarge) {
		err = fmt.Errorf("makes the chart larger than %d MiB", maxChartBytes>>20)
	}
	g.bytes += int64(len(data))
	return data, err
}

// readBounded reads a file that was regular a moment ago, and has at most limit bytes.
func readBounded(open func(flag int) (*os.File, error), limit int64) ([]byte, error) {
	f, size, err := openRegular(open)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if size > limit {
		return nil, errTooLarge
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, cause(err)
	}
	if int64(len(data)) > limit {
		return nil, errTooLarge
	}
	return data, nil
}
