package secrets_test

// prose speaks of secrets.
func prose() []labelled {
	return inConfigs([][3]string{
		{"sentence", "password.txt", "The password must have twelve characters or more."},
		{"README", "README.md", "# Login\n\nPassword: see the vault, under shop.\nToken: ask the platform team.\n"},
		{"English labels", "en.json", `{"login.password": "Password", "login.password.hint": "Enter your password", "token.expired": "Your token has expired"}`},
		{"German labels", "de.json", `{"password": "Passwort", "forgotPassword": "Passwort vergessen?", "secret": "Geheimnis"}`},
		{"French labels", "fr.yaml", "password: Mot de passe\nnew_password: Nouveau mot de passe\n"},
		{"labels as properties", "messages.properties", "password=Password\npassword.invalid=Wrong user name or password\napi.token=API token\n"},
		{"form in HTML", "login.html", `<label for="password">Password</label><input type="password" name="password" placeholder="Password">`},
		{"template of mail", "reset.txt", "Dear {{ name }},\nto reset your password: follow the link below.\nThe token is valid for one hour.\n"},
		{"comment", "app.conf", "# password: set by the operator\n# secret = the name of the secret\nport = 80\n"},
		{"alert", "alerts.yaml", "groups:\n- name: auth\n  rules:\n  - alert: TokenExpiring\n    expr: vault_token_ttl < 3600\n    for: 10m\n    annotations:\n      summary: The token of {{ $labels.app }} expires soon\n"},
		{"message of a log", "log.txt", "invalid password for user ann\nrefreshing token: done\n"},
		{"schema of JSON", "schema.json", `{"properties": {"password": {"type": "string", "minLength": 8}, "token": {"type": "string", "description": "API token"}}, "required": ["password"]}`},
		{"OpenAPI", "openapi.yaml", "securitySchemes:\n  apiKey:\n    type: apiKey\n    in: header\n    name: X-API-Key\n  bearer:\n    type: http\n    scheme: bearer\n    bearerFormat: JWT\n"},
		{"SQL", "init.sql", "CREATE TABLE users (id serial PRIMARY KEY, name text, password text NOT NULL, token varchar(64));\n"},
		{"GraphQL", "schema.graphql", "type Mutation {\n  login(user: String!, password: String!): Token\n}\ninput NewUser { password: String! }\n"},
		{"Go's source", "main.go", "type User struct {\n\tPassword string `json:\"password\"`\n\tToken *Token\n}\n"},
		{"Python's source", "job.py", "def login(user, password=None, token=None):\n    token = client.login(user, password)\n    return token\n"},
		{"JavaScript's source", "app.js", "const { password } = req.body;\nif (!password) return res.status(400);\nlet token = jwt.sign(payload, secret);\n"},
		{"Lua's source", "auth.lua", "local token = ngx.var.arg_token\nlocal secret = os.getenv(\"SECRET\")\n"},
		{"help of a command", "usage.txt", "--password string   password of the user (default \"\")\n--token string      token to use\n"},
	})
}

// settingsInTexts are whole files as they stand in charts and operators.
func settingsInTexts() []labelled {
	return inConfigs([][3]string{
		{"label selectors", "selector.yaml", "matchExpressions:\n- key: app.kubernetes.io/name\n  operator: In\n  values: [web, api]\n"},
		{"tolerations", "tolerations.yaml", "- key: node-role.kubernetes.io/control-plane\n  operator: Exists\n  effect: NoSchedule\n"},
		{"items of a volume", "items.json", `[{"key": "tls.key", "path": "server.key"}, {"key": "ca.crt", "path": "ca.pem"}]`},
		{"Grafana's dashboard", "dashboard.json", `{"uid": "` + made("a", word, 8) + `", "id": 17, "title": "Tokens", "panels": [{"id": 2, "title": "Secret reads", "datasource": {"type": "prometheus", "uid": "` + made("P", hexa, 15) + `"}, "targets": [{"expr": "sum(rate(vault_secret_reads_total[5m])) by (token_type)", "refId": "A"}]}]}`},
		{"Grafana's datasource", "datasources.yaml", "datasources:\n- name: Prometheus\n  type: prometheus\n  url: http://prometheus:9090\n  basicAuth: false\n  secureJsonData:\n    password: $PROM_PASSWORD\n"},
		{"Prometheus' rules", "rules.yaml", "groups:\n- name: k8s\n  rules:\n  - record: job:secret_age:max\n    expr: max(time() - kube_secret_created) by (secret)\n"},
		{"Prometheus' files", "prometheus.yml", "scrape_configs:\n- job_name: apiserver\n  bearer_token_file: /var/run/secrets/kubernetes.io/serviceaccount/token\n  tls_config: {ca_file: /etc/ca.crt, key_file: /etc/tls.key}\n"},
		{"feature flags", "flags.json", `{"passwordless-login": true, "new-token-page": false, "secret-santa": "december"}`},
		{"Corefile", "Corefile", ".:53 {\n  errors\n  kubernetes cluster.local in-addr.arpa\n  forward . /etc/resolv.conf\n  cache 30\n}\n"},
		{"Fluent Bit", "fluent-bit.conf", "[INPUT]\n  Name tail\n  Key log\n  Tag kube.*\n[FILTER]\n  Name kubernetes\n  Kube_Token_File /var/run/secrets/kubernetes.io/serviceaccount/token\n"},
		{"OIDC of Argo CD", "oidc.config", "name: Okta\nissuer: https://example.okta.com\nclientID: 0oa1b2c3d4\nclientSecret: $oidc.okta.clientSecret\n"},
		{"Dex", "config.yaml", "connectors:\n- type: github\n  config:\n    clientID: $GITHUB_CLIENT_ID\n    clientSecret: $GITHUB_CLIENT_SECRET\n"},
		{"kubelet", "kubelet", "authentication:\n  webhook:\n    cacheTTL: 2m0s\n  x509:\n    clientCAFile: /etc/kubernetes/pki/ca.crt\nserverTLSBootstrap: true\n"},
		{"PHP's ini", "php.ini", "[session]\nsession.use_strict_mode = 1\nmysqli.default_pw =\nopcache.enable = 1\n"},
		{"Redis without a password", "redis.conf", "bind 0.0.0.0\nprotected-mode yes\n# requirepass foobared\nmaxmemory 1gb\n"},
		{"my.cnf without a password", "my.cnf", "[mysqld]\ndefault_authentication_plugin = mysql_native_password\nkey_buffer_size = 16M\n"},
		{"postgresql.conf", "postgresql.conf", "password_encryption = scram-sha-256\nssl_key_file = 'server.key'\nssl_passphrase_command = ''\n"},
		{"pg_hba.conf", "pg_hba.conf", "local all postgres trust\nhost all all 10.0.0.0/8 password\nhost all all 0.0.0.0/0 md5\n"},
		{"Kafka without JAAS", "server.properties", "listeners=SASL_SSL://:9093\nssl.key.password=${KEY_PASSWORD}\nssl.keystore.location=/etc/kafka/ks.jks\ndelegation.token.expiry.time.ms=86400000\n"},
		{"logback", "logback.xml", "<configuration><appender name=\"STDOUT\" class=\"ch.qos.logback.core.ConsoleAppender\"><encoder><pattern>%d %-5level %msg%n</pattern></encoder></appender></configuration>"},
		{"Spring Security", "application.yml", "spring:\n  security:\n    oauth2:\n      client:\n        provider:\n          shop:\n            token-uri: https://login.example.com/token\n            user-name-attribute: sub\n"},
		{"ESLint", "eslint.json", `{"rules": {"no-secrets/no-secrets": "error", "key-spacing": "warn"}}`},
		{"mapping of claims", "claims.yaml", "claims:\n  token: access_token\n  secret: client_secret\n  password: password_hash\n"},
		{"fields to mask in logs", "mask.yaml", "mask:\n- password\n- token\n- authorization\n- secret\n"},
		{"columns", "columns.csv", "id,name,password,token\n1,ann,,\n"},
	})
}

// identifiers look random and open nothing.
func identifiers() []labelled {
	return append(inEnvs([][3]string{
		{"commit", "GIT_COMMIT", made("a", hexa, 39)},
		{"short commit", "GIT_SHA", made("b", hexa, 7)},
		{"digest", "IMAGE_DIGEST", "sha256:" + made("c", hexa, 63)},
		{"checksum", "CONFIG_CHECKSUM", made("d", hexa, 64)},
		{"MD5", "FILE_MD5", made("e", hexa, 31)},
		{"hexadecimal under a neutral name", "SETTING", made("f", hexa, 39)},
		{"sha512 under a neutral name", "REVISION", made("0", hexa, 127)},
		{"integrity of a package", "INTEGRITY", "sha512-" + made("i", base64s, 85) + "=="},
		{"UUID", "TENANT_ID", "72f988bf-86f1-41af-91ab-2d7cd011db47"},
		{"UUID of a client", "AZURE_CLIENT_ID", "04b07795-8ddb-461a-bbee-02f9e1bf7b46"},
		{"UUID under a neutral name", "SETTING", "de305d54-75b4-431b-adb2-eb6b9e546014"},
		{"ULID", "REQUEST_ID", "01ARZ3NDEKTSV4RRFFQ69G5FAV"},
		{"trace", "TRACEPARENT", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"},
		{"account of AWS", "AWS_ACCOUNT_ID", "123456789012"},
		{"role of AWS", "AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/shop-prod-web"},
		{"user pool", "COGNITO_USER_POOL_ID", "eu-west-1_aB3dE5fG7"},
		{"hosted zone", "HOSTED_ZONE_ID", "Z2FDTNDATAQYW2"},
		{"security group", "SECURITY_GROUP", "sg-0a1b2c3d4e5f60718"},
		{"file system", "EFS_ID", "fs-0123456789abcdef0"},
		{"distribution", "CLOUDFRONT_ID", "E1A2B3C4D5E6F7"},
		{"subscription", "ARM_SUBSCRIPTION_ID", "b9f0c8a1-7d6e-4c3b-9a21-5f4e3d2c1b0a"},
		{"project of Google", "GOOGLE_PROJECT_NUMBER", "123456789012"},
		{"measurement", "GA_MEASUREMENT_ID", "G-" + "AB12CD34EF"},
		{"tag manager", "GTM_ID", "GTM-" + "K7XQ2P"},
		{"channel of Slack", "SLACK_CHANNEL_ID", "C02AB3CD4EF"},
		{"image", "IMAGE", "ghcr.io/shop/web@sha256:" + made("9", hexa, 63)},
		{"version", "VERSION", "v1.27.3-gke.1700"},
		{"build", "BUILD_TAG", "main-20240512.3-" + made("8", hexa, 7)},
		{"MAC address", "MAC", "02:42:ac:11:00:02"},
		{"fingerprint of SSH", "HOST_FINGERPRINT", "SHA256:" + made("", base64s, 43)},
		{"fingerprint of a certificate", "CA_FINGERPRINT", "AB:CD:EF:01:23:45:67:89:AB:CD:EF:01:23:45:67:89:AB:CD:EF:01"},
		{"hash of a CA for joining", "CA_CERT_HASH", "sha256:" + made("7", hexa, 63)},
		{"telephone", "HOTLINE", "+49 30 1234567"},
		{"IBAN", "IBAN", "DE89370400440532013000"},
		{"alphabet", "ALPHABET", mixed + "+/"},
		{"list of features", "JAVA_OPTS", "-Xmx512m -XX:+UseG1GC -Dfile.encoding=UTF-8"},
		{"colour", "THEME_KEY_COLOR", "#1f6feb"},
		{"class of Java", "TOKEN_STORE", "org.springframework.security.oauth2.provider.token.store.JwtTokenStore"},
		{"long identifier in camel case", "HANDLER", "ShopOrderAuthenticationTokenRefreshHandlerFactoryBean"},
		{"contract on a chain", "CONTRACT_ADDRESS", "0x" + made("", hexa, 40)},
	}), []labelled{
		{"pod template's checksum", inAnnotation("checksum/secret", "§"), made("6", hexa, 64)},
		{"Helm's digest", inHelm("image.digest"), "sha256:" + made("5", hexa, 64)},
		{"Helm's tag", inHelm("image.tag"), made("4", hexa, 40)},
		{"Argo CD's tag", inArgo("image.tag"), made("sha-", hexa, 40)},
		{"lock file", inConfig("package-lock.json", `{"node_modules/tokenize": {"version": "1.2.0", "resolved": "https://registry.npmjs.org/tokenize/-/tokenize-1.2.0.tgz", "integrity": "sha512-§=="}}`), made("l", base64s, 86)},
		{"go.sum", inConfig("go.sum", "github.com/shop/token v1.0.0 h1:§=\n"), made("g", base64s, 43)},
	}...)
}

// publicTokens have a provider's form and are meant for everybody.
func publicTokens() []labelled {
	return append(inEnvs([][3]string{
		{"Stripe's publishable key", "STRIPE_PUBLISHABLE_KEY", made("pk_"+"live_", mixed, 24)},
		{"Stripe's publishable key for tests", "NEXT_PUBLIC_STRIPE_KEY", made("pk_"+"test_", mixed, 24)},
		{"Stripe's price", "STRIPE_PRICE_ID", made("price_1", mixed, 23)},
		{"client id of Google", "GOOGLE_CLIENT_ID", made("", digits, 12) + "-" + made("", word, 32) + ".apps.googleusercontent.com"},
		{"client id of GitHub's app", "GITHUB_CLIENT_ID", made("Iv1.", hexa, 16)},
		{"Sentry's DSN", "SENTRY_DSN", "https://" + made("1", hexa, 31) + "@o123456.ingest.sentry.io/4501234567890123"},
		{"reCAPTCHA's site key", "RECAPTCHA_SITE_KEY", made("6L", urlish, 38)},
		{"hash by bcrypt", "ADMIN_PASSWORD_HASH", "$2b$12$" + made("", mixed, 53)},
		{"hash by bcrypt under a password's name", "ADMIN_PASSWORD", "$2a$10$" + made("h", mixed, 52)},
		{"hash by argon2", "ADMIN_PASSWORD", "$argon2id$v=19$m=65536,t=3,p=4$" + made("", base64s, 22) + "$" + made("", base64s, 43)},
		{"hash by SHA-512 crypt", "ROOT_PASSWORD", "$6$rounds=5000$" + made("", mixed, 12) + "$" + made("", mixed, 86)},
		{"hash by LDAP", "LDAP_ROOT_PASSWORD", "{SSHA}" + made("", base64s, 32)},
		{"hash by scram", "PG_PASSWORD", "SCRAM-SHA-256$4096:" + made("", base64s, 22) + "==$" + made("", base64s, 43) + "=:" + made("s", base64s, 42) + "="},
	}), []labelled{
		{"htpasswd", inConfig("htpasswd", "ann:$apr1$§\n"), made("", mixed, 8) + "$" + made("", mixed, 22)},
		{"htpasswd with bcrypt", inConfig("users", "ann:$2y$05$§\n"), made("y", mixed, 52)},
		{"prefix in prose", inConfig("NOTES.txt", "Tokens begin with ghp_ or glpat-, keys with sk_live_ and AKIA.\n"), ""},
		{"prefix in an expression", inConfig("rules.toml", "regex = '''ghp_[0-9a-zA-Z]{36}'''\nkeywords = [\"ghp_\", \"xoxb-\"]\n"), ""},
		{"masked", inConfig("log.txt", "using token ghp_************************************\n"), ""},
	}...)
}

func publicKeys() []labelled {
	return []labelled{
		{"certificate", inConfig("ca.crt", "§"), pemOf("CERTIFICATE", 1200)},
		{"two certificates", inConfig("ca-bundle.pem", pemOf("CERTIFICATE", 800)+"§"), pemOf("CERTIFICATE", 900)},
		{"public key", inConfig("jwt.pub", "§"), pemOf("PUBLIC KEY", 390)},
		{"public key of RSA", inEnv("JWT_PUBLIC_KEY"), pemOf("RSA PUBLIC KEY", 390)},
		{"public key of PGP", inConfig("repo.asc", "§"), pemOf("PGP PUBLIC KEY BLOCK", 900)},
		{"certificate request", inConfig("web.csr", "§"), pemOf("CERTIFICATE REQUEST", 700)},
		{"parameters of Diffie and Hellman", inConfig("dhparam.pem", "§"), pemOf("DH PARAMETERS", 420)},
		{"public key of SSH", inConfig("authorized_keys", "ssh-rsa § ann@example.com\n"), made("AAAAB3NzaC1yc2E", base64s, 350)},
		{"Ed25519 of SSH", inEnv("DEPLOY_KEY_PUB"), "ssh-ed25519 " + made("AAAAC3NzaC1lZDI1NTE5AAAAI", base64s, 43)},
		{"known hosts", inConfig("ssh_known_hosts", "git.example.com ecdsa-sha2-nistp256 §=\n"), made("AAAAE2VjZHNhLXNoYTItbmlzdHAyNTY", base64s, 108)},
		{"hashed known hosts", inConfig("known_hosts", "|1|"+made("", base64s, 27)+"=|"+made("k", base64s, 26)+"= ssh-ed25519 §\n"), made("AAAAC3NzaC1lZDI1NTE5AAAAI", base64s, 43)},
		{"CA bundle of a webhook", inField("Webhook", "clientConfig.caBundle"), base64Of(pemOf("CERTIFICATE", 900))},
		{"certificate of a kubeconfig", inConfig("kubeconfig", "clusters:\n- cluster:\n    server: https://10.0.0.1\n    certificate-authority-data: §\nusers:\n- name: sa\n  user:\n    tokenFile: /var/run/secrets/kubernetes.io/serviceaccount/token\n"), base64Of(pemOf("CERTIFICATE", 600))},
		{"recipient of age", inConfig(".sops.yaml", "creation_rules:\n- age: §\n"), made("age1", "qpzry9x8gf2tvdw0s3jn54khce6mua7l", 58)},
		{"minisign", inEnv("UPDATE_PUBKEY"), made("RW", base64s, 54)},
		{"peer of WireGuard", inConfig("peers.conf", "[Peer]\nPublicKey = §\nAllowedIPs = 10.0.0.2/32\n"), made("", base64s, 43) + "="},
		{"JWKS", inConfig("jwks.json", `{"keys": [{"kty": "RSA", "use": "sig", "kid": "2024-1", "n": "§", "e": "AQAB"}]}`), made("", urlish, 342)},
		{"cosign's key", inHelm("verify.cosignPublicKey"), pemOf("PUBLIC KEY", 124)},
		{"header of a key in prose", inConfig("README", "The file begins with -----BEGIN RSA PRIVATE "+"KEY----- and must not be shared.\n"), ""},
		{"key cut out of a document", inConfig("example.pem", "-----BEGIN PRIVATE "+"KEY-----\n...\n-----END PRIVATE "+"KEY-----\n"), ""},
		{"key as a template", inConfig("tls.tpl", "-----BEGIN PRIVATE "+"KEY-----\n{{ .Values.tls.key }}\n-----END PRIVATE "+"KEY-----\n"), ""},
		{"DKIM's record", inConfig("zone", "mail._domainkey IN TXT \"v=DKIM1; k=rsa; p=§\"\n"), made("MIGfMA0GCSqGSIb3DQEBAQUAA4", base64s, 190)},
	}
}

func almostWebTokens() []labelled {
	return []labelled{
		{"header alone", inEnv("HEADER"), "eyJhbGciOiJIUzI1" + "NiIsInR5cCI6IkpXVCJ9"},
		{"base64 of plain JSON", inEnv("CONFIG"), base64Of(`{"port":80,"host":"web"}`)},
		{"in prose", inConfig("README", "A JWT begins with eyJ and has two dots.\n"), ""},
		{"name of a class", inEnv("CLASS"), "com.example.eyJ.Parser"},
		{"with a placeholder", inShell("curl -H \"Authorization: Bearer ${TOKEN}\" http://svc"), ""},
		{"with a template", inArgs("--header=Authorization: Bearer {{ .Values.token }}"), ""},
		{"cursor of a page", inEnv("NEXT"), base64Of(`{"offset":200,"order":"asc"}`)},
	}
}
