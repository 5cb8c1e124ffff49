package secrets_test

import (
	"encoding/base64"
	"strings"
	"testing"
)

// checkText scans texts, by reason.
func checkText(t *testing.T, want string, texts map[string]string) {
	t.Helper()
	s := newScanner(t)
	for reason, text := range texts {
		if got := rules(s.Scan(configMap("file", text))); got != want {
			t.Errorf("%s: %q: rules %q, want %q", reason, text, got, want)
		}
	}
}

func TestCredentials(t *testing.T) {
	checkText(t, "url-password", map[string]string{
		"a database":             "postgres://app:hunter2@db:5432/app",
		"a default user's":       "amqp://guest:guest@mq//",
		"no user":                "redis://:hunter2@cache:6379/0",
		"percent-encoded":        "mongodb+srv://app:p%40ss@db/app",
		"a slash in it":          "postgres://app:p4ss/word@db/app",
		"a number sign in it":    "postgres://app:hunter2#4@db/app",
		"a question mark in it":  "postgres://app:hunter2?4@db/app",
		"a line among others":    "a=1\nurl=https://bot:hunter2@git/repo.git\n",
		"a weak one of postgres": "postgresql://postgres:postgres@db/app",
	})
	checkText(t, "connection-string", map[string]string{"of Go": "app:hunter2@tcp(db:3306)/app"})
	checkText(t, "basic-auth", map[string]string{"a header": "proxy_set_header Authorization \"Basic " + base64.StdEncoding.EncodeToString([]byte("app:hunter2")) + "\";"})
	checkText(t, "bearer-token", map[string]string{"a header": "curl -H 'Authorization: Bearer " + random + "' https://api"})
	checkText(t, "netrc-password", map[string]string{
		"in a line":  "machine git.corp login bot password hunter2",
		"over lines": "machine git.corp\n  login bot\n  password hunter2\n",
	})
	checkText(t, "pgpass-password", map[string]string{"a line": "db.corp:5432:app:bot:hunter2\n"})
	checkText(t, "docker-auth", map[string]string{"of a registry": `{"auths":{"reg.corp":{"auth":"` + base64.StdEncoding.EncodeToString([]byte("bot:hunter2")) + `"}}}`})
	checkText(t, "command-password", map[string]string{
		"curl":          "curl -s -u bot:hunter2 https://api",
		"curl, joined":  "curl -ubot:hunter2 https://api",
		"curl, quoted":  "set -e\ncurl --user 'bot:hunter2' https://api\n",
		"mysql":         "mysql -uroot -phunter2 app",
		"mysql, folded": "mysqldump -h db \\\n  -phunter2 app",
		"sshpass":       "sshpass -p hunter2 ssh host",
		"redis-cli":     "redis-cli -h cache -a hunter2 ping",
		"docker login":  "docker login -u bot -p hunter2 reg",
	})
	checkText(t, "", map[string]string{
		"no password":            "https://db:5432/app@1",
		"a variable":             "postgres://app:${DB_PASSWORD}@db/app",
		"a variable of the pod":  "postgres://app:$(DB_PASSWORD)@db/app",
		"documentation":          "postgres://user:password@localhost/app",
		"a placeholder":          "postgres://app:<password>@db/app",
		"stars":                  "postgres://app:****@db/app",
		"a user alone":           "ssh://git@host/repo.git",
		"a mail address":         "https://host/path:a@b",
		"one in a query":         "https://host?to=a:b@c",
		"one behind a port":      "https://host:8443?to=a@b",
		"one in a fragment":      "https://host:8443#a@b",
		"a variable for curl":    "curl -u \"$USER:$PASS\" https://api",
		"mysql, with a variable": "mysql -uroot -p$MYSQL_ROOT_PASSWORD",
		"mysql, asked for":       "mysql -uroot -p app1",
		"ports of docker":        "docker run -p 8080:80 img1",
		"a port of docker":       "docker run -p 8080 img1",
		"a directory":            "mkdir -p /data1 && cp -p a1 b1",
		"a bearer variable":      "Authorization: Bearer $TOKEN1",
		"basic in prose":         "Basic authentication of Bearer tokens",
	})
}

func TestCredentialsInLists(t *testing.T) {
	s := newScanner(t)
	got := rules(s.Scan(decode(t, `{"command":["mysql"],"args":["-uroot","-phunter2","-h","db"],"other":["mkdir","-p","hunter2"]}`)))
	if want := "command-password"; got != want {
		t.Errorf("The command says what the options of args mean: rules %q, want %q", got, want)
	}
}

func TestPrivateKeys(t *testing.T) {
	body := "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v"
	checkText(t, "private-key", map[string]string{
		"short":          begin + "\n" + body + "\n" + end,
		"escaped lines":  `{"private_key":"` + begin + `\n` + body + `\n` + end + `\n"}`,
		"in one line":    begin + body,
		"with headers":   strings.Replace(begin, "PRIVATE", "RSA PRIVATE", 1) + "\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0102\n\n" + body,
		"of PGP":         strings.Replace(begin, "KEY", "KEY BLOCK", 1) + "\n\n" + body,
		"in an INI file": "[tls]\nkey = " + begin + "\\n" + body,
	})
	checkText(t, "age-secret-key", map[string]string{"of age": "AGE-SECRET-" + "KEY-1QZ3XVJ8MTNLKDLWRRBYCSHFPJSXPGQUAVEHZ3XVJ8MTN5KD2LW7RB9YC4HF6J"})
	checkText(t, "", map[string]string{
		"a certificate": "-----BEGIN CERTIFICATE-----\n" + body + body + "\n-----END CERTIFICATE-----",
		"a public key":  "-----BEGIN PUBLIC KEY-----\n" + body + body + "\n-----END PUBLIC KEY-----",
		"a placeholder": begin + "\n...\n" + end,
		"a template":    begin + "\n{{ .Values.key }}\n" + end,
		"prose":         "Put a PRIVATE KEY here, that starts with " + begin + " and so on",
	})
}

func TestWebTokens(t *testing.T) {
	checkText(t, "json-web-token", map[string]string{"alone": jwt, "in a header": "Authorization: Bearer " + jwt, "under a name": "id_token: " + jwt + "\nx: y\n"})
	checkText(t, "", map[string]string{
		"a header that is none": "eyJub3RoaW5nIjoidG8gc2VlIn0" + ".eyJzdWIiOiJhZG1pbiJ9." + "c2lnbmF0dXJlLW9mLXRoZS10b2tlbg",
		"a header alone":        "eyJhbGciOiJIUzI1NiJ9 eyJhbGciOiJIUzI1NiJ9",
	})
}

func TestBase64(t *testing.T) {
	encode := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	checkText(t, "github-pat-unverified", map[string]string{"a token": encode("x " + token), "in a file": encode("hub:\n  login: " + token + "\n")})
	checkText(t, "password-name", map[string]string{"a file": encode("DB_PASSWORD=hunter2\n")})
	checkText(t, "", map[string]string{"twice is not once": encode(encode("DB_PASSWORD=hunter2\n")), "bytes": encode("\x00\x01" + "DB_PASSWORD=hunter2\n")})
}
