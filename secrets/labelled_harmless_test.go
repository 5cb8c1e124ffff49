package secrets_test

import "slices"

// labelledHarmless are values that let nobody in, by the class of secret that
// they look like.
func labelledHarmless() map[string][]labelled {
	return map[string][]labelled{
		"token": slices.Concat(identifiers(), publicTokens()), "name": harmlessNames(),
		"key": publicKeys(), "jwt": almostWebTokens(), "url": plainURLs(), "connection": plainConnections(),
		"file": plainFiles(), "command": plainCommands(), "base64": plainBase64(),
	}
}

func harmlessNames() []labelled {
	return slices.Concat(references(), placeholders(), policiesOfPasswords(), placesOfSecrets(), prose(), settingsInTexts(), harmlessInKinds())
}

// inEnvs are values of environment variables: what, name, value.
func inEnvs(rows [][3]string) (all []labelled) {
	for _, row := range rows {
		all = append(all, labelled{row[0], inEnv(row[1]), row[2]})
	}
	return all
}

// inConfigs are whole values of ConfigMaps: what, key, text.
func inConfigs(rows [][3]string) (all []labelled) {
	for _, row := range rows {
		all = append(all, labelled{row[0], inConfig(row[1], "§"), row[2]})
	}
	return all
}

// references say where a secret is.
func references() []labelled {
	return append(inEnvs([][3]string{
		{"variable of Kubernetes", "DB_PASSWORD", "$(POSTGRES_PASSWORD)"},
		{"variable of a shell", "DB_PASSWORD", "${POSTGRES_PASSWORD}"},
		{"variable without braces", "DB_PASSWORD", "$POSTGRES_PASSWORD"},
		{"variable with an empty default", "DB_PASSWORD", "${POSTGRES_PASSWORD:-}"},
		{"variable that must be set", "API_TOKEN", "${API_TOKEN:?is not set}"},
		{"template of Helm", "DB_PASSWORD", "{{ .Values.db.password }}"},
		{"template of Helm with quotes", "API_TOKEN", `{{ .Values.token | default "" | quote }}`},
		{"template of Argo", "GIT_TOKEN", "{{inputs.parameters.token}}"},
		{"template of GitHub", "GH_TOKEN", "${{ secrets.GH_TOKEN }}"},
		{"template of ERB", "DB_PASSWORD", "<%= ENV['DB_PASSWORD'] %>"},
		{"variable of Windows", "DB_PASSWORD", "%DB_PASSWORD%"},
		{"Spring's placeholder", "SPRING_DATASOURCE_PASSWORD", "${db.password}"},
		{"Vault of bank-vaults", "DB_PASSWORD", "vault:secret/data/shop#password"},
		{"Vault's reference of vals", "DB_PASSWORD", "ref+vault://secret/shop#/password"},
		{"vals for AWS", "API_KEY", "ref+awssecrets://shop/api#key"},
		{"1Password", "DB_PASSWORD", "op://prod/db/password"},
		{"AWS Secrets Manager", "DB_PASSWORD", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:shop/db-AbCdEf"},
		{"AWS parameter store", "API_TOKEN", "arn:aws:ssm:eu-west-1:123456789012:parameter/shop/token"},
		{"GCP Secret Manager", "API_KEY", "projects/123456/secrets/api-key/versions/latest"},
		{"Berglas", "API_KEY", "sm://shop/api-key"},
		{"Azure Key Vault", "DB_PASSWORD", "@Microsoft.KeyVault(SecretUri=https://shop.vault.azure.net/secrets/db/)"},
		{"SOPS", "DB_PASSWORD", "ENC[AES256_GCM,data:p673w==,iv:YY=,aad:UQ=,tag:A=,type:str]"},
		{"Spring Cloud Config", "DB_PASSWORD", "{cipher}" + made("AQ", base64s, 40)},
		{"file of the Docker convention", "DB_PASSWORD", "file:/run/secrets/db"},
		{"file of Grafana", "GF_SECURITY_ADMIN_PASSWORD", "$__file{/etc/secrets/admin}"},
		{"environment in Grafana", "GF_DATABASE_PASSWORD", "$__env{DB_PASSWORD}"},
		{"environment in Caddy", "AUTH_TOKEN", "{env.AUTH_TOKEN}"},
		{"empty", "DB_PASSWORD", ""},
		{"nothing but blanks", "API_TOKEN", "  "},
		{"null", "API_TOKEN", "null"},
		{"none", "REDIS_PASSWORD", "none"},
	}), []labelled{
		{"secretKeyRef", inEnvRef("DB_PASSWORD", "secretKeyRef", dict{"name": "db", "key": "password"}), ""},
		{"secretKeyRef with telling keys", inEnvRef("API_TOKEN", "secretKeyRef", dict{"name": "api-token-v2", "key": "API_SECRET_KEY", "optional": true}), ""},
		{"configMapKeyRef", inEnvRef("TOKEN_HEADER", "configMapKeyRef", dict{"name": "web", "key": "token-header"}), ""},
		{"fieldRef", inEnvRef("POD_SECRET", "fieldRef", dict{"fieldPath": "metadata.name"}), ""},
		{"argument with a variable", inArgs("--db-password=$(DB_PASSWORD)"), ""},
		{"pair with a variable", inArgs("--db-password", "$(DB_PASSWORD)"), ""},
		{"flag before a flag", inArgs("--password", "--verbose"), ""},
		{"flag at the end", inArgs("--verbose", "--token"), ""},
		{"Helm's existing secret", inHelm("postgresql.auth.existingSecret"), "shop-postgresql"},
		{"Helm's key in a secret", inHelm("postgresql.auth.secretKeys.adminPasswordKey"), "postgres-password"},
		{"Helm's user password key", inHelm("redis.auth.existingSecretPasswordKey"), "redis-password"},
		{"Helm's pull secret", inHelm("image.pullSecret"), "regcred"},
		{"Helm's empty password", inHelm("redis.auth.password"), ""},
		{"Argo CD's existing secret", inArgo("auth.existingSecret"), "web-auth"},
		{"Argo CD's placeholder of the vault plugin", inArgo("db.password"), "<path:secret/data/shop#password>"},
		{"substitution of Flux", inHelm("db.password"), "${db_password}"},
		{"YAML with a variable", inConfig("config.yaml", "db:\n  user: shop\n  password: ${DB_PASSWORD}\n"), ""},
		{"JSON with a variable", inConfig("config.json", `{"db": {"password": "${DB_PASSWORD}"}}`), ""},
		{"properties with a variable", inConfig("app.properties", "db.password=${DB_PASSWORD}\napi.token=${API_TOKEN:}\n"), ""},
		{"XML with a variable", inConfig("settings.xml", "<password>${env.CI_PASSWORD}</password>"), ""},
		{"TOML with a file", inConfig("config.toml", "[db]\npassword_file = \"/run/secrets/db\"\n"), ""},
		{"Python's environment", inConfig("settings.py", "import os\nSECRET_KEY = os.environ[\"SECRET_KEY\"]\nDB = {\"PASSWORD\": os.getenv(\"DB_PASSWORD\")}\n"), ""},
		{"Ruby's environment", inConfig("unicorn.rb", "password = ENV['DB_PASSWORD']\n"), ""},
		{"PHP's environment", inConfig("wp-config.php", "define('DB_PASSWORD', getenv('DB_PASSWORD'));\n"), ""},
		{"JavaScript's environment", inConfig("index.js", "const token = process.env.API_TOKEN;\nconst key = config.get('apiKey');\n"), ""},
		{"shell reads a file", inShell("export PGPASSWORD=$(cat /run/secrets/db) && psql"), ""},
		{"shell with backticks", inShell("TOKEN=`cat /var/run/secrets/kubernetes.io/serviceaccount/token`; exec /app"), ""},
		{"reference of a certificate issuer", inField("Certificate", "secretName"), "web-tls"},
		{"external secret's key", inField("ExternalSecret", "target.secretKey"), "password"},
		{"basic auth's secret in a monitor", inField("ServiceMonitor", "basicAuth.password.name"), "prometheus-auth"},
		{"sealed secret", inField("SealedSecret", "encryptedData.password"), made("AgB", base64s, 300)},
	}...)
}

func placeholders() []labelled {
	return append(inEnvs([][3]string{
		{"changeme", "DB_PASSWORD", "changeme"},
		{"CHANGE_ME", "DB_PASSWORD", "CHANGE_ME"},
		{"change-me-please", "ADMIN_PASSWORD", "change-me"},
		{"example", "API_TOKEN", "example"},
		{"in angle brackets", "DB_PASSWORD", "<password>"},
		{"in angle brackets with words", "API_KEY", "<your api key>"},
		{"your-", "API_TOKEN", "your-api-token"},
		{"YOUR_", "SLACK_TOKEN", "YOUR_SLACK_TOKEN_HERE"},
		{"REPLACE_ME", "JWT_SECRET", "REPLACE_ME"},
		{"REPLACE_WITH", "CLIENT_SECRET", "REPLACE_WITH_CLIENT_SECRET"},
		{"x", "API_KEY", "xxxxxxxx"},
		{"x in groups", "API_KEY", "xxxx-xxxx-xxxx"},
		{"stars", "DB_PASSWORD", "********"},
		{"dots", "DB_PASSWORD", "..."},
		{"redacted", "API_TOKEN", "REDACTED"},
		{"redacted in brackets", "API_TOKEN", "[REDACTED]"},
		{"to do", "API_TOKEN", "TODO"},
		{"to be set", "CLIENT_SECRET", "__CLIENT_SECRET__"},
		{"at signs", "DB_PASSWORD", "@DB_PASSWORD@"},
		{"in square brackets", "SMTP_PASSWORD", "[password]"},
		{"AWS' own example", "AWS_ACCESS_KEY_ID", "AKIA" + "IOSFODNN7EXAMPLE"},
	}), []labelled{
		{"placeholder in Helm values", inHelm("auth.password"), "<set me>"},
		{"placeholders in YAML", inConfig("config.yaml", "password: changeme\ntoken: your-token-here\n"), ""},
		{"in a URL", inEnv("DATABASE_URL"), "postgres://user:password@host:5432/db"},
		{"in a URL with brackets", inEnv("DATABASE_URL"), "postgres://<user>:<password>@db/shop"},
	}...)
}

func policiesOfPasswords() []labelled {
	return append(inEnvs([][3]string{
		{"least length", "PASSWORD_MIN_LENGTH", "12"},
		{"expression", "PASSWORD_REGEX", "^(?=.*[a-z])(?=.*[A-Z]).{8,}$"},
		{"policy", "PASSWORD_POLICY", "length(12) and digits(2)"},
		{"reset allowed", "PASSWORD_RESET_ENABLED", "true"},
		{"strategy of a token", "AUTH_TOKEN_UPDATE_STRATEGY", "ROTATE"},
		{"age of a token", "TOKEN_TTL", "24h"},
		{"age in seconds", "ACCESS_TOKEN_EXPIRE_SECONDS", "3600"},
		{"age of a refresh token", "REFRESH_TOKEN_LIFETIME", "P30D"},
		{"kind of a token", "TOKEN_TYPE", "Bearer"},
		{"header of CSRF", "CSRF_HEADER_NAME", "X-CSRF-Token"},
		{"cookie of CSRF", "CSRF_COOKIE", "XSRF-TOKEN"},
		{"header of a token", "TOKEN_HEADER", "X-Auth-Token"},
		{"name of a cookie", "SESSION_COOKIE_NAME", "shop_session"},
		{"hash of passwords", "PASSWORD_HASH_ALGORITHM", "argon2id"},
		{"encoder", "PASSWORD_ENCODER", "bcrypt"},
		{"rounds", "PASSWORD_SALT_ROUNDS", "12"},
		{"algorithm", "JWT_ALGORITHM", "RS256"},
		{"audience", "TOKEN_AUDIENCE", "https://api.example.com"},
		{"issuer", "TOKEN_ISSUER", "https://login.example.com"},
		{"use a password", "REDIS_USE_PASSWORD", "yes"},
		{"allow an empty one", "ALLOW_EMPTY_PASSWORD", "yes"},
		{"random one", "MYSQL_RANDOM_ROOT_PASSWORD", "1"},
		{"switched off", "AUTH_TOKEN_ENABLED", "false"},
		{"number of tokens", "MAX_TOKENS", "4096"},
		{"limit of a model", "LLM_MAX_OUTPUT_TOKENS", "2048"},
		{"tokenizer", "TOKENIZER", "cl100k_base"},
		{"bucket of tokens", "TOKEN_BUCKET_SIZE", "100"},
		{"rotation", "SECRET_ROTATION_INTERVAL", "720h"},
		{"primary key", "PRIMARY_KEY", "order_id"},
		{"partition key", "PARTITION_KEY", "customer_id"},
		{"sort key", "SORT_KEY", "created_at"},
		{"routing key", "ROUTING_KEY", "orders.created"},
		{"key of a cache", "CACHE_KEY_PREFIX", "shop:v2:"},
		{"foreign key", "FOREIGN_KEY_CHECKS", "0"},
		{"keyboard", "KEYBOARD_LAYOUT", "de-latin1"},
		{"keyspace", "CASSANDRA_KEYSPACE", "shop_prod"},
		{"author", "AUTHOR", "Ann Example"},
		{"authority", "OIDC_AUTHORITY", "https://login.example.com/realms/shop"},
		{"compass", "COMPASS_DIRECTION", "north-east"},
		{"bypass", "BYPASS_HOSTS", "localhost,127.0.0.1"},
		{"secretary", "SECRETARY_NAME", "Ann Example"},
		{"provider of secrets", "SECRETS_PROVIDER", "vault"},
		{"backend of secrets", "SECRET_BACKEND", "aws-secrets-manager"},
		{"mode of authentication", "AUTH_MODE", "oauth2"},
		{"version of a key", "ENCRYPTION_KEY_VERSION", "3"},
		{"salt of identifiers", "HASHIDS_SALT", "shop orders"},
		{"issuer's thumbprint", "CERT_THUMBPRINT", made("", hexa, 40)},
	}), []labelled{
		{"policy in YAML", inConfig("config.yaml", "password:\n  minLength: 12\n  requireDigits: true\n  history: 5\ntoken:\n  ttl: 15m\n"), ""},
		{"in properties", inConfig("app.properties", "security.password.min-length=12\ntoken.expiry=PT1H\nsecret.provider=vault\n"), ""},
		{"in arguments", inArgs("--token-ttl=24h", "--password-min-length=12", "--service-account-issuer=https://kubernetes.default.svc"), ""},
		{"policy in Helm values", inHelm("auth.passwordPolicy"), "strong"},
	}...)
}

// placesOfSecrets are paths, files and names.
func placesOfSecrets() []labelled {
	return append(inEnvs([][3]string{
		{"file of a password", "POSTGRES_PASSWORD_FILE", "/run/secrets/db-password"},
		{"path under a password's name", "DB_PASSWORD", "/run/secrets/db-password"},
		{"path of a token", "TOKEN_PATH", "/var/run/secrets/kubernetes.io/serviceaccount/token"},
		{"path of Google's credentials", "GOOGLE_APPLICATION_CREDENTIALS", "/var/secrets/google/key.json"},
		{"path of AWS' web identity", "AWS_WEB_IDENTITY_TOKEN_FILE", "/var/run/secrets/eks.amazonaws.com/serviceaccount/token"},
		{"path of a private key", "TLS_PRIVATE_KEY", "/etc/tls/tls.key"},
		{"relative path", "SSL_KEY_FILE", "certs/server.key"},
		{"path of a key store", "KEYSTORE_LOCATION", "/etc/kafka/secrets/keystore.jks"},
		{"name of a secret", "SECRET_NAME", "shop-db-credentials"},
		{"name of a TLS secret", "TLS_SECRET_NAME", "web-tls"},
		{"namespace of secrets", "SECRET_NAMESPACE", "cert-manager"},
		{"key in a secret", "PASSWORD_KEY", "postgres-password"},
		{"id of a key", "JWT_KEY_ID", "2024-05-key-1"},
		{"KMS key's id", "KMS_KEY_ID", "1234abcd-12ab-34cd-56ef-1234567890ab"},
		{"KMS key's ARN", "KMS_KEY_ARN", "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"},
		{"KMS alias", "KMS_KEY_ALIAS", "alias/shop-prod"},
		{"KMS of Google", "KMS_KEY", "projects/shop/locations/eu/keyRings/main/cryptoKeys/app"},
		{"URL of tokens", "TOKEN_URL", "https://login.example.com/oauth2/token"},
		{"endpoint of tokens", "OAUTH_TOKEN_ENDPOINT", "https://login.example.com/realms/shop/protocol/openid-connect/token"},
		{"user of a database", "DB_USERNAME", "shop"},
		{"user of the administrator", "ADMIN_USER", "admin"},
		{"host beside a password", "PASSWORD_SERVICE_HOST", "password-service.shop.svc"},
		{"service's port", "TOKEN_SERVICE_PORT", "8080"},
		{"service link of Kubernetes", "SECRETS_WEBHOOK_PORT_443_TCP", "tcp://10.96.14.2:443"},
		{"image of a secrets operator", "SECRETS_OPERATOR_IMAGE", "ghcr.io/external-secrets/external-secrets:v0.9.1"},
		{"client id", "OAUTH_CLIENT_ID", "shop-frontend"},
		{"bucket of secrets", "SECRETS_BUCKET", "shop-sealed-secrets"},
		{"topic", "PASSWORD_RESET_TOPIC", "user.password-reset.v1"},
		{"role of Vault", "VAULT_ROLE", "shop-secrets-reader"},
		{"mount of Vault", "VAULT_SECRET_PATH", "secret/data/shop/db"},
	}), []labelled{
		{"file among arguments", inArgs("--tls-private-key-file=/etc/kubernetes/pki/apiserver.key"), ""},
		{"pair with a path", inArgs("--password-file", "/run/secrets/pw"), ""},
		{"name of a secret among arguments", inArgs("--webhook-secret-name=webhook-tls"), ""},
		{"namespaced name among arguments", inArgs("--default-ssl-certificate=ingress/wildcard-tls", "--token-secret=ci/registry"), ""},
		{"annotation of nginx", inAnnotation("nginx.ingress.kubernetes.io/auth-secret", "basic-auth"), ""},
		{"annotation of a service account", inAnnotation("kubernetes.io/service-account.name", "builder"), ""},
		{"annotation of Vault's agent", inAnnotation("vault.hashicorp.com/agent-inject-secret-db", "secret/data/shop/db"), ""},
		{"annotation of Reloader", inAnnotation("secret.reloader.stakater.com/reload", "db-credentials,api-token"), ""},
		{"last applied configuration with a reference", inAnnotation("kubectl.kubernetes.io/last-applied-configuration", `{"kind":"Pod","spec":{"containers":[{"env":[{"name":"DB_PASSWORD","valueFrom":{"secretKeyRef":{"name":"db","key":"password"}}}]}]}}`), ""},
		{"nginx with keys", inConfig("nginx.conf", "server {\n  listen 443 ssl;\n  ssl_certificate /etc/tls/tls.crt;\n  ssl_certificate_key /etc/tls/tls.key;\n  auth_basic_user_file /etc/nginx/htpasswd;\n  proxy_set_header Authorization $http_authorization;\n}\n"), ""},
		{"HAProxy", inConfig("haproxy.cfg", "frontend web\n  bind *:443 ssl crt /etc/ssl/private/site.pem\n  http-request set-header X-Token %[req.hdr(Authorization)]\n"), ""},
		{"Envoy's secrets", inConfig("envoy.yaml", "transport_socket:\n  tls_certificate_sds_secret_configs:\n  - name: server_cert\n    sds_config: {path: /etc/envoy/sds.yaml}\n"), ""},
		{"RBAC in a text", inConfig("role.yaml", "rules:\n- apiGroups: [\"\"]\n  resources: [secrets, serviceaccounts/token]\n  verbs: [get, create]\n- apiGroups: [authentication.k8s.io]\n  resources: [tokenreviews]\n  verbs: [create]\n"), ""},
		{"tokenReviewer", inConfig("auth.yaml", "tokenReviewer: vault-auth\ntokenReviewerServiceAccount: vault\n"), ""},
		{"volume in a text", inConfig("pod.yaml", "volumes:\n- name: token\n  secret:\n    secretName: web-token\n    items:\n    - key: tls.key\n      path: key.pem\n"), ""},
	}...)
}
