package splice

import (
	"regexp"
	"strings"
)

// generated matches comments that programs write at the head of what they make.
var generated = regexp.MustCompile(`(?i)\b(code generated\b.*\bdo not edit|(auto-?)?generated (by|from|with)\b|(auto-?generated|generated file)\b.*\bdo not (edit|change|modify)|do not (edit|change|modify)\b.*\bgenerated)`)

// Generated returns the line on which the comments at the head of a file say that a
// program made it, 0 if they do not. Who changes such a file loses the change when
// it is made again.
func Generated(file []byte) int {
	head := string(file[:min(len(file), 4096)])
	number := 0
	for line := range strings.SplitSeq(strings.TrimPrefix(head, "\ufeff"), "\n") {
		number++
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "#") && generated.MatchString(line):
			return number
		case line != "" && line[0] != '#' && !strings.HasPrefix(line, "---"):
			return 0
		}
	}
	return 0
}
