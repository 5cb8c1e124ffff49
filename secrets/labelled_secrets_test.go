package secrets_test

import "slices"

// labelledSecrets are values that let somebody in, by class. All are made up.
func labelledSecrets() map[string][]labelled {
	return map[string][]labelled{
		"token": slices.Concat(tokensNamed(), tokensUnnamed()), "name": slices.Concat(passwordsInEnv(), passwordsElsewhere(), passwordsInKinds()),
		"key": privateKeys(), "jwt": webTokens(), "url": urlsWithPassword(), "connection": connectionStrings(),
		"file": credentialFiles(), "command": commandLines(), "base64": encodedSecrets(),
	}
}

func passwordsInEnv() []labelled {
	return []labelled{
		{"admin", inEnv("DB_PASSWORD"), "ad" + "min"},
		{"the word itself", inEnv("PASSWORD"), "pass" + "word"},
		{"the name of the database", inEnv("POSTGRES_PASSWORD"), "post" + "gres"},
		{"a season and a year", inEnv("MYSQL_ROOT_PASSWORD"), "Sum" + "mer2024"},
		{"digits in order", inEnv("REDIS_PASSWORD"), "1234" + "5678"},
		{"four digits", inEnv("ADMIN_PASSWORD"), "47" + "11"},
		{"changeit with a tail", inEnv("KEYSTORE_PASSWORD"), "change" + "it1!"},
		{"guest of a broker", inEnv("RABBITMQ_DEFAULT_PASS"), "gue" + "st"},
		{"root", inEnv("MONGO_INITDB_ROOT_PASSWORD"), "ro" + "ot"},
		{"letmein", inEnv("SMTP_PASS"), "let" + "mein"},
		{"with spaces", inEnv("VAULT_PASSPHRASE"), "correct horse " + "battery staple"},
		{"with quotes", inEnv("LDAP_BIND_PASSWORD"), `a"b'` + `c9"x`},
		{"with umlauts", inEnv("LDAP_PASSWORD"), "Grün" + "kohl7"},
		{"in another script", inEnv("APP_PASSWORD"), "пар" + "оль42"},
		{"with a dollar inside", inEnv("SA_PASSWORD"), "Pa$$w" + "0rd!"},
		{"that ends in a dollar", inEnv("MSSQL_PASSWORD"), "Tr0ub4" + "dor$"},
		{"with slashes", inEnv("PGPASSWORD"), "x8/Kp2" + "/mQ=="},
		{"with a percent sign", inEnv("FTP_PASSWORD"), "50%more" + "Fun"},
		{"camel case name", inEnv("dbPassword"), "s3c" + "urity"},
		{"kebab name", inEnv("db-password"), "hun" + "ter2"},
		{"dotted name", inEnv("spring.datasource.password"), "shop" + "shop1"},
		{"an abbreviation", inEnv("DB_PWD"), "qwer" + "ty99"},
		{"another abbreviation", inEnv("ORACLE_PASSWD"), "tig" + "er"},
		{"Django's key", inEnv("DJANGO_SECRET_KEY"), "dj-" + made("", mixed+"!@#%&*", 45)},
		{"Rails' key base", inEnv("SECRET_KEY_BASE"), made("", hexa, 128)},
		{"Flask's key, short", inEnv("FLASK_SECRET_KEY"), "de" + "v-0451"},
		{"Laravel's key", inEnv("APP_KEY"), "base64:" + made("", base64s, 43) + "="},
		{"a signing secret", inEnv("JWT_SECRET"), "my-jwt-" + "signing-9f2"},
		{"a client's secret", inEnv("OAUTH_CLIENT_SECRET"), made("", mixed, 32)},
		{"hexadecimal API key", inEnv("PAYMENT_API_KEY"), made("", hexa, 32)},
		{"API key as a UUID", inEnv("HEROKU_API_KEY"), "5f0c1a7e-" + "93d2-4b1f-8a66-c27d0e94b3f1"},
		{"AWS secret access key", inEnv("AWS_SECRET_ACCESS_KEY"), made("", base64s, 40)},
		{"MinIO's default", inEnv("MINIO_ROOT_PASSWORD"), "minio" + "admin"},
		{"Grafana's admin", inEnv("GF_SECURITY_ADMIN_PASSWORD"), "gra" + "fana1"},
		{"encryption key", inEnv("N8N_ENCRYPTION_KEY"), made("", urlish, 24)},
		{"webhook secret", inEnv("GITHUB_WEBHOOK_SECRET"), "hook-" + "me-up-31"},
		{"session secret", inEnv("SESSION_SECRET"), "keyboard " + "cat"},
		{"cookie secret", inEnv("OAUTH2_PROXY_COOKIE_SECRET"), made("", urlish, 43) + "="},
		{"credentials of a pair", inEnv("REGISTRY_CREDENTIALS"), "deploy:" + "Zx81Spectrum"},
		{"storage key", inEnv("AZURE_STORAGE_KEY"), made("", base64s, 86) + "=="},
		{"private token", inEnv("PRIVATE_TOKEN"), made("", mixed, 20)},
		{"access token", inEnv("MAPS_ACCESS_TOKEN"), made("", mixed, 36)},
		{"bearer", inEnv("API_BEARER_TOKEN"), made("", mixed, 28)},
		{"init container", inEnvOf("initContainers", "MIGRATE_DB_PASSWORD"), "mi" + "grate1"},
		{"ephemeral container", inEnvOf("ephemeralContainers", "DEBUG_PASSWORD"), "let-me" + "-look"},
	}
}

func passwordsElsewhere() []labelled {
	return []labelled{
		{"argument with equals", inArgs("--db-password=§"), "Win" + "ter2023!"},
		{"pair of arguments", inArgs("--db-password", "§"), "her" + "ring7"},
		{"Redis' requirepass", inCommand("redis-server", "--requirepass", "§"), "r3d" + "is-pw"},
		{"single dash", inArgs("-password", "§"), "n0t-" + "public"},
		{"exported in a shell", inShell("export PGPASSWORD=§; psql -h db -U shop"), "shop" + "keeper1"},
		{"before a command in a shell", inShell("DB_PASSWORD='§' exec /app/server"), "sea" + " shell 5"},
		{"argument in a shell", inShell("exec /app/server --port 80 --admin-password=§"), "bos" + "s1234"},
		{"key of a ConfigMap", inConfig("DB_PASSWORD", "§"), "pel" + "ican3"},
		{"dotted key of a ConfigMap", inConfig("db.password", "§"), "mar" + "abou8"},
		{"properties", inConfig("application.properties", "server.port=8080\nspring.datasource.username=shop\nspring.datasource.password=§\n"), "st" + "ork5"},
		{"properties with a colon", inConfig("app.properties", "db.url: jdbc:h2:mem\ndb.password: §\n"), "cr" + "ane-77"},
		{"dotenv", inConfig(".env", "PORT=80\nDB_HOST=db\nDB_PASSWORD=§\n"), "eg" + "ret12"},
		{"dotenv, quoted and exported", inConfig("env", "export API_SECRET=\"§\"\n"), "ibis " + "and more"},
		{"YAML", inConfig("config.yaml", "database:\n  host: db\n  user: shop\n  password: §\n"), "he" + "ron21"},
		{"YAML, quoted", inConfig("config.yml", "auth:\n- name: ci\n  token: '§'\n"), made("", mixed, 24)},
		{"Spring's YAML", inConfig("application.yml", "spring:\n  datasource:\n    url: jdbc:postgresql://db/shop\n    password: \"§\"\njwt:\n  expiration: 3600\n"), "bit" + "tern#9"},
		{"Spring's jwt.secret", inConfig("application.properties", "jwt.expiration=3600\njwt.secret=§\n"), "spoon" + "bill-signs-it"},
		{"JSON", inConfig("config.json", `{"db": {"host": "db", "password": "§"}, "port": 80}`), "go" + "dwit1"},
		{"JSON in one line", inConfig("settings.json", `{"apiKey":"§","retries":3}`), made("", mixed, 30)},
		{"JSON with an array", inConfig("users.json", `[{"user": "ann", "password": "§"}]`), "du" + "nlin0"},
		{"INI", inConfig("app.ini", "[database]\nhost = db\npasswd = §\n\n[server]\nport = 80\n"), "kn" + "ot-me"},
		{"INI with a comment", inConfig("grafana.ini", "[security]\n; the first login\nadmin_user = ann\nadmin_password = §\n"), "ruff" + "-reeve"},
		{"MySQL's my.cnf", inConfig("my.cnf", "[client]\nuser=root\npassword=§\n"), "tur" + "nstone1"},
		{"TOML", inConfig("config.toml", "[db]\nserver = \"db\"\npassword = \"§\"\n"), "av" + "ocet!2"},
		{"XML element", inConfig("settings.xml", "<servers>\n<server>\n<id>nexus</id>\n<username>ci</username>\n<password>§</password>\n</server>\n</servers>\n"), "plo" + "ver-6"},
		{"XML attribute", inConfig("server.xml", `<Connector port="8443" keystoreFile="/etc/ks.jks" keystorePass="§"/>`), "lap" + "wing9"},
		{"XML property", inConfig("core-site.xml", "<property>\n<name>javax.jdo.option.ConnectionPassword</name>\n<value>§</value>\n</property>\n"), "hi" + "ve4hive"},
		{"XML add element", inConfig("web.config", `<appSettings><add key="ApiSecret" value="§"/></appSettings>`), made("", mixed, 26)},
		{"Redis' configuration", inConfig("redis.conf", "bind 0.0.0.0\nrequirepass §\nmaxmemory 1gb\n"), "can" + "dle-wick"},
		{"JAAS", inConfig("client.properties", "sasl.mechanism=PLAIN\nsasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required username=\"shop\" password=\"§\";\n"), "kaf" + "ka-pw1"},
		{"JAAS under env", inEnv("KAFKA_SASL_JAAS_CONFIG"), `org.apache.kafka.common.security.scram.ScramLoginModule required username="shop" password="` + `sanderling1";`},
		{"fluentd's output", inConfig("fluent.conf", "<match **>\n  @type elasticsearch\n  host es\n  user fluent\n  password §\n</match>\n"), "log" + "ger88"},
		{"Alertmanager's SMTP", inConfig("alertmanager.yml", "global:\n  smtp_smarthost: mail:587\n  smtp_auth_username: ann\n  smtp_auth_password: §\n"), "mail" + "man55"},
		{"Prometheus' basic auth", inConfig("prometheus.yml", "scrape_configs:\n- job_name: web\n  basic_auth:\n    username: prom\n    password: §\n"), "scr" + "ape-it"},
		{"PHP's define", inConfig("wp-config.php", "<?php\ndefine('DB_USER', 'wp');\ndefine('DB_PASSWORD', '§');\n"), "word" + "press7"},
		{"binary data", inBinary("app.properties", "db.password=§\n"), "re" + "dshank4"},
		{"annotation", inAnnotation("example.com/api-token", "§"), made("", mixed, 32)},
		{"last applied configuration", inAnnotation("kubectl.kubernetes.io/last-applied-configuration",
			`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"web"},"spec":{"containers":[{"name":"web","env":[{"name":"DB_PASSWORD","value":"§"}]}]}}`), "whim" + "brel3"},
		{"Helm values", inHelm("postgresql.auth.password"), "cur" + "lew77"},
		{"Helm values, camel case", inHelm("postgresql.auth.postgresPassword"), "sni" + "pe-01"},
		{"Helm values, admin", inHelm("grafana.adminPassword"), "prom-" + "operator"},
		{"Helm values, secret key", inHelm("minio.secretKey"), made("", mixed, 40)},
		{"Argo CD parameter", inArgo("redis.auth.password"), "wood" + "cock2"},
		{"Argo CD parameter of a client", inArgo("oidc.clientSecret"), made("", mixed, 36)},
		{"Argo CD values", inArgoValues("auth:\n  enabled: true\n  rootPassword: §\n"), "oyster" + "catcher"},
		{"custom resource", inField("Grafana", "config.security.admin_password"), "di" + "pper66"},
		{"custom resource, token", inField("Runner", "runnerRegistrationToken"), made("", urlish, 20)},
	}
}

func privateKeys() []labelled {
	return []labelled{
		{"RSA", inConfig("id_rsa", "§"), pemOf("RSA PRIVATE "+"KEY", 1600)},
		{"PKCS 8", inConfig("tls.key", "§"), pemOf("PRIVATE "+"KEY", 1700)},
		{"EC", inConfig("server.key", "§"), pemOf("EC PRIVATE "+"KEY", 160)},
		{"Ed25519, 64 characters", inConfig("ed25519.pem", "§"), pemOf("PRIVATE "+"KEY", 64)},
		{"OpenSSH", inConfig("ssh-key", "§"), pemOf("OPENSSH PRIVATE "+"KEY", 380)},
		{"encrypted", inConfig("client.pem", "§"), pemOf("ENCRYPTED PRIVATE "+"KEY", 800)},
		{"PGP", inConfig("signing.asc", "§"), pemOf("PGP PRIVATE KEY "+"BLOCK", 900)},
		{"below a certificate", inConfig("bundle.pem", pemOf("CERTIFICATE", 900)+"§"), pemOf("PRIVATE "+"KEY", 1200)},
		{"in YAML", inConfig("config.yaml", "tls:\n  key: |\n§"), indent(pemOf("RSA PRIVATE "+"KEY", 800))},
		{"in env with escaped line ends", inEnv("SIGNING"), `-----BEGIN PRIVATE ` + `KEY-----\n` + made("MC4CAQ", base64s, 58) + `\n-----END PRIVATE KEY-----\n`},
		{"service account of Google", inConfig("sa.json", `{"type": "service_account", "project_id": "shop", "private_key": "-----BEGIN PRIVATE `+`KEY-----\n§\n-----END PRIVATE KEY-----\n", "client_email": "a@shop.iam.gserviceaccount.com"}`), made("MIIEv", base64s, 500)},
		{"of age", inConfig("keys.txt", "# created: 2024-01-01\n§\n"), "AGE-SECRET-" + made("KEY-1", "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", 58)},
		{"WireGuard's", inConfig("wg0.conf", "[Interface]\nAddress = 10.0.0.1/24\nPrivateKey = §\nListenPort = 51820\n"), made("", base64s, 43) + "="},
		{"in Helm values", inHelm("tls.crtAndKey"), pemOf("RSA PRIVATE "+"KEY", 700)},
		{"in binary data", inBinary("ca.key", "§"), pemOf("EC PRIVATE "+"KEY", 160)},
	}
}

func webTokens() []labelled {
	header, payload := `{"alg":"HS256","typ":"JWT"}`, `{"sub":"1047","name":"Ann","iat":1714000000}`
	return []labelled{
		{"under a neutral name", inEnv("SETTING"), jwtOf(header, payload)},
		{"under a telling name", inEnv("SUPABASE_SERVICE_ROLE"), jwtOf(header, `{"role":"service_role","iss":"supabase"}`)},
		{"of a service account", inConfig("kubeconfig", "users:\n- name: ci\n  user:\n    token: §\n"), jwtOf(`{"alg":"RS256","kid":"x1"}`, `{"iss":"kubernetes/serviceaccount","sub":"system:serviceaccount:ci:ci"}`)},
		{"in a header of curl", inShell("curl -H 'Authorization: Bearer §' https://api.example.com/v1"), jwtOf(header, payload)},
		{"in an argument", inArgs("--header=Authorization: Bearer §"), jwtOf(header, payload)},
		{"in a URL", inEnv("CALLBACK"), "https://api.example.com/hook?t=" + jwtOf(header, payload)},
		{"in an annotation", inAnnotation("example.com/note", "§"), jwtOf(header, payload)},
		{"in Helm values", inHelm("licence.blob"), jwtOf(`{"typ":"JWT","alg":"ES256"}`, `{"customer":"shop","seats":50}`)},
		{"in Argo CD parameters", inArgo("enterprise.licence"), jwtOf(header, payload)},
	}
}

func urlsWithPassword() []labelled {
	return []labelled{
		{"PostgreSQL", inEnv("DATABASE_URL"), "postgres://shop:" + "gannet12@db:5432/shop?sslmode=disable"},
		{"MySQL", inEnv("DB_URL"), "mysql://root:" + "ro" + "ot@mysql/shop"},
		{"Redis with just a password", inEnv("REDIS_URL"), "redis://:" + "petrel9@redis:6379/0"},
		{"Redis over TLS", inConfig("config.yaml", "cache:\n  url: rediss://default:§@cache:6380\n"), "ful" + "mar44"},
		{"AMQP", inEnv("BROKER"), "amqp://guest:" + "gue" + "st@rabbit:5672/"},
		{"MongoDB SRV", inEnv("MONGO"), "mongodb+srv://app:" + "skua1234@cluster0.ab1cd.example.net/shop?retryWrites=true"},
		{"MongoDB replica set", inConfig("MONGODB_URI", "§"), "mongodb://app:" + "ska1tern@m0:27017,m1:27017/shop?replicaSet=rs0"},
		{"SQLAlchemy", inEnv("SQLALCHEMY_DATABASE_URI"), "postgresql+psycopg2://airflow:" + "airflow@postgres/airflow"},
		{"Celery", inConfig("airflow.cfg", "[celery]\nbroker_url = redis://:§@redis:6379/1\n"), "pu" + "ffin7"},
		{"percent encoded", inEnv("ES_HOSTS"), "https://elastic:" + "p%40ss%21word9@es:9200"},
		{"Git over HTTPS", inShell("git clone https://ci:§@git.example.com/shop/web.git"), "auk" + "let-5"},
		{"proxy", inEnv("HTTPS_PROXY"), "http://proxyuser:" + "razorbill@proxy.example.com:3128"},
		{"FTP", inArgs("--target", "§"), "ftp://upload:" + "shag2020@ftp.example.com/in"},
		{"SMTP", inEnv("MAILER_DSN"), "smtp://ann:" + "murre-mail@mail.example.com:587"},
		{"LDAP", inHelm("ldap.connection"), "ldap://cn=admin:" + "noddy123@ldap:389"},
		{"NATS with a token", inEnv("NATS"), "nats://" + "svc:boo8y-bird@nats:4222"},
		{"ClickHouse by query", inEnv("CLICKHOUSE_DSN"), "tcp://ch:9000?username=default&password=" + "frigate1"},
		{"JDBC with a query", inConfig("app.properties", "url=jdbc:postgresql://db/shop?user=shop&password=§&ssl=true\n"), "jae" + "ger11"},
		{"SAS of a blob", inEnv("BLOB"), "https://shop.blob.core.windows.net/in?sv=2022-11-02&ss=b&sp=rl&se=2030-01-01T00:00:00Z&sig=" + made("", mixed, 43) + "%3D"},
		{"Slack's webhook", inConfig("alertmanager.yaml", "receivers:\n- name: ops\n  slack_configs:\n  - api_url: §\n"), "https://hooks.slack.com/" + "services/" + made("T", upper, 8) + "/" + made("B", upper, 10) + "/" + made("", mixed, 24)},
		{"Discord's webhook", inEnv("NOTIFY"), "https://discord.com/api/" + "webhooks/" + made("", digits, 18) + "/" + made("", urlish, 68)},
		{"Sentry with a secret part", inEnv("SENTRY_DSN"), "https://" + made("", hexa, 32) + ":" + made("a", hexa, 31) + "@sentry.example.com/4"},
		{"in an annotation", inAnnotation("example.com/source", "git+https://bot:§@git.example.com/x"), "til" + "ler-9x"},
		{"in Argo CD values", inArgoValues("env:\n  UPSTREAM: http://svc:§@upstream:8080\n"), "bo" + "oby-2"},
	}
}

func connectionStrings() []labelled {
	return []labelled{
		{"ADO.NET", inEnv("ConnectionStrings__Default"), "Server=tcp:sql,1433;Database=shop;User ID=sa;Password=" + "Gr3be!grebe;Encrypt=True"},
		{"ADO.NET, Pwd", inConfig("appsettings.json", `{"ConnectionStrings": {"Shop": "Server=sql;Database=shop;Uid=sa;Pwd=§;"}}`), "Lo" + "on42x"},
		{"PostgreSQL's words", inEnv("DSN"), "host=db port=5432 user=shop password=" + "scoter5 dbname=shop sslmode=disable"},
		{"Azure storage", inEnv("STORAGE"), "DefaultEndpointsProtocol=https;AccountName=shop;AccountKey=" + made("", base64s, 86) + "==;EndpointSuffix=core.windows.net"},
		{"Azure service bus", inConfig("SERVICEBUS", "§"), "Endpoint=sb://shop.servicebus.windows.net/;SharedAccessKeyName=Root;SharedAccessKey=" + made("", base64s, 43) + "="},
		{"Cosmos DB", inHelm("cosmos.connection"), "AccountEndpoint=https://shop.documents.azure.com:443/;AccountKey=" + made("", base64s, 86) + "==;"},
		{"IoT hub", inEnv("HUB"), "HostName=h.azure-devices.net;SharedAccessKeyName=owner;SharedAccessKey=" + made("z", base64s, 42) + "="},
		{"Go's MySQL driver", inEnv("GORM_DSN"), "shop:" + "smew-duck1@tcp(mysql:3306)/shop?parseTime=true"},
		{"JDBC of SQL Server", inConfig("db.properties", "url=jdbc:sqlserver://sql:1433;databaseName=shop;user=sa;password=§;encrypt=true\n"), "E1d" + "er!duck"},
		{"JDBC of Oracle", inEnv("ORACLE"), "jdbc:oracle:thin:scott/" + "tiger11@//ora:1521/XE"},
		{"ODBC", inConfig("odbc.ini", "[shop]\nDriver = FreeTDS\nUID = sa\nPWD = §\n"), "tea" + "l-55"},
		{"StackExchange Redis", inEnv("Redis__Configuration"), "redis:6380,password=" + "gadwall77,ssl=True,abortConnect=False"},
		{"RabbitMQ for .NET", inEnv("EASYNETQ"), "host=rabbit;username=shop;password=" + "wigeon1;virtualHost=/"},
		{"Application insights' key by name", inEnv("INFLUX_CONNECTION_STRING"), "url=http://influx:8086;token=" + made("", urlish, 60) + "=="},
		{"in an argument", inArgs("--dsn=host=db user=shop password=§ dbname=shop"), "pin" + "tail3"},
		{"LDAP of SSSD", inConfig("sssd.conf", "[domain/x]\nldap_uri = ldap://ldap\nldap_default_bind_dn = cn=ro\nldap_default_authtok = §\n"), "poch" + "ard12"},
		{"in Argo CD parameters", inArgo("config.dsn"), "Server=sql;User=sa;Password=" + "Sho2veler;"},
	}
}

func credentialFiles() []labelled {
	auth := base64Of("ci:" + "gold" + "eneye1")
	return []labelled{
		{"pgpass", inConfig(".pgpass", "db:5432:shop:shop:§\n"), "mer" + "ganser4"},
		{"pgpass with stars", inConfig("pgpass", "*:*:*:postgres:§\n"), "ga" + "rrot-3"},
		{"netrc", inConfig(".netrc", "machine git.example.com\n  login ci\n  password §\n"), "hob" + "by-88"},
		{"netrc in a line", inConfig("netrc", "machine git.example.com login ci password §\n"), "mer" + "lin-20"},
		{"docker's auth", inConfig("config.json", `{"auths": {"registry.example.com": {"auth": "§"}}}`), auth},
		{"docker's auth, one line", inConfig(".dockerconfigjson", `{"auths":{"registry.example.com":{"username":"ci","password":"§"}}}`), "ke" + "strel5"},
		{"npmrc", inConfig(".npmrc", "registry=https://npm.example.com/\n//npm.example.com/:_authToken=§\n"), made("", hexa, 8) + "-4c1d-4e0b-9a55-" + made("", hexa, 12)},
		{"npmrc, password", inConfig("npmrc", "//npm.example.com/:username=ci\n//npm.example.com/:_password=§\n"), base64Of("osp" + "rey-31")},
		{"pip.conf", inConfig("pip.conf", "[global]\nindex-url = https://ci:§@pypi.example.com/simple\n"), "har" + "rier6"},
		{"pypirc", inConfig(".pypirc", "[pypi]\nusername = ci\npassword = §\n"), "buz" + "zard44"},
		{"AWS credentials", inConfig("credentials", "[default]\naws_access_key_id = "+made("AKIA", upper+"234567", 16)+"\naws_secret_access_key = §\n"), made("b", base64s, 39)},
		{"git credentials", inConfig(".git-credentials", "https://ci:§@git.example.com\n"), "go" + "shawk1"},
		{"kubeconfig, password", inConfig("kubeconfig.yaml", "users:\n- name: ann\n  user:\n    username: ann\n    password: §\n"), "ca" + "racara"},
		{"kubeconfig, client's key", inConfig("kubeconfig", "users:\n- name: ann\n  user:\n    client-certificate-data: "+base64Of(pemOf("CERTIFICATE", 600))+"\n    client-key-data: §\n"), base64Of(pemOf("RSA PRIVATE "+"KEY", 500))},
		{"Maven's settings", inConfig("settings.xml", "<server><id>x</id><username>ci</username><password>§</password></server>"), "con" + "dor9x"},
		{"boto", inConfig(".boto", "[Credentials]\ngs_oauth2_refresh_token = §\n"), "1//" + made("0", urlish, 60)},
	}
}

func commandLines() []labelled {
	return []labelled{
		{"curl -u", inShell("curl -s -u admin:§ http://es:9200/_cluster/health"), "ki" + "te-33"},
		{"curl --user", inShell("curl --user 'ann:§' https://api.example.com"), "ea" + "gle 2x"},
		{"curl as a list", inCommand("curl", "-u", "elastic:§"), "lin" + "net-31"},
		{"mysql -p", inShell("mysqladmin ping -h 127.0.0.1 -uroot -p§"), "vul" + "ture1"},
		{"mysql --password", inShell("mysql -h db -u root --password=§ -e 'select 1'"), "se" + "cretary-1"},
		{"mysqldump as a list", inCommand("mysqldump", "-uroot", "-p§"), "fal" + "con99"},
		{"redis-cli -a", inShell("redis-cli -h redis -a § ping"), "rook" + "ery7"},
		{"docker login", inShell("docker login -u ci -p § registry.example.com"), "jack" + "daw-11"},
		{"basic authorization", inShell("curl -H 'Authorization: Basic §' http://svc"), base64Of("ann:" + "mag" + "pie-1")},
		{"bearer authorization", inShell("curl -H \"Authorization: Bearer §\" https://api.example.com/v2"), made("", mixed, 40)},
		{"header of an API key", inShell("wget --header='X-Api-Key: §' https://api.example.com"), made("", hexa, 40)},
		{"sshpass", inShell("sshpass -p '§' ssh ops@host uptime"), "rav" + "en-42"},
		{"mongo -p", inShell("mongosh --username root --password § --eval 'db.stats()'"), "cho" + "ugh88"},
		{"rclone", inArgs("--s3-secret-access-key=§"), made("c", base64s, 39)},
		{"htpasswd made in a shell", inShell("htpasswd -cb /etc/htpasswd ann --password=§"), "cro" + "w-bar1"},
		{"vault login", inShell("vault login token=§"), made("s.", mixed, 24)},
		{"assigned and used", inShell("TOKEN=§ && curl -H \"X-Token: $TOKEN\" http://svc"), made("t", word, 31)},
		{"argument of Java", inArgs("-Djavax.net.ssl.keyStorePassword=§"), "ja" + "vajay1"},
	}
}

func encodedSecrets() []labelled {
	return []labelled{
		{"password under a password's name", inEnv("DB_PASSWORD_B64"), base64Of("nut" + "hatch-7 and more")},
		{"URL", inConfig("blob", "§"), base64Of("postgres://shop:" + "tree" + "creeper@db/shop")},
		{"private key", inEnv("PEM"), base64Of(pemOf("RSA PRIVATE "+"KEY", 800))},
		{"properties", inConfig("payload", "§"), base64Of("db.user=shop\ndb.password=" + "wax" + "wing1\n")},
		{"JSON of a service account", inEnv("GCP_JSON"), base64Of(`{"type":"service_account","private_key":"-----BEGIN PRIVATE ` + `KEY-----\n` + made("MIIE", base64s, 400) + `\n-----END PRIVATE KEY-----\n"}`)},
		{"GitHub's token", inHelm("blob.data"), base64Of(made("gh"+"p_", mixed, 36))},
		{"dotenv in Argo CD", inArgo("envFile"), base64Of("PORT=80\nAPI_TOKEN=" + made("v", mixed, 30) + "\n")},
		{"docker's configuration", inEnv("REGISTRY_AUTH_JSON"), base64Of(`{"auths":{"r.example.com":{"username":"ci","password":"` + "dun" + `nock-8"}}}`)},
	}
}
