package resource_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lintel-policy/lintel/resource"
)

// planFile is a plan of what a shop has at two clouds, as Terraform writes it.
const planFile = "testdata/terraform/plan.json"

// specs returns the specs of the objects of a plan by their names.
func specs(t *testing.T, plan string) map[string]map[string]any {
	t.Helper()
	r := resource.Read(strings.NewReader(plan), "plan.json")
	if len(r.Errors) > 0 {
		t.Fatalf("Read(...): %v", r.Errors)
	}
	found := map[string]map[string]any{}
	for _, o := range r.Objects {
		var made struct{ Spec map[string]any }
		if err := json.Unmarshal(o.JSON, &made); err != nil {
			t.Fatalf("read %s: %v", o.Name, err)
		}
		found[o.Name] = made.Spec
	}
	return found
}

func wholePlan(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(planFile)
	if err != nil {
		t.Fatalf("read the plan: %v", err)
	}
	return string(data)
}

// TestPlan asks that all that will exist becomes an object, and nothing else does.
func TestPlan(t *testing.T) {
	r := resource.Load(t.Context(), resource.Options{}, planFile)
	if len(r.Errors) > 0 || r.Skipped > 0 {
		t.Fatalf("Load(...): %v, %d skipped", r.Errors, r.Skipped)
	}
	var got []string
	for _, o := range r.Objects {
		got = append(got, fmt.Sprintf("%s %s %s %s:%d", o.APIVersion, o.Kind, o.Name, o.File, o.Line))
	}
	var want []string
	for _, name := range []string{
		"variable var.admin_token", "variable var.region", "variable var.smtp_password",
		"provider provider.aws", "provider provider.google",
		"aws_autoscaling_group aws_autoscaling_group.web", "aws_db_instance aws_db_instance.main", "aws_instance aws_instance.api",
		"aws_instance aws_instance.kept", "aws_launch_template aws_launch_template.web",
		"aws_route_table_association aws_route_table_association.a", `aws_s3_bucket module.data["eu"].aws_s3_bucket.logs[0]`,
		"google_compute_instance google_compute_instance.batch", "random_password random_password.db",
	} {
		want = append(want, "terraform.lintel.dev/v1 "+name+" "+planFile+":1")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what is deleted and what is only read is left out\nLoad(...): -want, +got:\n%s", diff)
	}
}

// TestWillExist asks which changes leave a resource behind.
func TestWillExist(t *testing.T) {
	for name, tc := range map[string]struct{ reason, change, want string }{
		"Create":        {"It is new.", `"mode":"managed","change":{"actions":["create"],"after":{}}`, "create"},
		"Update":        {"It changes.", `"mode":"managed","change":{"actions":["update"],"after":{}}`, "update"},
		"Replace":       {"Another takes its place.", `"mode":"managed","change":{"actions":["delete","create"],"after":{}}`, "replace"},
		"ReplaceBefore": {"The same the other way round.", `"mode":"managed","change":{"actions":["create","delete"],"after":{}}`, "replace"},
		"ReplaceForget": {"The old one is forgotten.", `"mode":"managed","change":{"actions":["create","forget"],"after":{}}`, "replace"},
		"Unchanged":     {"It stays.", `"mode":"managed","change":{"actions":["no-op"],"after":{}}`, "no-op"},
		"Delete":        {"It goes.", `"mode":"managed","change":{"actions":["delete"],"after":null}`, ""},
		"Forget":        {"It is no longer ours.", `"mode":"managed","change":{"actions":["forget"],"after":null}`, ""},
		"Deposed":       {"It is what a failed replacement left.", `"mode":"managed","deposed":"0a1b2c3d","change":{"actions":["no-op"],"after":{}}`, ""},
		"Read":          {"It is read.", `"mode":"data","change":{"actions":["read"],"after":{}}`, ""},
		"DataUnchanged": {"It is read elsewhere.", `"mode":"data","change":{"actions":["no-op"],"after":{}}`, ""},
		"NothingKnown":  {"Nothing of it is known yet.", `"mode":"managed","change":{"actions":["create"],"after_unknown":true}`, "create"},
		"NoChange":      {"It is not said what becomes of it.", `"mode":"managed"`, ""},
		"NoActions":     {"Nor here.", `"mode":"managed","change":{}`, ""},
	} {
		plan := `{"format_version":"1.2","planned_values":{},"resource_changes":[null,{"address":"aws_x.y","type":"aws_x","name":"y",` + tc.change + `}]}`
		got, _ := specs(t, plan)["aws_x.y"]["action"].(string)
		if got != tc.want {
			t.Errorf("%s: %s\nwant %q, got %q", name, tc.reason, tc.want, got)
		}
	}
}

func TestPlannedTags(t *testing.T) {
	cases := map[string]struct {
		reason string
		want   string
	}{
		"aws_db_instance.main":                    {"Defaults of the provider are in tags_all.", `[{"path":["spec","values","tags"],"tags":{"environment":"production","team":"checkout"},"unknown":[]}]`},
		"aws_instance.api":                        {"While tags_all is not known, defaults come from the provider.", `[{"path":["spec","values","tags"],"tags":{"environment":"production","service":"api","team":"checkout"},"unknown":["launched-from"]}]`},
		"aws_autoscaling_group.web":               {"A tag that instances do not get is none.", `[{"path":["spec","values","tag"],"tags":{"environment":"production","team":"checkout"},"unknown":[]}]`},
		"aws_launch_template.web":                 {"What it launches has tags of its own.", `[{"path":["spec","values","tags"],"tags":{"environment":"production","service":"web","team":"checkout"},"unknown":[]},{"path":["spec","values","tag_specifications",0,"tags"],"tags":{"environment":"production","service":"web","team":"checkout"},"unknown":[]},{"path":["spec","values","tag_specifications",1,"tags"],"tags":{"environment":"production"},"unknown":[]}]`},
		"google_compute_instance.batch":           {"Google's tags are of the network; labels are on the bill.", `[{"path":["spec","values","labels"],"tags":{"environment":"production","goog-terraform-provisioned":"true","service":"batch"},"unknown":[]}]`},
		"aws_route_table_association.a":           {"The type has no tags.", `null`},
		"random_password.db":                      {"The provider has no tags.", `null`},
		`module.data["eu"].aws_s3_bucket.logs[0]`: {"In a module it is the same.", `[{"path":["spec","values","tags"],"tags":{"environment":"production","service":"todo","team":"checkout"},"unknown":[]}]`},
	}
	found := specs(t, wholePlan(t))
	for name, tc := range cases {
		got, err := json.Marshal(found[name]["tagging"])
		if err != nil {
			t.Fatalf("encode: %v", err)
		}
		if diff := cmp.Diff(tc.want, string(got)); diff != "" {
			t.Errorf("%s: %s\n-want, +got:\n%s", name, tc.reason, diff)
		}
	}
}

// onePlan is a plan of one resource of type aws_x, with what is said of it.
func onePlan(kind, after, unknown, sensitive, configuration string) string {
	prefix, _, _ := strings.Cut(kind, "_")
	return fmt.Sprintf(`{"format_version":"1.2","planned_values":{},"resource_changes":[{"address":"x.y","mode":"managed","type":%q,"name":"y",
"provider_name":"registry.terraform.io/x/%s","change":{"actions":["create"],"before":null,"after":%s,"after_unknown":%s,"after_sensitive":%s}}],
"configuration":%s}`, kind, prefix, after, unknown, sensitive, configuration)
}

// written is a configuration of that resource and a provider.
func written(kind, provider, expressions string) string {
	prefix, _, _ := strings.Cut(kind, "_")
	return fmt.Sprintf(`{"provider_config":{%q:{"name":%q,"expressions":%s}},"root_module":{"resources":[{"mode":"managed","type":%q,"name":"y",
"provider_config_key":%q,"expressions":%s}],"variables":{"outside":{"sensitive":true},"plain":{},"filled":{"sensitive":true,"default":"x"}}}}`,
		prefix, prefix, provider, kind, prefix, expressions)
}

// TestTagsOfProviders has the ways in which providers say tags.
func TestTagsOfProviders(t *testing.T) {
	cases := map[string]struct {
		reason                                    string
		kind, after, unknown, sensitive, provider string
		tags                                      string // "" for none
		later                                     string
	}{
		"NotSet":            {"Null is what is not set of what can be set.", "aws_x", `{"tags":null}`, `{}`, `{}`, `{}`, `{}`, `[]`},
		"AllUnknown":        {"An attribute that is not known is there.", "aws_x", `{}`, `{"tags":true,"tags_all":true}`, `{}`, `{}`, `{}`, `["*"]`},
		"Sensitive":         {"What nobody shall see is not told.", "aws_x", `{"tags":{"a":"hidden"}}`, `{}`, `{"tags":{"a":true}}`, `{}`, `{}`, `["a"]`},
		"AllSensitive":      {"Nor is a whole map of them.", "aws_x", `{"tags":{"a":"hidden"}}`, `{}`, `{"tags":true}`, `{}`, `{}`, `["*"]`},
		"PartOfMerged":      {"One merged value is not known.", "aws_x", `{"tags":null,"tags_all":{"a":"b"}}`, `{"tags_all":{"c":true}}`, `{}`, `{}`, `{"a":"b"}`, `["c"]`},
		"DefaultsReferred":  {"The keys of defaults that are references cannot be told.", "aws_x", `{"tags":{"a":"b"}}`, `{"tags_all":true}`, `{}`, `{"default_tags":[{"tags":{"references":["local.tags"]}}]}`, `{"a":"b"}`, `["*"]`},
		"NoDefaults":        {"Without defaults there are those of the resource.", "aws_x", `{"tags":{"a":"b"}}`, `{"tags_all":true}`, `{}`, `{}`, `{"a":"b"}`, `[]`},
		"EmptyDefaults":     {"A block without tags gives none.", "aws_x", `{"tags":{"a":"b"}}`, `{"tags_all":true}`, `{}`, `{"default_tags":[{}]}`, `{"a":"b"}`, `[]`},
		"OwnBeforeDefault":  {"A tag of the resource's own stands.", "aws_x", `{"tags":{"a":"own"}}`, `{"tags_all":true}`, `{}`, `{"default_tags":[{"tags":{"constant_value":{"a":"default","n":7}}}]}`, `{"a":"own","n":"7"}`, `[]`},
		"OldProvider":       {"Before 3.38 nothing was merged.", "aws_x", `{"tags":{"a":"b"}}`, `{}`, `{}`, `{}`, `{"a":"b"}`, `[]`},
		"GoogleDefaults":    {"Google's defaults are an attribute.", "google_x", `{"labels":{"a":"b"}}`, `{"terraform_labels":true,"effective_labels":true}`, `{}`, `{"default_labels":{"constant_value":{"c":"d"}}}`, `{"a":"b","c":"d"}`, `[]`},
		"GoogleCluster":     {"A cluster calls them otherwise.", "google_container_cluster", `{"resource_labels":{"a":"b"}}`, `{}`, `{}`, `{}`, `{"a":"b"}`, `[]`},
		"GoogleChannel":     {"The labels of a channel are an address.", "google_monitoring_notification_channel", `{"labels":{"email":"a@b.example"}}`, `{}`, `{}`, `{}`, ``, ``},
		"Azure":             {"Azure's provider has no defaults.", "azurerm_x", `{"tags":{"a":"b"}}`, `{}`, `{}`, `{}`, `{"a":"b"}`, `[]`},
		"Oracle":            {"Oracle's are free or defined.", "oci_x", `{"freeform_tags":{"a":"b"},"defined_tags":{"Cost.team":"c","plain":"d"}}`, `{"defined_tags":{"Cost.owner":true}}`, `{}`, `{}`, `{"a":"b","team":"c"}`, `["owner"]`},
		"ListOfTexts":       {"Some have texts.", "digitalocean_x", `{"tags":["a:b","c=d:e","f"]}`, `{}`, `{}`, `{}`, `{"a":"b","c":"d:e","f":""}`, `[]`},
		"ListOfPairs":       {"Some have keys and values.", "awscc_x", `{"tags":[{"key":"a","value":"b"},{"key":"c"},{"key":"d","value":"s"}]}`, `{"tags":[{},{"value":true},{}]}`, `{"tags":[{},{},{"value":true}]}`, `{}`, `{"a":"b"}`, `["c","d"]`},
		"ListOfUnknown":     {"An item that is not known may be any tag.", "awscc_x", `{"tags":[null]}`, `{"tags":[true]}`, `{}`, `{}`, `{}`, `["*"]`},
		"UnknownProvider":   {"Tags of a monitor are on no bill.", "datadog_monitor", `{"tags":["a:b"]}`, `{}`, `{}`, `{}`, ``, ``},
		"NullInMap":         {"A tag without a value is none.", "aws_x", `{"tags":{"a":null}}`, `{}`, `{}`, `{}`, `{}`, `[]`},
		"ScalingGroupLater": {"Blocks that are not known may be any tag.", "aws_autoscaling_group", `{}`, `{"tag":true}`, `{}`, `{}`, `{}`, `["*"]`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			found := specs(t, onePlan(tc.kind, tc.after, tc.unknown, tc.sensitive, written(tc.kind, tc.provider, `{}`)))
			list, _ := found["x.y"]["tagging"].([]any)
			if tc.tags == "" {
				if list != nil {
					t.Errorf("%s\nit has tags: %v", tc.reason, list)
				}
				return
			}
			if len(list) == 0 {
				t.Fatalf("%s\nit has no tags", tc.reason)
			}
			place := list[0].(map[string]any)
			tags, later := string(mustJSON(t, place["tags"])), string(mustJSON(t, place["unknown"]))
			if tags != tc.tags || later != tc.later {
				t.Errorf("%s\nwant %s and %s, got %s and %s", tc.reason, tc.tags, tc.later, tags, later)
			}
		})
	}
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatalf("encode: %v", err)
	}
	return data
}

// TestProviderOfResource asks that defaults are those of the provider that a resource
// has, by its alias and through modules.
func TestProviderOfResource(t *testing.T) {
	const change = `{"address":"%[1]saws_x.y","module_address":"%[2]s","mode":"managed","type":"aws_x","name":"y","change":{"actions":["create"],"after":{"tags":null},"after_unknown":{"tags_all":true}}}`
	const providers = `"aws":{"name":"aws","expressions":{"default_tags":[{"tags":{"constant_value":{"of":"root"}}}]}},
"aws.eu":{"name":"aws","alias":"eu","expressions":{"default_tags":[{"tags":{"constant_value":{"of":"eu"}}}]}},
"module.a:aws":{"name":"aws","module_address":"module.a"}`
	for name, tc := range map[string]struct{ key, want string }{
		"Root":      {"aws", `{"of":"root"}`},
		"Alias":     {"aws.eu", `{"of":"eu"}`},
		"Inherited": {"module.a:aws", `{"of":"root"}`},
		"Passed":    {"a:aws.eu", `{"of":"eu"}`},
		"NotThere":  {"other", `{"of":"root"}`},
	} {
		module := fmt.Sprintf(`{"resources":[{"mode":"managed","type":"aws_x","name":"y","provider_config_key":%q}]}`, tc.key)
		plan := `{"format_version":"1.2","planned_values":{},"resource_changes":[` +
			fmt.Sprintf(change, `module.a["x].module.b"].`, `module.a[\"x].module.b\"]`) + `],"configuration":{"provider_config":{` + providers + `},"root_module":{"module_calls":{"a":{"module":` + module + `}}}}}`
		plan = strings.Replace(plan, `"address":"module.a["x].module.b"].`, `"address":"module.a[\"x].module.b\"].`, 1)
		tagging := specs(t, plan)[`module.a["x].module.b"].aws_x.y`]["tagging"].([]any)
		if got := string(mustJSON(t, tagging[0].(map[string]any)["tags"])); got != tc.want {
			t.Errorf("%s: want %s, got %s", name, tc.want, got)
		}
	}
}

// TestConfigured has what of a resource stands in what people wrote.
func TestConfigured(t *testing.T) {
	cases := map[string]struct {
		reason             string
		after, expressions string
		sensitive          string
		want               string
	}{
		"Constant":       {"It is written.", `{"password":"hunter2"}`, `{"password":{"constant_value":"hunter2"}}`, `{"password":true}`, `{"password":"hunter2"}`},
		"Computed":       {"Nobody wrote it.", `{"secret":"AbCdEf123456"}`, `{}`, `{"secret":true}`, `{}`},
		"Null":           {"There is nothing.", `{"password":null}`, `{"password":{"references":["var.plain"]}}`, `{}`, `{}`},
		"OfResource":     {"A resource made it.", `{"password":"AbCdEf123456"}`, `{"password":{"references":["random_password.a.result","random_password.a"]}}`, `{}`, `{}`},
		"OfData":         {"It was read.", `{"password":"AbCdEf123456"}`, `{"password":{"references":["data.store.a"]}}`, `{}`, `{}`},
		"Outside":        {"A sensitive variable brought it.", `{"password":"AbCdEf123456"}`, `{"password":{"references":["var.outside"]}}`, `{}`, `{}`},
		"Plain":          {"A variable that all can see is as good as written.", `{"password":"AbCdEf123456"}`, `{"password":{"references":["var.plain"]}}`, `{}`, `{"password":"AbCdEf123456"}`},
		"Filled":         {"One with a default is written there.", `{"password":"AbCdEf123456"}`, `{"password":{"references":["var.filled"]}}`, `{}`, `{"password":"AbCdEf123456"}`},
		"Undeclared":     {"One that is not declared may be anything.", `{"password":"AbCdEf123456"}`, `{"password":{"references":["var.other"]}}`, `{}`, `{"password":"AbCdEf123456"}`},
		"Local":          {"What a local is the plan does not say.", `{"password":"AbCdEf123456"}`, `{"password":{"references":["local.a"]}}`, `{}`, `{"password":"AbCdEf123456"}`},
		"Mixed":          {"One part may be written.", `{"password":"AbCdEf123456"}`, `{"password":{"references":["data.store.a","local.a"]}}`, `{}`, `{"password":"AbCdEf123456"}`},
		"Text":           {"A text has more in it than a reference.", `{"script":"export PASSWORD=hunter2 HOST=db.example"}`, `{"script":{"references":["aws_db.a.host","aws_db.a"]}}`, `{}`, `{"script":"export PASSWORD=hunter2 HOST=db.example"}`},
		"URL":            {"So has a URL.", `{"url":"postgres://a:hunter2@db"}`, `{"url":{"references":["aws_db.a.host","aws_db.a"]}}`, `{}`, `{"url":"postgres://a:hunter2@db"}`},
		"DynamicBlocks":  {"Dynamic blocks have no expression, and are written.", `{"setting":[{"name":"PASSWORD","value":"hunter2"}]}`, `{}`, `{}`, `{"setting":[{"name":"PASSWORD","value":"hunter2"}]}`},
		"Blocks":         {"Blocks are scanned whole.", `{"environment":[{"variables":{"PASSWORD":"hunter2"}}]}`, `{"environment":[{"variables":{"references":["var.plain"]}}]}`, `{}`, `{"environment":[{"variables":{"PASSWORD":"hunter2"}}]}`},
		"OutsideInBlock": {"A value from outside stands as its reference, in the midst of others too.", `{"environment":[{"variables":{"PASSWORD":"from-outside-1","DSN":"u:from-outside-1@db"}}]}`, `{"environment":[{"variables":{"references":["var.outside"]}}]}`, `{}`, `{"environment":[{"variables":{"DSN":"u:${var.outside}@db","PASSWORD":"${var.outside}"}}]}`},
		"SameAsOutside":  {"A constant is written, whatever it equals.", `{"password":"from-outside-1"}`, `{"password":{"constant_value":"from-outside-1"}}`, `{}`, `{"password":"from-outside-1"}`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			plan := onePlan("aws_x", tc.after, `{}`, tc.sensitive, written("aws_x", `{}`, tc.expressions))
			plan = strings.Replace(plan, `"planned_values":{}`, `"planned_values":{},"variables":{"outside":{"value":"from-outside-1"}}`, 1)
			got := mustJSON(t, specs(t, plan)["x.y"]["configured"])
			if diff := cmp.Diff(tc.want, string(got)); diff != "" {
				t.Errorf("%s\n-want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// TestConfiguredWithoutConfiguration asks that a plan that does not say how it was
// written is taken to be written.
func TestConfiguredWithoutConfiguration(t *testing.T) {
	got := mustJSON(t, specs(t, onePlan("aws_x", `{"password":"hunter2"}`, `{}`, `{}`, `null`))["x.y"]["configured"])
	if want := `{"password":"hunter2"}`; string(got) != want {
		t.Errorf("want %s, got %s", want, got)
	}
}

// TestThroughModules follows a password into a module and out of another.
func TestThroughModules(t *testing.T) {
	const plan = `{"format_version":"1.2","planned_values":{},"resource_changes":[
{"address":"module.db.x_db.y","module_address":"module.db","mode":"managed","type":"x_db","name":"y","change":{"actions":["create"],"after":{"password":"AbCdEf123456"}}}],
"configuration":{"root_module":{"variables":{"outside":{"sensitive":true}},"module_calls":{
"db":{"expressions":{"password":%s},"module":{"variables":{"password":{"sensitive":true}},"resources":[{"mode":"managed","type":"x_db","name":"y","expressions":{"password":{"references":["var.password"]}}}]}},
"store":{"module":{"outputs":{"made":{"expression":{"references":["random_password.a.result","random_password.a"]}},"fixed":{"expression":{"constant_value":"AbCdEf123456"}},"round":{"expression":{"references":["module.x.y"]}}}}}}}}}`
	for name, tc := range map[string]struct{ reason, expression, want string }{
		"Outside":  {"The root has it from outside.", `{"references":["var.outside"]}`, `{}`},
		"Constant": {"The root has it written down.", `{"constant_value":"AbCdEf123456"}`, `{"password":"AbCdEf123456"}`},
		"Made":     {"Another module made it.", `{"references":["module.store.made","module.store"]}`, `{}`},
		"Fixed":    {"Another module has it written down.", `{"references":["module.store.fixed","module.store"]}`, `{"password":"AbCdEf123456"}`},
		"Whole":    {"A whole module may be anything.", `{"references":["module.store"]}`, `{"password":"AbCdEf123456"}`},
		"NotThere": {"So may one that the plan does not have.", `{"references":["module.store.round","module.store"]}`, `{"password":"AbCdEf123456"}`},
	} {
		got := mustJSON(t, specs(t, fmt.Sprintf(plan, tc.expression))["module.db.x_db.y"]["configured"])
		if string(got) != tc.want {
			t.Errorf("%s: %s\nwant %s, got %s", name, tc.reason, tc.want, got)
		}
	}
}

func TestVariables(t *testing.T) {
	const plan = `{"format_version":"1.2","planned_values":{},"variables":{"v":{"value":%s}},"configuration":{"root_module":{"variables":{"v":%s}}}}`
	for name, tc := range map[string]struct{ reason, value, declared, want string }{
		"Plain":            {"All can see it.", `"a"`, `{}`, `{"configured":{"v":"a"},"name":"v","sensitive":false,"value":"a"}`},
		"PlainDefault":     {"Its default is the value.", `"a"`, `{"default":"a"}`, `{"configured":{"v":"a"},"name":"v","sensitive":false,"value":"a"}`},
		"OtherDefault":     {"A default that is not used is written all the same.", `"a"`, `{"default":"b"}`, `{"configured":{"default":{"v":"b"},"v":"a"},"name":"v","sensitive":false,"value":"a"}`},
		"Sensitive":        {"It is from outside, and nobody's business.", `"a"`, `{"sensitive":true}`, `{"configured":{},"name":"v","sensitive":true}`},
		"SensitiveDefault": {"The default is written.", `"a"`, `{"default":"b","sensitive":true}`, `{"configured":{"v":"b"},"name":"v","sensitive":true}`},
		"Null":             {"There is nothing.", `null`, `{}`, `{"configured":{},"name":"v","sensitive":false}`},
	} {
		if got := string(mustJSON(t, specs(t, fmt.Sprintf(plan, tc.value, tc.declared))["var.v"])); got != tc.want {
			t.Errorf("%s: %s\nwant %s\ngot  %s", name, tc.reason, tc.want, got)
		}
	}
}

// TestStoredSecrets asks that what data sources and resources brought is known in
// the midst of other text, and inside of JSON that they brought.
func TestStoredSecrets(t *testing.T) {
	const plan = `{"format_version":"1.2","planned_values":{},"resource_changes":[
{"address":"x.y","mode":"managed","type":"aws_x","name":"y","change":{"actions":["create"],"after":{"script":"A=from-the-store-77 B=made-here-1234 C=eu-central-1 D=written-55555"}}},
{"address":"random_password.a","mode":"managed","type":"random_password","name":"a","change":{"actions":["no-op"],"after":{"result":"made-here-1234","length":14}}}],
"prior_state":{"values":{"root_module":{"child_modules":[{"address":"module.s[0]","resources":[{"address":"module.s[0].data.store.a","mode":"data","type":"store","name":"a",
"values":{"id":"eu-central-1","arg":"written-55555","value":"{\"password\":\"from-the-store-77\"}"},"sensitive_values":{"value":true,"arg":true}}]}]}}},
"configuration":{"root_module":{"resources":[{"mode":"managed","type":"aws_x","name":"y","expressions":{"script":{"references":["local.a"]}}},
{"mode":"managed","type":"random_password","name":"a","expressions":{"length":{"constant_value":14}}}],
"module_calls":{"s":{"module":{"resources":[{"mode":"data","type":"store","name":"a","expressions":{"arg":{"constant_value":"written-55555"}}}]}}}}}}`
	got := specs(t, plan)["x.y"]["configured"].(map[string]any)["script"]
	want := "A=${module.s[0].data.store.a} B=${random_password.a} C=eu-central-1 D=written-55555"
	if got != want {
		t.Errorf("want %q, got %q", want, got)
	}
}

// TestSensitiveValues asks that policies see nothing that the plan marks as
// sensitive, unless it is written down.
func TestSensitiveValues(t *testing.T) {
	plan := onePlan("aws_x", `{"a":"hidden","b":[{"c":"hidden","d":1},{"c":"shown"}],"e":{"f":"hidden","g":12345678901234567890}}`, `{}`,
		`{"a":true,"b":[{"c":true}],"e":{"f":true}}`, written("aws_x", `{}`, `{}`))
	r := resource.Read(strings.NewReader(plan), "plan.json")
	if text := string(r.Objects[0].JSON); len(r.Objects) != 1 || !strings.Contains(text, `"e":{"f":"(sensitive value)","g":12345678901234567890}`) ||
		!strings.Contains(text, `"values":{"a":"(sensitive value)","b":[{"c":"(sensitive value)","d":1},{"c":"shown"}]`) {
		t.Errorf("got %s", text)
	}
}

// TestGuarded has what providers keep secret and people write down.
func TestGuarded(t *testing.T) {
	cases := map[string]struct {
		reason                 string
		kind, after, sensitive string
		want                   string
	}{
		"Marked":    {"The provider keeps it secret.", "aws_x", `{"value":"a","b":"c","a":"d"}`, `{"value":true,"a":true,"c":true}`, `["a","value"]`},
		"Map":       {"Values of a map have names of their own.", "aws_x", `{"value":{"a":"b"}}`, `{"value":true}`, `[]`},
		"Document":  {"A script is looked through.", "aws_x", `{"custom_data":"a","content":"b","user_data_base64":"c"}`, `{"custom_data":true,"content":true,"user_data_base64":true}`, `[]`},
		"Parameter": {"All parameters are marked.", "aws_ssm_parameter", `{"type":"String","value":"ami-1"}`, `{"value":true}`, `[]`},
		"Secure":    {"Secure ones are secret.", "aws_ssm_parameter", `{"type":"SecureString","value":"a"}`, `{"value":true}`, `["value"]`},
		"None":      {"Nothing is marked.", "aws_x", `{"value":"a"}`, `false`, `[]`},
	}
	for name, tc := range cases {
		got := string(mustJSON(t, specs(t, onePlan(tc.kind, tc.after, `{}`, tc.sensitive, `null`))["x.y"]["guarded"]))
		if got != tc.want {
			t.Errorf("%s: %s\nwant %s, got %s", name, tc.reason, tc.want, got)
		}
	}
}

// TestNoPlan has what begins as a plan does and is none, and plans that cannot be
// judged.
func TestNoPlan(t *testing.T) {
	cases := map[string]struct{ reason, in, want string }{
		"State":        {"A state is no plan.", `{"format_version":"1.0","values":{}}`, "f:1: is no Kubernetes object: apiVersion or kind is missing"},
		"EmptyState":   {"Nor is an empty one.", `{"format_version":"1.0"}`, "f:1: is no Kubernetes object: apiVersion or kind is missing"},
		"Schemas":      {"Nor are schemas.", `{"format_version":"1.0","provider_schemas":{}}`, "f:1: is no Kubernetes object: apiVersion or kind is missing"},
		"RawState":     {"Nor is the file of a state.", `{"version":4,"terraform_version":"1.9.5","resources":[]}`, "f:1: is no Kubernetes object: apiVersion or kind is missing"},
		"List":         {"Nor is a list.", `[{"format_version":"1.2","planned_values":{}}]`, "f:1: is no Kubernetes object: apiVersion or kind is missing"},
		"Format":       {"A format to come may mean anything.", "{\n\"format_version\":\"2.0\",\"planned_values\":{}}", `f:2: is a Terraform plan of format "2.0", which is not known`},
		"NoFormat":     {"So may none.", `{"format_version":"x","planned_values":{}}`, `f:1: is a Terraform plan of format "x", which is not known`},
		"FormatNumber": {"A version is a text.", `{"format_version":1.2,"planned_values":{}}`, "f:1: is no Terraform plan as it should be: a part of it is of another type than Terraform writes"},
		"Errored":      {"A part of a plan would pass for all.", "{\"format_version\":\"1.2\",\"planned_values\":{},\n\"errored\":true}", "f:2: is a Terraform plan that ended in an error, and shows a part of what would be: plan again"},
		"Truncated":    {"So would a part of a file.", `{"format_version":"1.2","planned_values":{}`, "f:1: read JSON: unexpected end of JSON input"},
		"Twice":        {"Who applies it may read the other.", "{\"format_version\":\"1.2\",\"planned_values\":{},\n\"planned_values\":{}}", `f:2: key "planned_values" is there twice in one object`},
		"TwiceInside":  {"The same further in.", "{\"format_version\":\"1.2\",\"planned_values\":{},\"resource_changes\":[\n{\"change\":{\"after\":{},\n\"after\":{}}}]}", `f:3: key "after" is there twice in one object`},
		"Shape":        {"No value is repeated.", `{"format_version":"1.2","planned_values":{},"variables":{"a":"hunter2"}}`, "f:1: is no Terraform plan as it should be: a part of it is of another type than Terraform writes"},
		"NoList":       {"Changes are a list.", `{"format_version":"1.2","planned_values":{},"resource_changes":{}}`, "f:1: is no Terraform plan as it should be: a part of it is of another type than Terraform writes"},
		"Deep":         {"Nobody nests so.", `{"format_version":"1.2","planned_values":` + strings.Repeat("[", 300) + strings.Repeat("]", 300) + `}`, "f:1: is a Terraform plan that nests deeper than 256 levels"},
		"Many":         {"The others would go unjudged.", `{"format_version":"1.2","planned_values":{},"resource_changes":[` + strings.Repeat("{},", 100_000) + `{}]}`, "f:1: is a Terraform plan of more than 100000 resources: plan a part of them"},
		"LargePart":    {"What is read at once is no larger than other files.", `{"format_version":"1.2","planned_values":{},"configuration":"` + strings.Repeat("x", resource.MaxFile) + `"}`, "f:1: is a Terraform plan of which one part is larger than 16 MiB"},
		"LargeValue":   {"The largest manifest is smaller.", `{"format_version":"1.2","planned_values":{},"variables":{"a":{"value":"` + strings.Repeat("x", 8<<20) + `"}}}`, "f:1: is a Terraform plan with a resource or variable larger than 8 MiB"},
		"TwiceQuoted":  {"A key may be written in two ways.", `{"format_version":"1.2","planned_values":{},"variables":{"a":{"value":[1,null,{"b":"\"}","\u0062":2}]}}}`, `f:1: key "b" is there twice in one object`},
		"Members":      {"Nobody has so many variables.", `{"format_version":"1.2","planned_values":{},"variables":{` + manyMembers(10_001) + `}}`, "f:1: is a Terraform plan with more than 10000 members of one object"},
		"StateShape":   {"The state before is of its form, too.", `{"format_version":"1.2","planned_values":{},"prior_state":{"values":[]}}`, "f:1: is no Terraform plan as it should be: a part of it is of another type than Terraform writes"},
		"Large":        {"More than a plan has.", `{"format_version":"1.2","planned_values":"` + strings.Repeat("x", resource.MaxPlan) + `"}`, "f: is larger than 64 MiB"},
		"LargeState":   {"More than others have.", `{"format_version":"1.2","values":"` + strings.Repeat("x", resource.MaxFile) + `"}`, "f: is larger than 16 MiB"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			r := resource.Read(strings.NewReader(tc.in), "f")
			if len(r.Errors) != 1 || r.Errors[0].Error() != tc.want || len(r.Objects) > 0 {
				t.Errorf("%s\nRead(...): want error %q, got %v and %d objects", tc.reason, tc.want, r.Errors, len(r.Objects))
			}
		})
	}
}

func manyMembers(n int) string {
	members := make([]string, n)
	for i := range members {
		members[i] = fmt.Sprintf(`"v%d":null`, i)
	}
	return strings.Join(members, ",")
}

// TestObjectLikePlan asks that what says its kind is an object, whatever else it has.
func TestObjectLikePlan(t *testing.T) {
	r := resource.Read(strings.NewReader(`{"format_version":"1.2","planned_values":{},"apiVersion":"v1","kind":"X"}`), "f")
	if len(r.Errors) > 0 || len(r.Objects) != 1 || r.Objects[0].Kind != "X" {
		t.Errorf("Read(...): %v, %v", r.Objects, r.Errors)
	}
}

// TestDeepObject asks that the bounds of a plan are not those of an object that has
// its words in it.
func TestDeepObject(t *testing.T) {
	in := `{"apiVersion":"v1","kind":"X","format_version":` + strings.Repeat("[", 300) + strings.Repeat("]", 300) + `}`
	if r := resource.Read(strings.NewReader(in), "f"); len(r.Errors) > 0 || len(r.Objects) != 1 {
		t.Errorf("Read(...): %v, %d objects", r.Errors, len(r.Objects))
	}
}

// TestDefaultsOfNoConfiguration asks what is said of tags while tags_all is not known
// and nothing else tells of defaults.
func TestDefaultsOfNoConfiguration(t *testing.T) {
	for name, tc := range map[string]struct{ reason, configuration, later string }{
		"NoConfiguration": {"There may be defaults.", `null`, `["*"]`},
		"NoProvider":      {"There are none.", `{"root_module":{}}`, `[]`},
	} {
		list := specs(t, onePlan("aws_x", `{"tags":{"a":"b"}}`, `{"tags_all":true}`, `{}`, tc.configuration))["x.y"]["tagging"].([]any)
		if got := string(mustJSON(t, list[0].(map[string]any)["unknown"])); got != tc.later {
			t.Errorf("%s: %s\nwant %s, got %s", name, tc.reason, tc.later, got)
		}
	}
}

// TestReferencesDoNotGrow asks that references that are longer than what they stand
// for do not make much of little.
func TestReferencesDoNotGrow(t *testing.T) {
	values, expressions := map[string]string{}, map[string]any{}
	for i := range 7 {
		values[fmt.Sprint(i)] = strings.Repeat("secret", 1<<20/6)
		expressions[fmt.Sprint(i)] = map[string]any{"references": []string{"local.a"}}
	}
	plan := onePlan("aws_x", string(mustJSON(t, values)), `{}`, `{}`, written("aws_x", `{}`, string(mustJSON(t, expressions))))
	plan = strings.Replace(plan, `"planned_values":{}`, `"planned_values":{},"variables":{"outside":{"value":"secret"}}`, 1)
	plan = strings.ReplaceAll(plan, "outside", strings.Repeat("o", 100))
	for _, o := range resource.Read(strings.NewReader(plan), "f").Objects {
		if len(o.JSON) > len(plan)*2+24<<20 {
			t.Errorf("%d bytes became %d", len(plan), len(o.JSON))
		}
	}
}

// TestLargePlan asks that a plan may be larger than other files.
func TestLargePlan(t *testing.T) {
	in := "\ufeff{\n \"format_version\": \"1.2\", \"planned_values\": {}, \"prior_state\": {\"x\": \"" + strings.Repeat("x", resource.MaxFile) + "\"}}"
	if r := resource.Read(strings.NewReader(in), "f"); len(r.Errors) > 0 {
		t.Errorf("Read(...): %v", r.Errors)
	}
}

// TestPlansInFolder asks that plans are found among other files, and states skipped.
func TestPlansInFolder(t *testing.T) {
	dir := tree(t, map[string]string{
		"a/plan.json": wholePlan(t), "a/state.json": `{"format_version":"1.0","values":{}}`, "b/pod.yaml": tinyPod,
		"c/nothing.json": `{"format_version":"1.2","planned_values":{},"resource_changes":null,"configuration":null,"prior_state":null,"variables":null}`,
	})
	r := resource.Load(t.Context(), resource.Options{}, dir)
	if len(r.Objects) != 15 || len(r.Errors) > 0 || r.Skipped != 1 {
		t.Errorf("Load(...): %d objects, %v, %d skipped", len(r.Objects), r.Errors, r.Skipped)
	}
}

// FuzzPlan reads plans of any kind: all that is made of one says what it is, errors
// are single lines, and the same plan is read the same way twice.
func FuzzPlan(f *testing.F) {
	data, err := os.ReadFile(planFile)
	if err != nil {
		f.Fatalf("read the plan: %v", err)
	}
	f.Add(string(data))
	f.Add(onePlan("oci_x", `{"freeform_tags":{"a":1},"defined_tags":{"a.b":null}}`, `{"defined_tags":{"c":true}}`, `{"freeform_tags":{"a":true}}`, written("oci_x", `{}`, `{"a":{"references":["module.a.b[0]"]}}`)))
	f.Fuzz(func(t *testing.T, plan string) {
		r, again := resource.Read(strings.NewReader(plan), "f"), resource.Read(strings.NewReader(plan), "f")
		if len(r.Objects) != len(again.Objects) || len(r.Errors) != len(again.Errors) {
			t.Fatalf("Read(%q): once it has %d objects and %v, then %d and %v", plan, len(r.Objects), r.Errors, len(again.Objects), again.Errors)
		}
		for i, o := range r.Objects {
			if text := string(again.Objects[i].JSON); text != string(o.JSON) {
				t.Errorf("Read(%q): once it is %s, then %s", plan, o.JSON, text)
			}
			if made, err := resource.New(o.JSON, o.File, o.Line); err != nil || made.Kind != o.Kind || made.Name != o.Name {
				t.Errorf("Read(%q): %s %s is %s: %v", plan, o.Kind, o.Name, o.JSON, err)
			}
		}
		for _, e := range r.Errors {
			if text := e.Error(); len(text) > 1200 || strings.ContainsAny(text, "\n\r\x1b") {
				t.Errorf("Read(%q): error %q", plan, text)
			}
		}
	})
}
