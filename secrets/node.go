package secrets

// Of returns v, as encoding/json decodes it, as a Node.
func Of(v any) Node {
	switch v := v.(type) {
	case map[string]any:
		return mapNode(v)
	case string, []any:
		return valueNode{v}
	}
	return otherNode{}
}

// A mapNode is a map. Maps are pointers, so that none is copied to be a Node.
type mapNode map[string]any

func (n mapNode) Text() (string, bool)            { return "", false }
func (n mapNode) Items(func(int, Node) bool) bool { return false }
func (n mapNode) Entries(yield func(string, Node) bool) bool {
	for key, v := range n {
		if !yield(key, Of(v)) {
			break
		}
	}
	return true
}

// A valueNode is a string or a list.
type valueNode struct{ v any }

func (n valueNode) Text() (string, bool) {
	s, ok := n.v.(string)
	return s, ok
}

func (n valueNode) Items(yield func(int, Node) bool) bool {
	list, ok := n.v.([]any)
	for i, v := range list {
		if !yield(i, Of(v)) {
			break
		}
	}
	return ok
}

func (n valueNode) Entries(func(string, Node) bool) bool { return false }

// An otherNode is a number, a boolean or null.
type otherNode struct{}

func (otherNode) Text() (string, bool)                 { return "", false }
func (otherNode) Items(func(int, Node) bool) bool      { return false }
func (otherNode) Entries(func(string, Node) bool) bool { return false }
