package measure

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Read reads a report that was saved as JSON.
func Read(data []byte) (*Report, error) {
	var r Report
	if err := json.Unmarshal(data, &r); err != nil || len(r.Costs) == 0 {
		return nil, errors.New("no saved run of lintel bench -o json")
	}
	return &r, nil
}

// A Comparison is how one run differs from a saved one.
type Comparison struct {
	Ratios []Ratio `json:"ratios"`
	// Doubts say why the two may not be comparable.
	Doubts []string `json:"doubts"`
}

// A Ratio is how many times as much something costs as in the saved run, by the
// fastest rounds and by the allocations.
type Ratio struct {
	Policy string  `json:"policy"`
	What   string  `json:"what"`
	Time   float64 `json:"time"`
	Allocs float64 `json:"allocs"`
}

// Compare compares a run with a saved one. What is not in both is left out.
func Compare(saved, now *Report) Comparison {
	c := Comparison{Ratios: []Ratio{}, Doubts: []string{}}
	if saved.Machine != now.Machine {
		c.Doubts = append(c.Doubts, fmt.Sprintf("the saved run is of another machine or Go: %s", saved.Machine))
	}
	if saved.Objects != now.Objects {
		c.Doubts = append(c.Doubts, "the saved run is of other objects")
	}
	type key struct{ policy, what string }
	before := map[key]Cost{}
	for _, cost := range saved.Costs {
		before[key{cost.Policy, cost.What}] = cost
	}
	for _, cost := range now.Costs {
		was, ok := before[key{cost.Policy, cost.What}]
		if !ok || was.Best <= 0 || cost.Best <= 0 {
			continue
		}
		c.Ratios = append(c.Ratios, Ratio{cost.Policy, cost.What, float64(cost.Best) / float64(was.Best), float64(cost.Allocs) / float64(max(1, was.Allocs))})
	}
	return c
}

// Above returns what takes more than limit times as long.
func (c Comparison) Above(limit float64) []Ratio {
	var slow []Ratio
	for _, r := range c.Ratios {
		if r.Time > limit {
			slow = append(slow, r)
		}
	}
	return slow
}

// of returns the ratio for a cost.
func (c *Comparison) of(cost Cost) (Ratio, bool) {
	if c != nil {
		for _, r := range c.Ratios {
			if r.Policy == cost.Policy && r.What == cost.What {
				return r, true
			}
		}
	}
	return Ratio{}, false
}
