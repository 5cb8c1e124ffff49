package splice

import (
	"regexp"
	"strconv"
	"strings"
)

var valueName = regexp.MustCompile(`\.Values((?:\.[A-Za-z_][A-Za-z0-9_]*)+)`)

// tooGeneral are keys below which a template uses values for everything.
var tooGeneral = map[string]bool{"spec": true, "template": true, "metadata": true, "containers": true, "initContainers": true} //nolint:gochecknoglobals // never changed

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

// blockLines returns a line and those after it that are indented deeper.
func blockLines(lines []string, first int) []string {
	lines = lines[min(first, len(lines)):]
	for i, line := range lines {
		if i > 0 && strings.TrimSpace(line) != "" && indent(line) <= indent(lines[0]) {
			return lines[:i]
		}
	}
	return lines
}

func indent(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }

var (
	aroundKey = regexp.MustCompile(`^{{-? *with \.Values((?:\.[A-Za-z_][A-Za-z0-9_]*)+) *-?}}`)
	condition = regexp.MustCompile(`^{{-? *(?:else )?if `)
)

// valuesBelow returns the values that a key gets: those on its line and in what stands
// alone on a line below it, such as toYaml. Where that is of ".", the value is that of
// a with around the key. Values that decide whether something is there at all, and
// those of keys below the key, are others.
func valuesBelow(lines []string, key string) []string {
	var names []string
	seen := map[string]bool{}
	within, around := -1, ""
	for i, line := range lines {
		text := strings.TrimLeft(line, " ")
		if within >= 0 && text != "" && indent(line) <= within {
			within = -1
		}
		field := strings.TrimPrefix(text, "- ")
		isKey := within < 0 && (strings.HasPrefix(field, key+":") || strings.HasPrefix(field, `"`+key+`":`))
		if isKey {
			within, around = len(line)-len(field), ""
			if m := aroundKey.FindStringSubmatch(strings.TrimSpace(lines[max(i-1, 0)])); m != nil {
				around = m[1]
			}
		}
		if within < 0 || !isKey && !strings.HasPrefix(text, "{{") || condition.MatchString(text) {
			continue
		}
		found := valueName.FindAllStringSubmatch(line, -1)
		if len(found) == 0 && around != "" && strings.Contains(line, "toYaml . ") {
			found = [][]string{{"", around}}
		}
		for _, m := range found {
			if name := strings.TrimPrefix(m[1], "."); !seen[name] {
				seen[name] = true
				names = append(names, name)
			}
		}
	}
	return names
}
