package engine

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"
)

// perValue is how much memory judging takes for each value of a review, in bytes.
// A value of two or three bytes of JSON, such as {} or 0, becomes a term of up to
// 150 bytes, and what the policies of the library make of a pod with a million
// containers of that size is as much again, with all the time that a review has.
const perValue = 256

// Weight returns about how much memory it takes to decode a review and to judge
// it, in bytes. It depends on how many values there are far more than on how long
// the text is, of which there are two copies at most: as it came and without
// escapes. Commas and brackets in strings count as well: what they are part
// of may be JSON itself, which policies decode.
func Weight(review []byte) int64 {
	values := 0
	for _, mark := range []string{",", "{", "["} {
		values += bytes.Count(review, []byte(mark))
	}
	return 2*int64(len(review)) + perValue*int64(values)
}

// maxHead is how many bytes of a review there may be beside its objects. The
// longest part that an API server sends is the groups of a user.
const maxHead = 64 << 10

// DecodeHead reads an AdmissionReview like [Decode], but for its objects. It takes
// little memory, whatever they hold. The request is one for [Set.Undecided]: a
// policy that goes by labels of the object could not decide, either.
func DecodeHead(review []byte) (*Request, error) {
	d := newDecoder(string(review))
	d.headOnly = true
	r := &Request{}
	if err := d.review(r); err != nil {
		return nil, fmt.Errorf("decode head of AdmissionReview: %w", err)
	}
	if err := r.complete(); err != nil {
		return nil, fmt.Errorf("decode head of AdmissionReview: %w", err)
	}
	return r, nil
}

// errHead reports a review that is too large beside its objects.
var errHead = errors.New("too large beside its objects")

// small reads a value of the head, once it is known to be small enough.
func (d *decoder) small() (*ast.Term, error) {
	if !d.headOnly {
		return d.value(plain)
	}
	start := d.pos
	if err := d.skip(); err != nil {
		return nil, err
	}
	if d.head += d.pos - start; d.head > maxHead {
		return nil, d.fail(errHead)
	}
	return newDecoder(d.src[start:d.pos]).document(plain)
}
