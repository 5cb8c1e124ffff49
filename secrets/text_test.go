package secrets_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTexts(t *testing.T) {
	cases := map[string]struct {
		reason string
		text   string
		want   []string
	}{
		"Properties":          {"Dots and the rest of the line.", "a=1\nspring.datasource.password=hunter2\n", []string{"spring.datasource.password:2 password-name"}},
		"PropertiesWithColon": {"Java takes a colon too.", "a: 1\ndb.password: hunter2\n", []string{"db.password:2 password-name"}},
		"Dotenv":              {"Quotes, and export.", "export API_TOKEN=\"" + random + "\"\nDB_PASSWORD='hunter2'\n", []string{"API_TOKEN:1 secret-name", "DB_PASSWORD:2 password-name"}},
		"YAML":                {"The names above are said.", "db:\n  main:\n    user: app\n    password: hunter2 # local\n", []string{"db.main.password:4 password-name"}},
		"YAMLBlock":           {"A block holds the value on the next line.", "password: |\n  hunter2\n", []string{"password:2 password-name"}},
		"YAMLFlow":            {"Flow maps too.", "db: {user: app, password: hunter2}\n", []string{"password:1 password-name"}},
		"YAMLList":            {"Pairs of name and value inside of text.", "env:\n- name: DB_PASSWORD\n  value: hunter2\n- name: X\n  value: y1\n", []string{"env.DB_PASSWORD:3 password-name"}},
		"YAMLNumber":          {"A number under a password name is one where nothing has types.", "password: 12345678\nmax: 3\n", []string{"password:1 password-name"}},
		"JSON":                {"Compact, and in one line.", `{"db":{"user":"app","password":"hunter2"},"token":123456789012}`, []string{"password password-name"}},
		"JSONLines":           {"Indented, with parents.", "{\n  \"db\": {\n    \"password\": \"hunter2\"\n  }\n}\n", []string{"db.password:3 password-name"}},
		"JSONInJSON":          {"Quotes that are escaped.", `{"a":"{\"password\":\"hunter2\"}"}`, []string{"password password-name"}},
		"JSONPairs":           {"Pairs in JSON.", `[{"name":"DB_PASSWORD","value":"hunter2"},{"name":"X","value":"y1"}]`, []string{"DB_PASSWORD password-name"}},
		"INI":                 {"The section is said.", "[smtp]\nhost = mail\npassword = hunter2\n", []string{"smtp.password:3 password-name"}},
		"TOML":                {"The same, quoted.", "[smtp.auth]\npassword = \"hunter2\"\n", []string{"smtp.auth.password:2 password-name"}},
		"XML":                 {"An element.", "<c>\n <password>hunter2</password>\n</c>", []string{"password:2 password-name"}},
		"XMLAttributes":       {"Attributes.", `<add key="DbPassword" value="hunter2"/><add key="x" value="y1"/>`, []string{"DbPassword password-name"}},
		"XMLAttribute":        {"An attribute that says it.", `<user name="app" password="hunter2"/>`, []string{"password password-name"}},
		"XMLEntry":            {"A name in an attribute, and the value between tags.", `<entry key="mail.password">hunter2</entry>`, []string{"mail.password password-name"}},
		"SQL":                 {"A password of a user.", "CREATE USER app IDENTIFIED BY 'hunter2';", []string{"password password-name"}},
		"SQLOfPostgres":       {"The same of another server.", "ALTER USER app WITH PASSWORD 'hunter2';", []string{"password password-name"}},
		"QuotedDirective":     {"A directive with quotes.", "port 6379\nrequirepass \"hunter2\"\n", []string{"requirepass:2 password-name"}},
		"XMLPairs":            {"Hadoop's pairs.", "<property><name>fs.secret.key</name><value>" + random + "</value></property>", []string{"fs.secret.key secret-name"}},
		"Shell":               {"An assignment before a command.", "set -e\nDB_PASSWORD=hunter2 ./run\n", []string{"DB_PASSWORD:2 password-name"}},
		"Query":               {"A parameter of a URL.", "jdbc:mysql://db/app?user=app&password=hunter2&ssl=true", []string{"password password-name"}},
		"ConnectionString":    {"Semicolons.", "Server=db;User Id=sa;Password=Str0ng;Encrypt=true", []string{"Password password-name"}},
		"AccountKey":          {"Azure's.", "AccountName=app;AccountKey=" + random + "==;EndpointSuffix=x", []string{"AccountKey secret-name"}},
		"libpq":               {"Spaces.", "host=db user=app password=hunter2 dbname=app", []string{"password password-name"}},
		"Redis":               {"A directive with a space.", "port 6379\nrequirepass hunter2\n", []string{"requirepass:2 password-name"}},
		"Npmrc":               {"A registry before the name.", "//registry.npmjs.org/:_authToken=" + random + "\n", []string{"_authToken:1 secret-name"}},
		"CodeLiteral":         {"A literal in a program.", "import os\npassword = 'hunter2'\n", []string{"password:2 password-name"}},

		"Comment":      {"What is commented out is an example.", "# password: hunter2\na: 1\n// password=hunter2\n; password=hunter2\n", []string{}},
		"Prose":        {"Words are no pairs.", "The password: it must be long. Set password=PASSWORD or see token: docs\n", []string{}},
		"Nginx":        {"Paths and variables of a server.", "ssl_certificate_key /etc/tls/tls.key;\nproxy_set_header X-Token $http_token;\nauth_basic \"Restricted\";\nset $auth_token \"$arg_token1\";\n", []string{}},
		"Go":           {"Expressions of programs.", "password = os.getenv('DB_PASSWORD')\ntoken = cfg.token1\nconnect(password=pw, secret=secret)\nif (token == 'abc123') {}\n", []string{}},
		"Prometheus":   {"Labels of queries.", "expr: kube_secret_info{secret=\"db-secret1\"} > 0\nbearer_token_file: /var/run/token1\n", []string{}},
		"Dashboard":    {"Texts of a dashboard.", `{"title":"Tokens","expr":"sum(rate(auth_token_total{token=~\"a.*\"}[5m]))","legendFormat":"{{token}}","refId":"A1"}`, []string{}},
		"Translations": {"Texts for people.", `{"password":"Enter your password","passwordHint":"At least 8","token":"Token","secret":"Ваш секрет"}`, []string{}},
		"Labels":       {"The name itself, for people.", "login.password=Password\nlogin.token=Token expired\n", []string{}},
		"Header":       {"A header of a request, in quotes.", "run: curl -H 'X-Api-Key: abcd1234efgh5678' https://api\n", []string{"X-Api-Key:1 secret-name"}},
		"Quote":        {"Words in quotes are no header.", "help: say 'password: and more' or \"token: x1yz and so on\"\n", []string{}},
		"Usage":        {"The usage of a command.", "Flags:\n  --password string   the password\n  --token TOKEN  x\n  --secret-name my1\n", []string{}},
		"Vault":        {"References.", "password: vault:secret/db#pw1\ntoken: ref+vault://x1\nsecret: !vault |\n", []string{}},
		"JSONNumbers":  {"Numbers and booleans of JSON.", `{"password":12345678,"token":true,"secret":null}`, []string{}},
		"Policy":       {"Settings of passwords.", "password_min_length=12\npassword.policy: strict1\nrequirePassword: yes1\npasswordKey: admin-password\n", []string{}},
	}
	s := newScanner(t)
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			want := []string{}
			for _, w := range tc.want {
				want = append(want, "data.file "+w)
			}
			if diff := cmp.Diff(want, found(s.Scan(configMap("file", tc.text)))); diff != "" {
				t.Errorf("%s\nScan(%q): -want, +got:\n%s", tc.reason, tc.text, diff)
			}
		})
	}
}
