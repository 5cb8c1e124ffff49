package splice

import (
	"regexp"
	"strings"
)

var valueName = regexp.MustCompile(`\.Values((?:\.[A-Za-z_][A-Za-z0-9_]*)+)`)

// tooGeneral are keys below which a template uses values for everything.
var tooGeneral = map[string]bool{"spec": true, "template": true, "metadata": true, "containers": true, "initContainers": true} //nolint:gochecknoglobals // never changed

// ValueFor returns the value of a chart that decides on a field, such as
// resources.requests.cpu, as far as the template says it: the one that is named below
// the field's key, or below that of what the field is in. The object begins on a line
// of the template, and the field is at path, a JSON pointer, in it. It returns ""
// where the template names no value or several.
func ValueFor(template []byte, line int, path string) string {
	lines := objectLines(string(template), line)
	keys := Steps(path)
	for i := len(keys) - 1; i >= 0 && !tooGeneral[keys[i]]; i-- {
		if names := valuesBelow(lines, keys[i]); len(names) == 1 {
			return strings.Join(append(names, keys[i+1:]...), ".")
		} else if len(names) > 1 {
			return ""
		}
	}
	return ""
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
			within = width
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
