package seeded

import (
	"encoding/base64"
	"math/rand/v2"
	"strings"
)

// dice choose what is made, and note what is secret.
type dice struct {
	*rand.Rand
	seeds *Seeds
}

// chance is true in that many cases of a hundred.
func (d *dice) chance(percent int) bool { return d.IntN(100) < percent }

// pick returns one of several.
func pick[T any](d *dice, from ...T) T { return from[d.IntN(len(from))] }

func nameOf(kind string) string { return strings.ToLower(kind) }

const (
	digits = "0123456789"
	lower  = "abcdefghijklmnopqrstuvwxyz"
	upper  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
)

// text returns n characters of an alphabet.
func (d *dice) text(n int, alphabet string) string {
	var b strings.Builder
	for range n {
		b.WriteByte(alphabet[d.IntN(len(alphabet))])
	}
	return b.String()
}

// A named value stands under a name, in an environment, an argument or a file.
type named struct{ name, value string }

// credential notes what nobody may tell.
func (d *dice) credential(value string) string {
	d.seeds.Credentials = append(d.seeds.Credentials, value)
	return value
}

// holds notes a text that holds a credential.
func (d *dice) holds(text string) string {
	d.seeds.Secrets[text] = true
	return text
}

// password returns what people choose.
func (d *dice) password() string {
	return d.credential(pick(d, "Sommer", "Tiger", "hunter", "Qwerty", "Monday") + d.text(4, digits) + pick(d, "!", "#", "x", "_") + d.text(3, upper+lower))
}

// key returns what machines make.
func (d *dice) key(n int) string { return d.credential(d.text(n, digits+lower+upper)) }

// token returns one in the format of a provider.
func (d *dice) token() string { return d.holds("ghp_" + d.key(36)) }

// secret returns a credential, of a class that docs/secrets.md says is found. That its
// parts are put together here keeps scanners of repositories from finding them.
func (d *dice) secret() named {
	s := pick(d,
		func() named { return named{"DB_PASSWORD", d.password()} },
		func() named { return named{"adminPassword", d.password()} },
		func() named { return named{"JWT_SECRET", d.key(32)} },
		func() named { return named{"GITHUB_TOKEN", d.token()} },
		func() named { return named{"NOTE", d.token()} }, // a format tells it under any name
		func() named { return named{"AWS_SECRET_ACCESS_KEY", d.key(40)} },
		func() named {
			return named{"DATABASE_URL", "postgres://shop:" + d.password() + "@db.internal:5432/shop"}
		},
		func() named { return named{"CACHE", "redis://:" + d.key(20) + "@cache:6379/0"} },
		func() named {
			return named{"CONNECTION", "Server=db;Database=shop;User Id=shop;Password=" + d.password() + ";"}
		},
		func() named {
			key := d.credential(base64.StdEncoding.EncodeToString([]byte(d.text(90, digits+lower+upper))))
			return named{"TLS_KEY", "-----BEGIN EC PRIVATE " + "KEY-----\n" + key + "\n-----END EC PRIVATE " + "KEY-----\n"}
		},
	)()
	d.holds(s.value)
	return s
}

// harmless returns what only looks like a credential, as docs/secrets.md has it.
func (d *dice) harmless() named {
	return pick(d,
		named{"DB_PASSWORD_FILE", "/var/run/secrets/db/password"},
		named{"DB_PASSWORD", "$(PASSWORD_OF_DB)"},
		named{"DB_PASSWORD", "changeme"},
		named{"API_TOKEN", "${API_TOKEN}"},
		named{"PASSWORD_MIN_LENGTH", "12"},
		named{"TOKEN_TTL", "15m"},
		named{"IMAGE_DIGEST", "sha256:" + d.text(64, digits+"abcdef")},
		named{"COMMIT", d.text(40, digits+"abcdef")},
		named{"LOG_LEVEL", pick(d, "info", "debug", "warn")},
		named{"DATABASE_URL", "postgres://shop@db.internal:5432/shop"},
		named{"REPLICAS", "3"},
	)
}

// file returns the text of a file and its name, with a secret in it or without.
func (d *dice) file(wrong bool) named {
	v := d.harmless()
	secret := ""
	if wrong {
		secret = d.password()
	}
	f := pick(d,
		named{"application.properties", "server.port=8080\nspring.datasource.username=shop\nspring.datasource.password=" + secret + "\n"},
		named{"config.yaml", "server:\n  port: 8080\ndatasource:\n  username: shop\n  password: \"" + secret + "\"\n"},
		named{"settings.json", `{"server": {"port": 8080}, "datasource": {"username": "shop", "password": "` + secret + `"}}`},
		named{".env", "PORT=8080\nLOG=info\nDB_PASSWORD=" + secret + "\n"},
	)
	if !wrong {
		f.value = pick(d, f.value, "mode=fast\n", v.value)
	} else {
		d.holds(f.value)
	}
	return f
}
