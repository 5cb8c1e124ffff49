package report

import "github.com/lintel-policy/lintel/api/v1alpha1"

// A colour is a Select Graphic Rendition parameter of ECMA-48.
type colour string

const (
	red    colour = "1;31"
	yellow colour = "33"
	cyan   colour = "36"
	faint  colour = "2"
)

// colourOf returns how much a headline stands out.
func colourOf(e v1alpha1.Enforcement) colour {
	switch e {
	case v1alpha1.Deny:
		return red
	case v1alpha1.Warn:
		return yellow
	default:
		return cyan
	}
}

func (t *text) paint(c colour, s string) string {
	if !t.cfg.Colour {
		return s
	}
	return "\x1b[" + string(c) + "m" + s + "\x1b[0m"
}
