package resource

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
	k8syaml "sigs.k8s.io/yaml"
)

// parseYAML reads the one YAML document of doc, which begins on the line given.
// The node is nil if there is only white space and comments.
//
// The parser of yaml/v3 is the one that tells positions; values are resolved as
// yaml/v2 does it, because kubectl uses that. The few documents on which the two
// parsers differ in what they refuse go through kubectl's own conversion, and
// have all their fields on their first line.
func parseYAML(doc []byte, line int) (*node, error) {
	root, err := yamlNode(doc)
	switch {
	case errors.Is(err, io.EOF):
		return nil, nil
	case errors.Is(err, ErrTrailing):
		return nil, at(line+strings.Count(strings.TrimRight(string(doc), "\n"), "\n"), err)
	case err != nil:
		return convert(doc, line)
	}
	c := composer{doc: doc, line: line, bang: bang(doc)}
	n, err := c.compose(root)
	if err != nil {
		return nil, err
	}
	return n, nil
}

// yamlNode parses doc, which must hold one document. The parser panics on some
// input that it did not expect; that is an error like any other.
func yamlNode(doc []byte) (root *yaml.Node, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = errors.New("is not valid YAML")
		}
	}()
	dec := yaml.NewDecoder(bytes.NewReader(doc))
	root = new(yaml.Node)
	if err := dec.Decode(root); err != nil {
		return nil, err
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, ErrTrailing
	}
	return root.Content[0], nil
}

// convert reads doc as kubectl does, after the parser with positions refused it.
// Nearly always this yields the better error: kubectl's parser names the line
// on which it stopped, the other that on which the enclosing value began.
func convert(doc []byte, line int) (*node, error) {
	json, err := yamlToJSON(doc)
	if err != nil {
		return nil, explain(err, doc, line)
	}
	root, err := parseJSON(json, 0)
	if err != nil {
		return nil, at(line, errors.Unwrap(err))
	}
	return root.on(int32(line)), nil
}

func yamlToJSON(doc []byte) (json []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = errors.New("is not valid YAML")
		}
	}()
	return k8syaml.YAMLToJSONStrict(doc)
}

var (
	yamlLine = regexp.MustCompile(`^line ([0-9]+): `)

	// yamlProblem matches the library's messages that are fixed texts. All
	// others quote the document.
	yamlProblem = regexp.MustCompile(`^(did not find|could not find|found|mapping (keys|values) are not|block (sequence|collection) entries are not|control characters are not|(invalid|incomplete) .*UTF-8|exceeded max depth|document contains excessive)[ a-zA-Z0-9%,.'":<>\[\]{}()-]*$`)

	// parserProblem matches those whose line is counted from 0.
	parserProblem = regexp.MustCompile(`^(did not find expected (<|node|'-'|key|',')|found (duplicate|incompatible|undefined))`)
)

// explain rewrites an error of the YAML library so that it names the line in
// the file and quotes nothing.
func explain(err error, doc []byte, line int) *Error {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		text = text[len(m[0]):]
		n, _ := strconv.Atoi(m[1])
		if parserProblem.MatchString(text) {
			n++
		}
		line += n - 1
	} else {
		line += firstIllegal(doc)
	}
	switch {
	case strings.HasPrefix(text, "unknown anchor"):
		text = "alias to an anchor that is not there"
	case !yamlProblem.MatchString(text):
		text = "syntax error"
	}
	return at(line, fmt.Errorf("read YAML: %s", text))
}

// firstIllegal returns the number of lines before the first character that YAML
// forbids, 0 if there is none.
func firstIllegal(doc []byte) int {
	lines := 0
	for len(doc) > 0 {
		r, n := utf8.DecodeRune(doc)
		switch {
		case r == '\n':
			lines++
		case r == utf8.RuneError && n == 1, r < ' ' && r != '\t' && r != '\r', r >= 0x7f && r < 0xa0 && r != 0x85:
			return lines
		}
		doc = doc[n:]
	}
	return 0
}

// bang reports whether doc may have the tag "!", which yaml/v3 does not pass on.
func bang(doc []byte) bool {
	for i := bytes.IndexByte(doc, '!'); i >= 0; {
		if i+1 == len(doc) || bytes.IndexByte([]byte(" \t\r\n,]}"), doc[i+1]) >= 0 {
			return true
		}
		next := bytes.IndexByte(doc[i+1:], '!')
		if next < 0 {
			break
		}
		i += 1 + next
	}
	return false
}
