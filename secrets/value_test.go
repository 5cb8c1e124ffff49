package secrets_test

import "testing"

func TestPasswords(t *testing.T) {
	checkEnv(t, "password-name", map[string]string{
		"weak ones are real":            "DB_PASSWORD=hunter2",
		"the name as value":             "PASSWORD=password",
		"a default user's":              "RABBITMQ_DEFAULT_PASS=guest",
		"written together":              "PGPASSWORD=letmein",
		"camel case":                    "dbPassword=letmein",
		"numeric":                       "REDIS_PASSWORD=12345678",
		"with a dollar in it":           "PASSWORD=pa$w0rd",
		"with one space":                "ADMIN_PASSPHRASE=winter 2024!",
		"of words":                      "MYSQL_ROOT_PASSWORD=my-secret-pw",
		"a default is used":             "PASSWORD=${PASSWORD:-hunter2}",
		"hex of the length of a digest": "DB_PASSWORD=5f4dcc3b5aa765d61d8327deb882cf99",
		"with a number in the name":     "SMTP_PASSWORD_2=letmein",
		"with an at sign":               "MQ_PWD=p@ss/w0rd",
		"that starts with a slash":      "DB_PASSWORD=/Xq3+vX8mTn5Kd2Lw7Rb9Yc4H==",
	})
}

func TestSecretNames(t *testing.T) {
	checkEnv(t, "secret-name", map[string]string{
		"a token":                  "API_TOKEN=" + random,
		"an acronym":               "APIKey=" + random,
		"a key of a kind":          "ENCRYPTION_KEY=" + random,
		"a weak one":               "JWT_SECRET=secret",
		"words in a variable":      "SESSION_SECRET=keyboard-cat",
		"a digest's length":        "SECRET_KEY_BASE=5f4dcc3b5aa765d61d8327deb882cf995f4dcc3b5aa765d61d8327deb882cf99",
		"credentials":              "SERVICE_CREDENTIALS=abc123def",
		"a framework's":            "DJANGO_SECRET_KEY=django-insecure-k3y",
		"a name with a digest":     "HMAC_SHA256_SECRET=s3cr3tvalue",
		"a registry's":             "REGISTRY_TOKEN=" + random,
		"written together":         "CLIENTSECRET=s3cr3tvalue",
		"a key with a middle word": "AZURE_STORAGE_KEY=" + random,
	})
	checkEnv(t, "random-value", map[string]string{
		"a key of no kind, and random": "MAILER_KEY=" + random,
		"auth, and random":             "SERVICE_AUTH=" + random,
	})
}

func TestHarmlessValues(t *testing.T) {
	checkEnv(t, "", map[string]string{
		"a variable of the pod":         "PASSWORD=$(DB_PASSWORD)",
		"a variable of a shell":         "PASSWORD=${DB_PASSWORD}",
		"a bare variable":               "PASSWORD=$DB_PASSWORD",
		"a reference of Argo CD":        "clientSecret=$oidc-secret:clientSecret",
		"a template":                    "PASSWORD={{ .Values.password }}",
		"a path":                        "PASSWORD=/run/secrets/db",
		"a path of Windows":             `PASSWORD=C:\\secrets\\db`,
		"a file":                        "DB_PASSWORD_FILE=/run/secrets/db1",
		"a file's name":                 "passwordFile=db-pass1.txt",
		"a name of a Secret":            "secretName=db-secret1",
		"an existing Secret":            "existingSecret=db-secret1",
		"a URL":                         "tokenUrl=https://idp.example.com/token1",
		"a URL under a token's name":    "TOKEN=https://idp.corp/token1",
		"a length":                      "PASSWORD_MIN_LENGTH=12345",
		"a duration":                    "TOKEN_TTL=3600s1",
		"a duration as value":           "ACCESS_TOKEN=12h30m",
		"a boolean":                     "REQUIRE_PASSWORD=true1",
		"a boolean as value":            "PASSWORD=false",
		"a kind of authentication":      "AUTH=basic",
		"a UUID":                        "CLIENT_SECRET=6f1c2a30-9d1b-4c7e-8f55-0a1b2c3d4e5f",
		"a digest of an image":          "SECRET=sha256:5f4dcc3b5aa765d61d8327deb882cf995f4dcc3b5aa765d61d8327deb882cf99",
		"a commit":                      "GIT_COMMIT=5f4dcc3b5aa765d61d8327deb882cf9912345678",
		"a checksum of a Secret":        "checksum/secret=5f4dcc3b5aa765d61d8327deb882cf995f4dcc3b5aa765d61d8327deb882cf99",
		"changeme":                      "PASSWORD=changeme",
		"a placeholder with your":       "API_KEY=your-api-key",
		"a placeholder with replace":    "API_KEY=REPLACE_ME",
		"crosses":                       "API_KEY=xxxxxxxx",
		"stars":                         "PASSWORD=********",
		"angle brackets":                "PASSWORD=<password>",
		"a store's reference":           "PASSWORD=vault:secret/data/db#password1",
		"a reference of 1Password":      "PASSWORD=op://vault/db/password",
		"an ARN":                        "SECRET=arn:aws:secretsmanager:eu-west-1:1:secret:db",
		"a hash":                        "PASSWORD=$2b$12$abcdefghijklmnopqrstuv",
		"a hash of argon":               "PASSWORD=$argon2id$v=19$m=65536$abc",
		"a public key":                  "SSH_KEY=ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIabcdef",
		"a public key's name":           "PUBLIC_KEY=" + random,
		"a cache's key":                 "CACHE_KEY=user-sessions-v1",
		"a sort key":                    "SORT_KEY=" + random,
		"an identifier of a key":        "ACCESS_KEY_ID=abc123def456",
		"a name of a variable":          "TOKEN=GITHUB_TOKEN",
		"a text for people":             "PASSWORD=Enter your password",
		"a translation":                 "PASSWORD=Contraseña",
		"a secret for pulling":          "IMAGE_PULL_SECRET=regcred1",
		"the Secret of a password":      "passwordSecret=db-password1",
		"a budget of tokens":            "MAX_TOKENS=4096",
		"no whole token":                "MONKEY=q1w2e3r4t5y6",
		"Spring's placeholder":          "spring.datasource.password=${DB_PASSWORD}",
		"a default that is a reference": "PASSWORD=${PASSWORD:-$DB}",
		"a working directory":           "PWD=/home/app",
	})
}
