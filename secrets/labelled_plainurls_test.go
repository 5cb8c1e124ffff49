package secrets_test

func plainURLs() []labelled {
	return append(inEnvs([][3]string{
		{"with a port", "API_URL", "http://api.shop.svc.cluster.local:8080/v1"},
		{"with a user", "REPO", "ssh://git@github.com:22/shop/web.git"},
		{"of Git", "GIT_URL", "git@github.com:shop/web.git"},
		{"of a database without a password", "DATABASE_URL", "postgres://shop@db:5432/shop?sslmode=require"},
		{"of Redis", "REDIS_URL", "redis://redis:6379/0"},
		{"of AMQP", "BROKER_URL", "amqp://rabbit:5672/"},
		{"of MongoDB", "MONGO_URL", "mongodb://m0:27017,m1:27017/shop?replicaSet=rs0"},
		{"of JDBC", "JDBC_URL", "jdbc:postgresql://db:5432/shop?currentSchema=app"},
		{"with variables of Kubernetes", "DATABASE_URL", "postgres://$(DB_USER):$(DB_PASSWORD)@db/shop"},
		{"with variables of a shell", "DATABASE_URL", "postgres://${DB_USER}:${DB_PASSWORD}@db/shop"},
		{"with a template", "DATABASE_URL", "mysql://root:{{ .Values.password }}@mysql/shop"},
		{"with stars", "DATABASE_URL", "postgres://shop:****@db/shop"},
		{"with a format", "URL_FORMAT", "amqp://%s:%s@%s:5672/"},
		{"with a query on tokens", "LOGIN", "https://login.example.com/authorize?response_type=token&client_id=shop"},
		{"with a page on passwords", "HELP", "https://example.com/account/password/reset"},
		{"with a time after a user", "SINCE", "http://log/query?from=ann@12:30:45"},
		{"with an empty password", "REDIS", "redis://:@redis:6379"},
		{"of S3", "BUCKET", "s3://shop-backups/db/2024-05-12"},
		{"of OCI", "CHART", "oci://ghcr.io/shop/charts/web"},
		{"of JWKS", "JWKS_URI", "https://login.example.com/.well-known/jwks.json"},
		{"with an @ in the path", "AVATAR", "https://cdn.example.com:443/npm/pkg@1.2.3/dist"},
		{"of Slack, without a token", "SLACK_API", "https://slack.com/api/chat.postMessage"},
		{"of Slack, placeholder", "SLACK_WEBHOOK", "https://hooks.slack.com/services/XXX/YYY/ZZZ"},
		{"with a digest", "ARTIFACT", "https://example.com/web.tgz#sha256=" + made("", hexa, 64)},
		{"list of brokers", "KAFKA", "kafka-0:9092,kafka-1:9092,kafka-2:9092"},
		{"IPv6", "LISTEN", "http://[fd00::1]:8080/"},
		{"with a placeholder of a document", "EXAMPLE", "https://username:password@example.com/"},
		{"Vault's address", "VAULT_ADDR", "https://vault.vault.svc:8200"},
		{"of a token endpoint", "STS", "https://sts.eu-west-1.amazonaws.com/?Action=AssumeRoleWithWebIdentity"},
	}), []labelled{
		{"of a document in an annotation", inAnnotation("example.com/docs", "https://wiki.example.com/display/OPS/Secrets#token:rotate@home"), ""},
		{"in YAML", inConfig("config.yaml", "urls:\n- https://a.example.com:8443\n- https://b.example.com/x@y\n"), ""},
		{"mail address", inConfig("contacts", "owner: mailto:ann@example.com\n"), ""},
	}...)
}

func plainConnections() []labelled {
	return append(inEnvs([][3]string{
		{"integrated security", "ConnectionStrings__Default", "Server=sql;Database=shop;Integrated Security=true;Encrypt=True"},
		{"password by variable", "ConnectionStrings__Shop", "Server=sql;Database=shop;User Id=sa;Password=$(SA_PASSWORD);"},
		{"password by braces", "DSN", "host=db user=shop password=${DB_PASSWORD} dbname=shop"},
		{"password in angle brackets", "CONN", "Server=sql;User=sa;Password=<password>;"},
		{"empty password", "DSN", "host=db user=shop password= dbname=shop"},
		{"identity of Azure", "AZURE_SQL", "Server=tcp:s.database.windows.net;Authentication=Active Directory Default;Database=shop"},
		{"endpoint alone", "SERVICEBUS", "Endpoint=sb://shop.servicebus.windows.net/;Authentication=ManagedIdentity"},
		{"account without key", "STORAGE", "DefaultEndpointsProtocol=https;AccountName=shop;EndpointSuffix=core.windows.net"},
		{"Redis without a password", "Redis__Configuration", "redis:6380,ssl=True,abortConnect=False"},
		{"name of a connection string", "CONNECTION_STRING_NAME", "ShopDatabase"},
		{"SQLite", "DATABASE_DSN", "file:/data/shop.db?cache=shared&mode=rwc"},
		{"Go's MySQL driver without one", "MYSQL_ADDR", "tcp(mysql:3306)/shop?parseTime=true"},
		{"peer", "PG", "host=/var/run/postgresql user=postgres dbname=postgres"},
		{"ZooKeeper", "ZK", "zk-0:2181,zk-1:2181/kafka"},
	}), []labelled{
		{"JAAS by variable", inConfig("client.properties", "sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required username=\"${U}\" password=\"${P}\";\n"), ""},
		{"JAAS of a key tab", inConfig("client.properties", "sasl.jaas.config=com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true keyTab=\"/etc/k.keytab\" principal=\"web@EXAMPLE.COM\";\n"), ""},
	}...)
}

func plainFiles() []labelled {
	return inConfigs([][3]string{
		{"pgpass with a variable", ".pgpass", "db:5432:shop:shop:${DB_PASSWORD}\n"},
		{"passwd", "passwd", "root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1000::/app:/sbin/nologin\n"},
		{"shadow without passwords", "shadow", "root:*:19000:0:99999:7:::\nweb:!:19000:0:99999:7:::\n"},
		{"netrc with a variable", ".netrc", "machine git.example.com login ci password ${GIT_TOKEN}\n"},
		{"docker without auth", "config.json", `{"credHelpers": {"123456789012.dkr.ecr.eu-west-1.amazonaws.com": "ecr-login"}, "auths": {"registry.example.com": {}}}`},
		{"docker with a store", "docker.json", `{"credsStore": "osxkeychain", "auths": {"https://index.docker.io/v1/": {"auth": ""}}}`},
		{"npmrc with a variable", ".npmrc", "//npm.example.com/:_authToken=${NPM_TOKEN}\nalways-auth=true\n"},
		{"AWS configuration", "config", "[profile shop]\nrole_arn = arn:aws:iam::123456789012:role/shop\nweb_identity_token_file = /var/run/token\nregion = eu-west-1\n"},
		{"kubeconfig with a command", "kubeconfig", "users:\n- name: eks\n  user:\n    exec:\n      apiVersion: client.authentication.k8s.io/v1\n      command: aws\n      args: [eks, get-token, --cluster-name, shop]\n"},
		{"ssh's configuration", "ssh_config", "Host git.example.com\n  User git\n  IdentityFile ~/.ssh/id_ed25519\n  PasswordAuthentication no\n"},
		{"hosts", "hosts", "10.0.0.1 db:5432\n127.0.0.1 localhost\n"},
		{"service account without key", "sa.json", `{"type": "external_account", "audience": "//iam.googleapis.com/projects/1/x", "token_url": "https://sts.googleapis.com/v1/token", "credential_source": {"file": "/var/run/token"}}`},
		{"services with colons", "targets.txt", "db:5432:shop:primary:ready\nweb:80:shop:replica:ready\n"},
	})
}

func plainCommands() []labelled {
	cases := []labelled{
		{"list as a shell's words", inCommand("mysql", "-u", "root", "-p"), ""},
		{"ports", inCommand("docker", "run", "-p", "8080:80", "-u", "1000:1000", "web"), ""},
		{"user and group", inCommand("gosu", "-u", "1000:1000", "server"), ""},
		{"token file as an argument", inArgs("--token-file=/var/run/token", "--key-file=/etc/tls.key"), ""},
		{"kube-apiserver", inCommand("kube-apiserver", "--enable-bootstrap-token-auth=true", "--service-account-key-file=/etc/sa.pub", "--token-auth-file=/etc/tokens.csv"), ""},
		{"controller manager", inCommand("kube-controller-manager", "--controllers=*,bootstrapsigner,tokencleaner", "--use-service-account-credentials=true"), ""},
	}
	for _, row := range [][2]string{
		{"curl with variables", `curl -u "$USER:$PASSWORD" https://api.example.com`},
		{"curl with braces", "curl -u ${USER}:${PASSWORD} https://api.example.com"},
		{"curl of a token", "curl -H \"Authorization: Bearer $(cat /var/run/secrets/kubernetes.io/serviceaccount/token)\" https://kubernetes.default"},
		{"curl with a user alone", "curl -u ann https://api.example.com"},
		{"curl that uploads", "curl -sS -X POST -d '{\"text\": \"deployed\"}' http://svc/hook"},
		{"mysql that asks", "mysql -u root -p shop < /init.sql"},
		{"mysql with a variable", "mysql -uroot -p\"$MYSQL_ROOT_PASSWORD\" -e 'select 1'"},
		{"mysql with braces", "mysqladmin ping -p${MYSQL_ROOT_PASSWORD}"},
		{"mysql without a password", "mysql -h db -P 3306 -u root --protocol=tcp"},
		{"mkdir -p", "mkdir -p /var/lib/mysql && chown -R mysql /var/lib/mysql"},
		{"ps -p", "ps -p 1 -o comm="},
		{"redis-cli with a variable", "redis-cli -a \"$REDIS_PASSWORD\" ping"},
		{"redis-cli without", "redis-cli -h redis -p 6379 ping"},
		{"password from a file", "export PW=$(cat /run/secrets/pw); exec app --password=$PW"},
		{"password from kubectl", "PASSWORD=$(kubectl get secret db -o jsonpath='{.data.password}' | base64 -d)"},
		{"random password", "PASSWORD=$(openssl rand -hex 16); echo \"$PASSWORD\" > /out/pw"},
		{"test of a variable", "if [ -z \"$API_TOKEN\" ]; then echo 'API_TOKEN is not set'; exit 1; fi"},
		{"loop until a secret exists", "until kubectl get secret web-tls; do sleep 2; done"},
		{"docker login from stdin", "cat /run/pw | docker login -u ci --password-stdin registry.example.com"},
		{"echo on tokens", "echo 'waiting for token: none yet'; sleep 5"},
		{"sed of a template", "sed -i \"s/__PASSWORD__/${DB_PASSWORD}/\" /etc/app.conf"},
		{"openssl", "openssl req -x509 -newkey rsa:4096 -keyout /tls/tls.key -out /tls/tls.crt -nodes -subj /CN=web"},
	} {
		cases = append(cases, labelled{row[0], inShell(row[1]), ""})
	}
	return cases
}

func plainBase64() []labelled {
	return append(inEnvs([][3]string{
		{"of a sentence", "MOTD", base64Of("Welcome to the shop. Passwords are never asked for by mail.")},
		{"of a configuration", "CONFIG_B64", base64Of("server:\n  port: 80\n  host: web\n")},
		{"of references", "ENV_B64", base64Of("DB_PASSWORD=${DB_PASSWORD}\nPORT=80\n")},
		{"of a certificate", "CA_B64", base64Of(pemOf("CERTIFICATE", 900))},
		{"of a public key", "VERIFY_B64", base64Of(pemOf("PUBLIC KEY", 390))},
		{"of an image, as a URL", "FAVICON", "data:image/png;base64," + made("iVBORw0KGgo", base64s, 600)},
		{"of nothing printable", "PAYLOAD", made("", base64s, 64)},
		{"of a script", "INIT_B64", base64Of("#!/bin/sh\nset -e\nexec /app/server --token-file /run/token\n")},
		{"word that is base64 by chance", "MODE", "Production12"},
	}), []labelled{
		{"binary picture", inConfig("logo.png", "§"), made("iVBORw0KGgo", base64s, 800)},
		{"binary configuration", inBinary("app.yaml", "port: 80\nlog: info\npassword: ${DB_PASSWORD}\n"), ""},
		{"binary certificate", inBinary("ca.crt", "§"), pemOf("CERTIFICATE", 900)},
		{"binary archive", inBinary("data.bin", "\x1f\x8b\x08\x00\x00\xff\xfe\x00§"), made("", mixed, 100)},
		{"font in CSS", inConfig("site.css", "@font-face { src: url(data:font/woff2;base64,§) }\n"), made("d09GMgAB", base64s, 1000)},
		{"source map", inConfig("app.js", "var a=1;\n//# sourceMappingURL=data:application/json;base64,§\n"), base64Of(`{"version":3,"sources":["password.js","token.js"],"mappings":"AAAA"}`)},
		{"protocol buffer's descriptor", inConfig("api.pb", "§"), made("Cg", base64s, 500)},
	}...)
}
