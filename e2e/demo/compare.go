package main

import (
	"fmt"
	"os"
	"strings"

	"sigs.k8s.io/yaml"
)

// cat types a cat command, and shows what comes of it.
func (s *session) cat(file string) error {
	s.say("$ cat %s", file)
	data, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read a manifest: %w", err)
	}
	s.say("%s", data)
	return nil
}

// compareFiles returns the difference between two files.
func compareFiles(before, after string) (string, error) {
	var lines [2][]string
	for i, file := range []string{before, after} {
		data, err := os.ReadFile(file)
		if err != nil {
			return "", fmt.Errorf("read a manifest: %w", err)
		}
		lines[i] = strings.Split(strings.TrimSpace(string(data)), "\n")
	}
	return strings.Join(diff(lines[0], lines[1]), "\n") + "\n", nil
}

// readable returns the lines of an object that say what it is, without what API
// servers and controllers write for themselves.
func readable(object []byte) ([]string, error) {
	var fields map[string]any
	if err := yaml.Unmarshal(object, &fields); err != nil {
		return nil, fmt.Errorf("read the Deployment: %w", err)
	}
	delete(fields, "status")
	if meta, ok := fields["metadata"].(map[string]any); ok {
		for _, key := range []string{"annotations", "creationTimestamp", "generation", "managedFields", "namespace", "resourceVersion", "uid"} {
			delete(meta, key)
		}
	}
	text, err := yaml.Marshal(fields)
	if err != nil {
		return nil, fmt.Errorf("write the Deployment: %w", err)
	}
	return strings.Split(strings.TrimSpace(string(text)), "\n"), nil
}

// around is how many unchanged lines are shown before and after a change.
const around = 2

// diff returns the lines that differ, marked + and -, and some around them. A
// gap is a line of dots.
func diff(before, after []string) []string {
	all := align(before, after)
	var shown []string
	last := -1
	for i, line := range all {
		if !nearChange(all, i) {
			continue
		}
		if i > last+1 {
			shown = append(shown, "  ...")
		}
		shown, last = append(shown, line), i
	}
	return shown
}

// nearChange says whether one of the lines around i is changed.
func nearChange(lines []string, i int) bool {
	for _, line := range lines[max(0, i-around):min(len(lines), i+around+1)] {
		if line[0] != ' ' {
			return true
		}
	}
	return false
}

// align returns all lines of both, each after a mark: + and - for what only one
// has. As many as possible are common.
func align(before, after []string) []string {
	// common[i][j] is how many lines before[i:] and after[j:] can have in common.
	common := make([][]int, len(before)+1)
	for i := range common {
		common[i] = make([]int, len(after)+1)
	}
	for i := len(before) - 1; i >= 0; i-- {
		for j := len(after) - 1; j >= 0; j-- {
			if before[i] == after[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	var lines []string
	i, j := 0, 0
	for i < len(before) || j < len(after) {
		switch {
		case i < len(before) && j < len(after) && before[i] == after[j]:
			lines, i, j = append(lines, "  "+before[i]), i+1, j+1
		case j == len(after) || i < len(before) && common[i+1][j] >= common[i][j+1]:
			lines, i = append(lines, "- "+before[i]), i+1
		default:
			lines, j = append(lines, "+ "+after[j]), j+1
		}
	}
	return lines
}
