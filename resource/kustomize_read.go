package resource

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

var (
	errOutside   = errors.New("is not in or below the folder of the kustomization that names it")
	errIrregular = errors.New("is no regular file")
)

// readWithin reads a regular file in or below a folder, which is not left through
// symbolic links, not even by links that are made meanwhile.
func readWithin(folder, file string) ([]byte, error) {
	name, err := filepath.Rel(folder, file)
	if err != nil {
		return nil, errOutside
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, cause(err)
	}
	defer root.Close()
	info, err := root.Stat(name)
	if err != nil {
		return nil, cause(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errIrregular
	}
	return readBounded(func(flag int) (*os.File, error) { return root.OpenFile(name, flag, 0) }, MaxFile)
}

// isBelow reports whether a path is a folder or something in it. Both are
// absolute and free of links.
func isBelow(path, folder string) bool {
	return path == folder || strings.HasPrefix(path, strings.TrimSuffix(folder, "/")+"/")
}

// parseDocuments reads all documents of a file that kustomize would read as YAML.
// Its parser has no limits for aliases, so that what this one refuses must not
// reach it. The first line is the number of the first line of data.
func parseDocuments(data []byte, line int) ([]*node, error) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if trimmed := bytes.TrimSpace(data); len(trimmed) > 0 && (trimmed[0] == '{' || trimmed[0] == '[') && json.Valid(trimmed) {
		n, err := parseJSON(data, line)
		return []*node{n}, err
	}
	budget := encoder{budget: maxExpanded}
	var docs []*node
	s := splitter{rest: data, line: line}
	for {
		doc, start, err := s.next()
		if errors.Is(err, io.EOF) {
			return docs, nil
		}
		if err == nil && len(doc) > maxDocument {
			err = at(start, errDocument)
		}
		var n *node
		if err == nil {
			n, err = parseYAML(doc, start)
		}
		if err == nil && n != nil && bytes.IndexByte(doc, '*') >= 0 {
			_, err = budget.encode(n)
		}
		if err == nil && len(docs) >= maxDocuments {
			err = errEndless
		}
		if err != nil {
			return nil, err
		}
		if !n.isNull() {
			docs = append(docs, n)
		}
	}
}

// fold returns the field of n that a decoder of JSON would take for key.
func (n *node) fold(key string) *edge {
	if n == nil || n.kind != objectNode {
		return nil
	}
	if e := n.child(key); e != nil {
		return e
	}
	for i := range n.kids {
		if strings.EqualFold(n.kids[i].key, key) {
			return &n.kids[i]
		}
	}
	return nil
}

// lineAt returns the line of the field at a path, or of its nearest ancestor. Keys
// are folded.
func (n *node) lineAt(path ...any) int {
	line := int(n.line)
	for _, step := range path {
		var e *edge
		if key, ok := step.(string); ok {
			e = n.fold(key)
		} else {
			e = n.child(step)
		}
		if e == nil {
			break
		}
		n, line = e.node, int(e.line)
	}
	return line
}

func quoted(entry string) string { return fmt.Sprintf("%q", clip(entry, 200)) }
