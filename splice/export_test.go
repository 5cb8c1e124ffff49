package splice

// Reads reports whether text reads as what the object is to become, whose document
// was before.
func Reads(text, before string, want any) (bool, error) {
	budget := maxParsed
	d := document{text: before, line: 1, budget: &budget}
	data, err := d.json(before)
	if err != nil {
		return false, err
	}
	was, err := decode(data)
	if err != nil {
		return false, err
	}
	return d.verify(text, was, []*job{{want: want}}), nil
}

// Decoded returns JSON as a value to be compared.
func Decoded(data string) (any, error) { return decode([]byte(data)) }
