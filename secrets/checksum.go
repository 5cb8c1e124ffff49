package secrets

var checksums = map[string]func(string) bool{}
