package policies

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
	sigsyaml "sigs.k8s.io/yaml"
)

// split returns the documents of a file that are not empty: JSON values one after
// the other, or YAML between lines of "---".
func split(file string, data []byte) []document {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if documents, ok := splitJSON(file, data); ok {
		return documents
	}
	var documents []document
	line := 0
	for _, text := range splitYAML(data) {
		if d := parse(file, text, line); d.json != nil || d.err != nil {
			documents = append(documents, d)
		}
		line += bytes.Count(text, []byte("\n"))
	}
	return documents
}

// splitJSON returns the JSON objects that data is made of, if it is.
func splitJSON(file string, data []byte) ([]document, bool) {
	if !bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
		return nil, false
	}
	var documents []document
	dec := json.NewDecoder(bytes.NewReader(data))
	for {
		var raw json.RawMessage
		err := dec.Decode(&raw)
		if errors.Is(err, io.EOF) {
			return documents, true
		}
		if err != nil || raw[0] != '{' {
			return nil, false
		}
		start := dec.InputOffset() - int64(len(raw))
		d := document{file: file, json: raw, base: bytes.Count(data[:start], []byte("\n"))}
		d.line = d.base + 1
		if tree, err := parseTree(raw); err == nil {
			d.tree = tree
		}
		documents = append(documents, d)
	}
}

// splitYAML cuts data before each line that begins with "---", as kubectl does.
func splitYAML(data []byte) [][]byte {
	var documents [][]byte
	start := 0
	for at := 0; at < len(data); {
		if at > start && bytes.HasPrefix(data[at:], []byte("---")) {
			documents = append(documents, data[start:at])
			start = at
		}
		next := bytes.IndexByte(data[at:], '\n')
		if next < 0 {
			break
		}
		at += next + 1
	}
	return append(documents, data[start:])
}

// parse reads one YAML document that comes after base lines of its file. An empty
// one has neither JSON nor an error.
func parse(file string, text []byte, base int) document {
	d := document{file: file, line: base + 1, base: base}
	tree, err := parseTree(text)
	switch {
	case err != nil:
		d.err = d.yamlError(err)
		return d
	case tree == nil || tree.Tag == "!!null":
		return d
	}
	d.tree, d.line = tree, base+tree.Line
	if tree.Kind != yaml.MappingNode {
		d.err = d.errorf("", "is no Policy or PolicyException")
		return d
	}
	if d.err = d.repeated(tree); d.err != nil {
		return d
	}
	if d.json, err = sigsyaml.YAMLToJSONStrict(text); err != nil {
		d.err = d.yamlError(err)
	}
	return d
}

// parseTree returns the first document of text, nil if it is empty.
func parseTree(text []byte) (*yaml.Node, error) {
	var n yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(text))
	if err := dec.Decode(&n); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	if err := dec.Decode(&yaml.Node{}); !errors.Is(err, io.EOF) {
		return nil, errors.New(`has text after its end: separate documents with "---"`)
	}
	return n.Content[0], nil
}

// yamlLine is where errors of the YAML parser have the line.
var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

// yamlError puts file and line to an error of the YAML parser.
func (d document) yamlError(err error) error {
	text := err.Error()
	line := d.line
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		if n, err := strconv.Atoi(m[1]); err == nil {
			line = d.base + n
		}
		text = text[len(m[0]):]
	}
	return fmt.Errorf("%s:%d: read YAML: %s", d.file, line, strings.ReplaceAll(text, "\n", ";"))
}

// repeated returns an error for the keys that a mapping in n has twice. The
// mappings that aliases stand for are looked at where they are written.
func (d document) repeated(n *yaml.Node) error {
	var errs []error
	seen := map[string]bool{}
	for i, inner := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 {
			if seen[inner.Value] {
				errs = append(errs, fmt.Errorf("%s:%d: key %q is there twice", d.file, d.base+inner.Line, inner.Value))
			}
			seen[inner.Value] = true
		}
		if err := d.repeated(inner); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
