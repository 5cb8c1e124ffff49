package resource

import (
	"regexp"
	"strings"
)

var (
	// urlScheme matches what begins like a URL. Kustomize takes "http:x" for one, too.
	urlScheme = regexp.MustCompile(`(?i)^(https?:|[a-z][a-z0-9+.-]*://)`)

	// urlStart matches what may be shown of a URL before its credentials.
	urlStart = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*:/*`)

	// repository matches all else that kustomize would clone: a forced protocol,
	// GitHub by its host alone, and user@host, as ssh has it.
	repository = regexp.MustCompile(`(?i)^(git::|github\.com[/:]|[a-z][a-z0-9-]*@)`)
)

// isRemoteFile reports whether kustomize might fetch what an entry names where it
// reads files.
func isRemoteFile(entry string) bool { return urlScheme.MatchString(entry) }

// isRemoteBase reports whether kustomize might fetch or clone what an entry names
// where it reads files or folders.
func isRemoteBase(entry string) bool {
	return urlScheme.MatchString(entry) || repository.MatchString(entry)
}

// withoutCredentials returns a remote entry as it may be shown: a password may
// stand before the host, and a token behind a question mark.
func withoutCredentials(entry string) string {
	entry, _, _ = strings.Cut(entry, "?")
	entry, _, _ = strings.Cut(entry, "#")
	prefix := urlStart.FindString(strings.TrimPrefix(entry, "git::"))
	if i := strings.LastIndexByte(entry, '@'); i >= 0 {
		entry = prefix + entry[i+1:]
	}
	return clip(entry, 200)
}
