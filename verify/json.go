package verify

import (
	"encoding/json"
	"io"
)

type jsonResult struct {
	Policy    string      `json:"policy"`
	Origin    string      `json:"origin"`
	Passed    bool        `json:"passed"`
	Coverage  *float64    `json:"coverage,omitempty"`
	Uncovered []jsonLines `json:"uncovered,omitempty"`
	Cases     []jsonCase  `json:"cases"`
	Problems  []jsonPlace `json:"problems"`
	Error     string      `json:"error,omitempty"`
}

type jsonLines struct {
	File  string `json:"file"`
	First int    `json:"first"`
	Last  int    `json:"last"`
}

type jsonCase struct {
	Kind    Kind    `json:"kind"`
	Name    string  `json:"name"`
	File    string  `json:"file"`
	Line    int     `json:"line"`
	Passed  bool    `json:"passed"`
	Skipped bool    `json:"skipped,omitempty"`
	Failure string  `json:"failure,omitempty"`
	Output  string  `json:"output,omitempty"`
	Seconds float64 `json:"seconds"`
}

type jsonPlace struct {
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"`
	Message string `json:"message"`
}

func writeJSON(w io.Writer, results []*Result) error {
	all := []jsonResult{}
	passed := 0
	for _, r := range results {
		j := jsonResult{Policy: r.Policy, Origin: r.Origin, Passed: r.Passed(), Cases: []jsonCase{}, Problems: []jsonPlace{}}
		if r.Passed() {
			passed++
		}
		if r.Broken != nil {
			j.Error = r.Broken.Error()
		}
		if r.Coverage != nil {
			j.Coverage = &r.Coverage.Percent
			for _, l := range r.Coverage.Uncovered {
				j.Uncovered = append(j.Uncovered, jsonLines(l))
			}
		}
		for _, c := range r.Cases {
			j.Cases = append(j.Cases, jsonCase{c.Kind, c.Name, c.File, c.Line, c.Failure == "" && !c.Skipped, c.Skipped, c.Failure, c.Output, c.Duration.Seconds()})
		}
		for _, p := range r.Problems {
			j.Problems = append(j.Problems, jsonPlace(p))
		}
		all = append(all, j)
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(struct {
		Policies []jsonResult   `json:"policies"`
		Summary  map[string]int `json:"summary"`
	}{all, map[string]int{"policies": len(results), "passed": passed}})
}
