package engine

// EachError returns the errors that err joins, and those that these join in turn; err
// itself if it joins none; and none of nil. One that wraps another is one error.
func EachError(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error }) //nolint:errorlint // one that wraps is one error, whatever is in it
	if !ok {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, EachError(e)...)
	}
	return all
}
