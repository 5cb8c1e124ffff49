package secrets_test

// inContainerOf puts the value in the environment of a template at that path
// of any kind of workload.
func inContainerOf(kind, path, name string) place {
	return func(value string) (dict, []any) {
		container := dict{"name": "web", "image": "web:1", "env": []any{dict{"name": name, "value": value}}}
		object, where := inField(kind, path+".containers")("")
		parent := object["spec"].(dict)
		for _, key := range where[1 : len(where)-1] {
			parent = parent[key.(string)].(dict)
		}
		parent["containers"] = []any{container}
		return object, append(where, 0, "env", 0, "value")
	}
}

// inApplicationSet puts the value in a parameter of the template's chart.
func inApplicationSet(name string) place {
	return func(value string) (dict, []any) {
		helm := dict{"parameters": []any{dict{"name": name, "value": value}}}
		return dict{"apiVersion": "argoproj.io/v1alpha1", "kind": "ApplicationSet", "metadata": dict{"name": "web"},
				"spec": dict{"template": dict{"spec": dict{"sources": []any{dict{"chart": "web", "helm": helm}}}}}},
			[]any{"spec", "template", "spec", "sources", 0, "helm", "parameters", 0, "value"}
	}
}

// inHelmList puts the value in a list of a chart's environment variables.
func inHelmList(name string) place {
	return func(value string) (dict, []any) {
		object, where := inHelm("extraEnv")("")
		object["spec"].(dict)["values"] = dict{"extraEnv": []any{dict{"name": name, "value": value}}}
		return object, append(where, 0, "value")
	}
}

func passwordsInKinds() []labelled {
	return []labelled{
		{"CronJob", inContainerOf("CronJob", "jobTemplate.spec.template.spec", "BACKUP_PASSWORD"), "nightly" + "77"},
		{"StatefulSet", inContainerOf("StatefulSet", "template.spec", "CLICKHOUSE_PASSWORD"), "cl1ck" + "house"},
		{"Rollout of Argo", inContainerOf("Rollout", "template.spec", "API_SECRET"), "roll" + "-it-9"},
		{"Knative's service", inContainerOf("Service", "template.spec", "STRIPE_WEBHOOK_SECRET"), made("wh"+"sec_", mixed, 32)},
		{"DaemonSet", inContainerOf("DaemonSet", "template.spec", "DB_PASS"), "one" + "-node-2"},
		{"ApplicationSet", inApplicationSet("postgresql.auth.password"), "set" + "of-apps"},
		{"ApplicationSet, token", inApplicationSet("runner.registrationToken"), made("GR1348"+"941", urlish, 20)},
		{"chart's list of variables", inHelmList("SMTP_PASSWORD"), "mail" + "-me-22"},
		{"chart's basic auth", inHelm("ingress.basicAuth.pass"), "in" + "gress#1"},
		{"chart's login of a registry", inHelm("imageCredentials.password"), "reg" + "istry42"},
		{"Keycloak's", inHelm("keycloak.auth.adminPassword"), "key" + "cloak"},
		{"replication", inHelm("postgresql.auth.replicationPassword"), "re" + "pl-me"},
		{"erlang cookie", inHelm("rabbitmq.auth.erlangCookie"), made("", upper, 20)},
		{"secret of Airflow", inHelm("webserverSecretKey"), made("", hexa, 32)},
		{"fernet key", inEnv("AIRFLOW__CORE__FERNET_KEY"), made("", urlish, 43) + "="},
		{"key of a cookie in Superset", inConfig("superset_config.py", "ROW_LIMIT = 5000\nSECRET_KEY = '§'\n"), made("", mixed, 42)},
		{"Django's settings", inConfig("settings.py", "DATABASES = {'default': {'NAME': 'shop', 'PASSWORD': '§'}}\n"), "py" + "thon-ic1"},
		{"Node's configuration", inConfig("config.js", "module.exports = { db: { host: 'db', password: '§' } };\n"), "no" + "de-mod3"},
		{"Terraform's variables", inConfig("terraform.tfvars", "region = \"eu-west-1\"\ndb_password = \"§\"\n"), "tf" + "-vars-1"},
		{"HCL", inConfig("vault.hcl", "storage \"mysql\" {\n  username = \"vault\"\n  password = \"§\"\n}\n"), "hcl" + "-pass-8"},
		{"Traefik's YAML in a list", inConfig("traefik.yml", "providers:\n  redis:\n    endpoints: [redis:6379]\n    username: t\n    password: §\n"), "tra" + "3fik"},
		{"Loki's S3", inConfig("loki.yaml", "storage_config:\n  aws:\n    access_key_id: loki\n    secret_access_key: §\n"), "super" + "secret1"},
		{"Thanos' object store", inConfig("objstore.yml", "type: S3\nconfig:\n  bucket: thanos\n  access_key: thanos\n  secret_key: §\n"), made("th", mixed, 38)},
		{"Velero's cloud file", inAnnotation("example.com/cloud", "[default]\naws_secret_access_key=§\n"), made("v", base64s, 39)},
		{"JSON inside of JSON", inConfig("outer.json", `{"inner": "{\"password\": \"§\"}"}`), "mat" + "ryo5hka"},
		{"JSON in env", inEnv("SPRING_APPLICATION_JSON"), `{"spring":{"datasource":{"password":"` + "spr" + `1ngtime"}}}`},
		{"CRLF", inConfig("win.ini", "[db]\r\nuser=sa\r\npassword=§\r\n"), "car" + "riage1"},
		{"no blank after the colon", inConfig("one.conf", "user:shop\npassword:§\n"), "tig" + "ht-77"},
		{"arrow of a Ruby hash", inConfig("database.rb", "{ :host => 'db', :password => '§' }\n"), "ru" + "by-gem1"},
		{"second document of YAML", inConfig("multi.yaml", "a: 1\n---\nb:\n  secret: §\n"), made("m", mixed, 25)},
		{"flow of YAML", inConfig("flow.yaml", "db: {host: db, user: shop, password: §}\n"), "flo" + "wing8"},
		{"OpenID of Grafana", inConfig("grafana.ini", "[auth.generic_oauth]\nclient_id = grafana\nclient_secret = §\n"), made("g", mixed, 31)},
		{"TOTP's seed", inEnv("TOTP_SECRET"), made("", upper+"234567", 32)},
		{"PIN", inEnv("HSM_PIN"), "90" + "2175"},
		{"pre-shared key", inEnv("IPSEC_PSK"), "tun" + "nel-key-0"},
		{"community of SNMP", inConfig("snmp.yml", "auths:\n  v3:\n    username: mon\n    password: §\n    auth_protocol: SHA\n"), "sn" + "mp-v3-x"},
		{"licence key", inEnv("LICENSE_KEY"), "Q7RK2-" + "M9XW4-PL8VT-3HJN6"},
	}
}

func harmlessInKinds() []labelled {
	return append(inEnvs([][3]string{
		{"level of a log", "AUTH_LOG_LEVEL", "debug"},
		{"class path", "CREDENTIAL_PROVIDER_CLASS", "software.amazon.awssdk.auth.credentials.WebIdentityTokenFileCredentialsProvider"},
		{"store of credentials", "CREDENTIALS_STORE", "vault"},
		{"chain of AWS", "AWS_CREDENTIAL_SOURCE", "EcsContainer"},
		{"id of an AWS key's owner", "AWS_PROFILE", "shop-prod"},
		{"number of shards by key", "SHARD_KEY_COUNT", "16"},
		{"column of passwords", "PASSWORD_COLUMN", "pw_hash"},
		{"field of a token", "TOKEN_FIELD", "access_token"},
		{"attribute of LDAP", "LDAP_PASSWORD_ATTRIBUTE", "userPassword"},
		{"claim of a token", "JWT_CLAIM_USERNAME", "preferred_username"},
		{"grant", "OAUTH_GRANT_TYPE", "password"},
		{"response", "OIDC_RESPONSE_TYPE", "code id_token"},
		{"scopes", "OAUTH_SCOPES", "openid profile token:read"},
		{"method of authentication", "TOKEN_ENDPOINT_AUTH_METHOD", "client_secret_basic"},
		{"authentication by password", "SSH_PASSWORD_AUTHENTICATION", "no"},
		{"prompt", "PASSWORD_PROMPT", "Password: "},
		{"message", "INVALID_PASSWORD_MESSAGE", "Wrong user name or password."},
		{"page of a reset", "PASSWORD_RESET_URL", "https://shop.example.com/reset"},
		{"list of features", "FEATURES", "token-refresh,password-less,secret-scan"},
		{"schedule", "SECRET_SYNC_SCHEDULE", "*/5 * * * *"},
		{"concurrency", "TOKEN_WORKERS", "8"},
		{"size", "SECRET_MAX_SIZE", "1Mi"},
		{"selector", "SECRET_SELECTOR", "app=web,tier!=cache"},
		{"region", "SECRETS_REGION", "eu-west-1"},
		{"index of a key", "ACTIVE_KEY_INDEX", "2"},
		{"prefix of keys", "REDIS_KEY_PREFIX", "session:"},
		{"file of keys", "AUTHORIZED_KEYS_FILE", ".ssh/authorized_keys"},
		{"public key's URL", "JWT_PUBLIC_KEY_URL", "https://login.example.com/keys"},
		{"site key", "TURNSTILE_SITE_KEY", "0x4AAAAAAA" + "BcDeFgHiJkLmN"},
		{"VAPID's public key", "VAPID_PUBLIC_KEY", made("B", urlish, 86)},
		{"publishable key of Clerk", "NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY", made("pk_"+"live_", mixed, 40)},
		{"write key's source", "SEGMENT_SOURCE", "web-prod"},
		{"API version", "API_KEY_VERSION", "2024-10-01"},
		{"name of an API key", "API_KEY_NAME", "shop-frontend"},
		{"header of an API key", "API_KEY_HEADER", "X-API-Key"},
		{"mode of secrets", "SECRET_MODE", "0400"},
		{"quota", "TOKENS_PER_MINUTE", "90000"},
		{"window", "CSRF_TOKEN_TTL_MINUTES", "30"},
		{"state", "TOKEN_REVOCATION", "enabled"},
		{"skip", "SKIP_TOKEN_VALIDATION", "false"},
	}), []labelled{
		{"CronJob with a path", inContainerOf("CronJob", "jobTemplate.spec.template.spec", "PGPASSFILE"), "/secrets/.pgpass"},
		{"StatefulSet with a variable", inContainerOf("StatefulSet", "template.spec", "ELASTIC_PASSWORD"), "$(ES_PASSWORD)"},
		{"ApplicationSet with a generator", inApplicationSet("db.password"), "{{ .password }}"},
		{"ApplicationSet with a reference", inApplicationSet("existingSecret"), "{{cluster}}-db"},
		{"chart's list with a path", inHelmList("TOKEN_PATH"), "/run/token"},
		{"chart's key of a password", inHelm("auth.existingSecretPasswordKey"), "mariadb-password"},
		{"chart's secret of a user", inHelm("auth.usersSecret"), "rabbit-users"},
		{"chart's token mount", inHelm("serviceAccount.automountToken"), "false"},
		{"chart's generated password", inHelm("auth.generatePassword"), "true"},
		{"chart's TLS secret", inHelm("ingress.tlsSecret"), "web-tls"},
		{"chart's annotation of checksums", inHelm("podAnnotations.secretHash"), made("h", hexa, 63)},
		{"cert-manager's key", inField("Certificate", "privateKey.algorithm"), "ECDSA"},
		{"cert-manager's secret", inField("Issuer", "acme.privateKeySecretRef.name"), "letsencrypt-account-key"},
		{"external secret's remote", inField("ExternalSecret", "remoteRef.key"), "prod/shop/db-password"},
		{"external secret's property", inField("ExternalSecret", "remoteRef.property"), "password"},
		{"class of a CSI driver", inField("SecretProviderClass", "parameters.objects"), "- objectName: db-password\n  objectType: secret\n"},
		{"token request", inField("TokenRequest", "audiences"), "vault"},
		{"Istio's JWT rule", inField("RequestAuthentication", "jwtRules"), "issuer: https://login.example.com\nfromHeaders:\n- name: x-jwt-token\n"},
		{"Kafka's user", inField("KafkaUser", "authentication.type"), "scram-sha-512"},
		{"Postgres operator", inField("Cluster", "bootstrap.initdb.secret.name"), "pg-app-user"},
		{"Django reads the environment", inConfig("settings.py", "PASSWORD_HASHERS = ['django.contrib.auth.hashers.Argon2PasswordHasher']\nAUTH_PASSWORD_VALIDATORS = []\nSECRET_KEY = env('SECRET_KEY')\n"), ""},
		{"Terraform's outputs", inConfig("main.tf", "variable \"db_password\" {\n  type = string\n  sensitive = true\n}\nresource \"x\" \"y\" {\n  password = var.db_password\n  token = data.vault.token\n}\n"), ""},
		{"HCL of an agent", inConfig("agent.hcl", "template {\n  contents = \"{{ with secret \\\"secret/db\\\" }}{{ .Data.password }}{{ end }}\"\n}\n"), ""},
		{"GitHub's workflow", inConfig("ci.yaml", "env:\n  TOKEN: ${{ secrets.GITHUB_TOKEN }}\njobs:\n  x:\n    permissions:\n      id-token: write\n"), ""},
		{"Vector", inConfig("vector.toml", "[sinks.es.auth]\nstrategy = \"basic\"\nuser = \"${ES_USER}\"\npassword = \"${ES_PASSWORD}\"\n"), ""},
		{"OpenTelemetry", inConfig("otel.yaml", "exporters:\n  otlp:\n    headers:\n      api-key: ${env:API_KEY}\n"), ""},
		{"Kibana", inConfig("kibana.yml", "elasticsearch.serviceAccountToken: ${TOKEN}\nxpack.security.session.idleTimeout: 1h\n"), ""},
		{"Spring's actuator", inConfig("application.properties", "management.endpoint.env.keys-to-sanitize=password,secret,key,token\nspring.jpa.open-in-view=false\n"), ""},
		{"Java's policy of tokens", inConfig("token.properties", "token.issuer=shop\ntoken.clock-skew=PT30S\ntoken.signature-algorithm=RS256\n"), ""},
		{"script that reads secrets", inConfig("init.sh", "#!/bin/bash\nset -euo pipefail\nPASSWORD=\"$(cat /secrets/password)\"\nTOKEN=${TOKEN:-$(get_token)}\nmysql -p\"${PASSWORD}\" < /init.sql\n"), ""},
		{"script that asks", inConfig("ask.sh", "read -s -p 'Password: ' PASSWORD\nif [ \"$PASSWORD\" = \"\" ]; then exit 1; fi\n"), ""},
		{"Helm's template", inConfig("secret.tpl", "data:\n  password: {{ .Values.password | b64enc | quote }}\n  token: {{ randAlphaNum 32 | b64enc }}\n"), ""},
		{"Kyverno's policy in a text", inConfig("policy.yaml", "validate:\n  message: Secrets must not be mounted as variables.\n  pattern:\n    spec:\n      containers:\n      - =(env):\n        - =(valueFrom):\n            X(secretKeyRef): \"null\"\n"), ""},
		{"Keycloak's realm", inConfig("realm.json", `{"realm": "shop", "passwordPolicy": "length(8)", "accessTokenLifespan": 300, "clients": [{"clientId": "web", "publicClient": true, "secret": "**********"}]}`), ""},
		{"translation of Rails", inConfig("de.yml", "de:\n  user:\n    password: Kennwort\n    password_confirmation: Kennwort bestätigen\n    api_token: API-Schlüssel\n"), ""},
		{"JSON schema of values", inConfig("values.schema.json", `{"properties": {"auth": {"properties": {"password": {"type": "string", "title": "Password", "default": ""}}}}}`), ""},
	}...)
}
