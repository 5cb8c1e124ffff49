package main

import (
	"fmt"
	"strings"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/lintel-policy/lintel/engine"
)

// show writes what would be changed as a unified diff. A diff shows the lines beside
// those that change: that of a file with a Secret is not shown.
func (c *fixCommand) show(changed []*fixFile) error {
	for _, f := range changed {
		if f.hasSecret {
			complain(c.streams.err, f.done("would fix")+": it is not shown, as the file has a Secret")
			continue
		}
		path := engine.Printable(f.path)
		text := string(diff.Diff(path+".orig", f.before, path, f.now))
		if isTerminal(c.streams.out) {
			text = forTerminal(text)
		}
		if _, err := fmt.Fprint(c.streams.out, text); err != nil {
			return fmt.Errorf("write results: %w", err)
		}
	}
	return nil
}

// forTerminal returns text without what moves a cursor or changes the direction of
// text. A program gets it as it is, to be applied.
func forTerminal(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		parts := strings.Split(strings.TrimSuffix(line, "\r"), "\t")
		for k := range parts {
			parts[k] = engine.Printable(parts[k])
		}
		lines[i] = strings.Join(parts, "\t")
	}
	return strings.Join(lines, "\n")
}
