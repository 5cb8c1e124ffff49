package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDiff(t *testing.T) {
	cases := map[string]struct {
		reason        string
		before, after string
		want          string
	}{
		"Same":    {reason: "Where nothing differs, nothing is shown.", before: "a b c", after: "a b c"},
		"Added":   {reason: "What is added has a plus, and two lines around it.", before: "a b c d e f", after: "a b c X d e f", want: "  ...|  b|  c|+ X|  d|  e"},
		"Removed": {reason: "What is taken away has a minus.", before: "a b c", after: "a c", want: "  a|- b|  c"},
		"Changed": {reason: "A change is both, in that order.", before: "a b c", after: "a X c", want: "  a|- b|+ X|  c"},
		"Far":     {reason: "Dots stand for what is left out between.", before: "a b c d e f g", after: "X b c d e f Y", want: "- a|+ X|  b|  c|  ...|  e|  f|- g|+ Y"},
		"Ends":    {reason: "Beginning and end count as well.", before: "b", after: "a b c", want: "+ a|  b|+ c"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := strings.Join(diff(strings.Fields(tc.before), strings.Fields(tc.after)), "|")
			if d := cmp.Diff(tc.want, got); d != "" {
				t.Errorf("%s\ndiff(...): -want, +got:\n%s", tc.reason, d)
			}
		})
	}
}

func TestReadable(t *testing.T) {
	got, err := readable([]byte(`{"kind": "Deployment", "metadata": {"name": "web", "uid": "1", "managedFields": []}, "spec": {"replicas": 3}, "status": {}}`))
	want := []string{"kind: Deployment", "metadata:", "  name: web", "spec:", "  replicas: 3"}
	if d := cmp.Diff(want, got); err != nil || d != "" {
		t.Errorf("readable(...): error %v, -want, +got:\n%s", err, d)
	}
}
