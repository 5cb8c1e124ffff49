package secrets

import (
	"hash/crc32"
	"strconv"
	"strings"
)

// checksumOf returns what checks the tokens of a rule of gitleaks, if they end in a
// checksum of the rest.
//
// GitHub publishes its own (https://github.blog/engineering/platform-security/behind-githubs-new-authentication-token-formats/),
// and npm, which is GitHub's, does as it does. GitLab's are of its routable tokens
// (https://handbook.gitlab.com/handbook/engineering/architecture/design-documents/cells/routable_tokens/).
// A format that only says that it has one is not here: with a wrong idea of it,
// live tokens would be called made up.
func checksumOf(rule string) func(string) bool {
	switch rule {
	case "github-app-token", "github-oauth", "github-pat", "github-refresh-token", "npm-access-token":
		return endsInCRC
	case "gitlab-pat-routable", "gitlab-runner-authentication-token-routable":
		return endsInCRC36
	}
	return nil
}

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// endsInCRC says whether the last six characters of a token are the CRC-32 of
// those between them and the prefix, in base 62.
func endsInCRC(token string) bool {
	_, random, ok := strings.Cut(token, "_")
	if !ok || len(random) < 6 {
		return false
	}
	body, sum := random[:len(random)-6], random[len(random)-6:]
	return sum == inBase62(crcOf(body))
}

func crcOf(text string) uint32 { return crc32.ChecksumIEEE([]byte(text)) }

// inBase62 returns n in six digits, which hold any checksum.
func inBase62(n uint32) string {
	digits := [6]byte{}
	for i := len(digits) - 1; i >= 0; i-- {
		digits[i] = base62[n%62]
		n /= 62
	}
	return string(digits[:])
}

// endsInCRC36 says whether the last seven characters of a token are the CRC-32 of
// all before them, in base 36.
func endsInCRC36(token string) bool {
	at := len(token) - 7
	if at < 0 {
		return false
	}
	sum, err := strconv.ParseUint(token[at:], 36, 64)
	return err == nil && sum == uint64(crcOf(token[:at]))
}
