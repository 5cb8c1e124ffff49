package splice

import (
	"regexp"
	"strconv"
	"strings"
)

var valueName = regexp.MustCompile(`\.Values((?:\.[A-Za-z_][A-Za-z0-9_]*)+)`)

// tooGeneral are keys below which a template uses values for everything.
var tooGeneral = map[string]bool{"spec": true, "template": true, "metadata": true, "containers": true, "initContainers": true}

// ValueFor returns the value of a chart that decides on a field, such as
// resources.requests.cpu, as far as the template says it: the one that is named below
// the field's key, or below that of what the field is in. The object begins on a line
// of the template, and the field is at path, a JSON pointer, in it; lineOf tells the
// line of what the first steps of path lead to, or of the nearest thing that it is in,
// so that the items of a list are told apart. It returns "" where the template names
// no value or several.
func ValueFor(template []byte, line int, path string, lineOf func(steps int) int) string {
	document := objectLines(string(template), line)
	keys := Steps(path)
	for i := len(keys) - 1; i >= 0 && !tooGeneral[keys[i]]; i-- {
		lines := document
		if at := lineOf(i + 1); at > line {
			lines = blockLines(document, at-line)
		}
		if names := valuesBelow(lines, keys[i]); len(names) == 1 {
			return strings.Join(append(names, untilItem(keys[i+1:])...), ".")
		} else if len(names) > 1 {
			return ""
		}
	}
	return ""
}

// untilItem returns the keys before the first index: what makes a list of a template
// need not be a list in the values.
func untilItem(keys []string) []string {
	for i, key := range keys {
		if _, err := strconv.Atoi(key); err == nil || key == "-" {
			return keys[:i]
		}
	}
	return keys
}

// objectLines returns the lines of a template from the one that an object begins on
// to the end of its document.
func objectLines(template string, line int) []string {
	lines := strings.Split(template, "\n")
	lines = lines[min(max(line-1, 0), len(lines)):]
	for i := range lines {
		if i > 0 && strings.HasPrefix(lines[i], "---") {
			return lines[:i]
		}
	}
	return lines
}

// blockLines returns a line and those after it that are indented deeper, and what
// actions stand among them.
func blockLines(lines []string, first int) []string {
	lines = lines[min(first, len(lines)):]
	for i, line := range lines {
		text := strings.TrimLeft(line, " ")
		isDeeper := len(line)-len(text) > len(lines[0])-len(strings.TrimLeft(lines[0], " "))
		if i > 0 && text != "" && !isDeeper && !strings.HasPrefix(text, "{{") {
			return lines[:i]
		}
	}
	return lines
}

// valuesBelow returns the values that are named on the lines of a key and on those
// that are indented deeper.
func valuesBelow(lines []string, key string) []string {
	var names []string
	seen := map[string]bool{}
	within := -1
	for _, line := range lines {
		text := strings.TrimLeft(line, " ")
		width := len(line) - len(text)
		isAction := strings.HasPrefix(text, "{{")
		if within >= 0 && text != "" && width <= within && !isAction {
			within = -1
		}
		field := strings.TrimPrefix(text, "- ")
		if within < 0 && (strings.HasPrefix(field, key+":") || strings.HasPrefix(field, `"`+key+`":`)) {
			within = len(line) - len(field)
		}
		if within < 0 {
			continue
		}
		for _, m := range valueName.FindAllStringSubmatch(line, -1) {
			if name := strings.TrimPrefix(m[1], "."); !seen[name] {
				seen[name] = true
				names = append(names, name)
			}
		}
	}
	return names
}
