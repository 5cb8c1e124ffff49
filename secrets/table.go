package secrets

// ourFormats returns the formats that the table of gitleaks lacks: of providers
// that it does not know, or that gave their tokens a new shape since, or that it
// finds only beside the provider's name. Keys that are meant to be published are
// no secrets and not here.
//
// A format is here if its prefix, or a mark that the provider puts in the middle,
// is long or odd enough to be no part of ordinary text. Each names the provider's
// page on such credentials, which shows them but does not always spell their
// format out: where no page has a length, the shortest that is seen is asked for.
// The parts that are random are held to an entropy too, so that an example with
// "xxxx" in it is none.
func ourFormats() []tokenFormat {
	const (
		random = 3.5 // of letters and digits: 24 random ones are hardly ever below
		hex    = 2.8 // of hexadecimal digits: 32 random ones are hardly ever below
	)
	return []tokenFormat{
		// Code and its delivery.
		{id: "github-app-installation-token", keywords: []string{"ghs_"}, entropy: random, pattern: `\b(ghs_[A-Za-z0-9]{1,24}_eyJ[\w-]{20,}\.[\w-]{20,}\.[\w-]{20,})`, source: "https://docs.github.com/en/authentication/keeping-your-account-and-data-secure/about-authentication-to-github"},
		{id: "gitlab-workspace-token", keywords: []string{"glwt-"}, entropy: random, pattern: `\b(glwt-[\w-]{20,})`, source: "https://docs.gitlab.com/security/tokens/"},
		{id: "gitlab-routable-token", keywords: []string{"glpat-", "glrt-", "gldt-", "glft-", "glcbt-", "glptt-", "glagent-", "glsoat-", "glffct-", "glimt-", "glwt-"}, entropy: random, checksum: endsInCRC36, pattern: `\b(gl(?:pat|rt|dt|ft|cbt|ptt|agent|soat|ffct|imt|wt)-[\w-]{27,300}\.[0-9a-z]{2}\.[0-9a-z]{9})\b`, source: "https://handbook.gitlab.com/handbook/engineering/architecture/design-documents/cells/routable_tokens/"},
		{id: "docker-personal-token", keywords: []string{"dckr_pat_"}, entropy: random, pattern: `\b(dckr_pat_[\w-]{27})`, source: "https://docs.docker.com/security/access-tokens/"},
		{id: "docker-organization-token", keywords: []string{"dckr_oat_"}, entropy: random, pattern: `\b(dckr_oat_[\w-]{27,64})`, source: "https://docs.docker.com/enterprise/security/access-tokens/"},
		{id: "crates-io-token", keywords: []string{"cio"}, entropy: 4, pattern: `\b(cio[A-Za-z0-9]{32})\b`, source: "https://crates.io/settings/tokens"},
		{id: "buildkite-token", keywords: []string{"bkua_", "bkct_"}, entropy: random, pattern: `\b((?:bkua|bkct)_[A-Za-z0-9]{40,})`, source: "https://buildkite.com/docs/apis/managing-api-tokens"},
		{id: "circleci-token", keywords: []string{"ccipat_", "cciprj_"}, entropy: random, pattern: `\b(CCIP(?:AT|RJ)_[A-Za-z0-9]{22}_[0-9a-f]{40})`, source: "https://circleci.com/docs/managing-api-tokens/"},
		{id: "sonar-token", keywords: []string{"squ_", "sqp_", "sqa_"}, entropy: hex, pattern: `\b(sq[upa]_[0-9a-f]{40})\b`, source: "https://docs.sonarsource.com/sonarqube-server/user-guide/managing-tokens/"},
		{id: "snyk-token", keywords: []string{"snyk_uat.", "snyk_sat."}, entropy: random, pattern: `\b(snyk_[us]at\.[A-Za-z0-9]{8}\.[\w.-]{40,})`, source: "https://docs.snyk.io/snyk-api/authentication-for-api"},
		{id: "sourcegraph-token", keywords: []string{"sgp_"}, entropy: hex, pattern: `\b(sgp_(?:(?:[0-9a-fA-F]{16}|local)_)?[0-9a-fA-F]{40})\b`, source: "https://sourcegraph.com/docs/cli/how-tos/creating_an_access_token"},
		{id: "sentry-app-token", keywords: []string{"sntrya_", "sntryi_"}, entropy: hex, pattern: `\b(sntry[ai]_[0-9a-f]{64})\b`, source: "https://docs.sentry.io/account/auth-tokens/"},
		{id: "dbt-token", keywords: []string{"dbtc_", "dbtu_"}, entropy: random, pattern: `\b(dbt[cu]_[\w-]{30,})`, source: "https://docs.getdbt.com/docs/dbt-cloud-apis/authentication"},
		{id: "bitbucket-access-token", keywords: []string{"atctt3"}, entropy: random, pattern: `\b(ATCTT3[\w=-]{60,})`, source: "https://support.atlassian.com/bitbucket-cloud/docs/access-tokens/"},
		{id: "bitbucket-app-password", keywords: []string{"atbb"}, entropy: random, pattern: `\b(ATBB[A-Za-z0-9]{32})\b`, source: "https://support.atlassian.com/bitbucket-cloud/docs/app-passwords/"},
		{id: "launchdarkly-sdk-key", keywords: []string{"sdk-"}, entropy: hex, pattern: `\b(sdk-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\b`, source: "https://launchdarkly.com/docs/sdk/concepts/client-side-server-side"},
		{id: "statsig-secret-key", keywords: []string{"secret-"}, entropy: 4, pattern: `\b(secret-[A-Za-z0-9]{40,45})\b`, source: "https://docs.statsig.com/access-management/api-keys"},
		{id: "checkly-api-key", keywords: []string{"cu_"}, entropy: hex, pattern: `\b(cu_[0-9a-f]{32})\b`, source: "https://www.checklyhq.com/docs/accounts-and-users/creating-api-key/"},
		{id: "trigger-dev-key", keywords: []string{"tr_"}, entropy: random, pattern: `\b(tr_(?:dev|prod|stg|pat|preview)_[A-Za-z0-9]{20,40})\b`, source: "https://trigger.dev/docs/apikeys"},
		{id: "inngest-signing-key", keywords: []string{"signkey-"}, entropy: hex, pattern: `\b(signkey-[a-z]{3,12}-[0-9a-f]{32,64})\b`, source: "https://www.inngest.com/docs/platform/signing-keys"},

		// Models and what is built on them.
		{id: "openai-project-key", keywords: []string{"sk-proj-", "sk-svcacct-", "sk-admin-"}, entropy: random, pattern: `\b(sk-(?:proj|svcacct|admin)-[\w-]{20,90}T3BlbkFJ[\w-]{20,90})`, source: "https://platform.openai.com/docs/api-reference/project-api-keys"},
		{id: "anthropic-oauth-token", keywords: []string{"sk-ant-oat01-", "sk-ant-ort01-", "sk-ant-sid01-"}, entropy: random, pattern: `\b(sk-ant-(?:oat|ort|sid)01-[\w-]{80,})`, source: "https://docs.claude.com/en/docs/claude-code/authentication"},
		{id: "xai-api-key", keywords: []string{"xai-"}, entropy: random, pattern: `\b(xai-[A-Za-z0-9]{80})\b`, source: "https://docs.x.ai/docs/tutorial"},
		{id: "groq-api-key", keywords: []string{"gsk_"}, entropy: random, pattern: `\b(gsk_[A-Za-z0-9]{52})\b`, source: "https://console.groq.com/docs/quickstart"},
		{id: "replicate-api-token", keywords: []string{"r8_"}, entropy: random, pattern: `\b(r8_[A-Za-z0-9]{37})\b`, source: "https://replicate.com/docs/topics/security/api-tokens"},
		{id: "openrouter-api-key", keywords: []string{"sk-or-v1-"}, entropy: hex, pattern: `\b(sk-or-v1-[0-9a-f]{64})\b`, source: "https://openrouter.ai/docs/api-reference/authentication"},
		{id: "langsmith-api-key", keywords: []string{"lsv2_"}, entropy: hex, pattern: `\b(lsv2_(?:pt|sk)_[0-9a-f]{32}_[0-9a-f]{10})\b`, source: "https://docs.langchain.com/langsmith/create-account-api-key"},
		{id: "langfuse-secret-key", keywords: []string{"sk-lf-"}, entropy: hex, pattern: `\b(sk-lf-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\b`, source: "https://langfuse.com/docs/api-and-data-platform/features/public-api"},
		{id: "pinecone-api-key", keywords: []string{"pcsk_"}, entropy: random, pattern: `\b(pcsk_[A-Za-z0-9]{5,6}_[A-Za-z0-9]{50,70})\b`, source: "https://docs.pinecone.io/guides/projects/manage-api-keys"},
		{id: "wandb-api-key", keywords: []string{"wandb_v1_"}, entropy: random, pattern: `\b(wandb_v1_[A-Za-z0-9]{20,30}_[A-Za-z0-9]{40,60})\b`, source: "https://docs.wandb.ai/support/find_api_key"},
		{id: "fireworks-api-key", keywords: []string{"fw_"}, entropy: random, pattern: `\b(fw_[A-Za-z0-9]{22,40})\b`, source: "https://docs.fireworks.ai/api-reference/introduction"},
		{id: "together-api-key", keywords: []string{"tgp_v1_"}, entropy: random, pattern: `\b(tgp_v1_[\w-]{43})`, source: "https://docs.together.ai/docs/api-keys-authentication"},
		{id: "elevenlabs-api-key", keywords: []string{"sk_"}, entropy: hex, pattern: `\b(sk_[0-9a-f]{48})\b`, source: "https://elevenlabs.io/docs/api-reference/authentication"},
		{id: "voyage-api-key", keywords: []string{"pa-"}, entropy: 4.3, pattern: `\b(pa-[\w-]{43})(?:[^\w-]|\z)`, source: "https://docs.voyageai.com/docs/api-key-and-installation"},
		{id: "tavily-api-key", keywords: []string{"tvly-"}, entropy: random, pattern: `\b(tvly-(?:dev-|prod-)?[A-Za-z0-9-]{32,64})\b`, source: "https://docs.tavily.com/documentation/quickstart"},
		{id: "firecrawl-api-key", keywords: []string{"fc-"}, entropy: hex, pattern: `\b(fc-[0-9a-f]{32})\b`, source: "https://docs.firecrawl.dev/introduction"},
		{id: "e2b-api-key", keywords: []string{"e2b_"}, entropy: hex, pattern: `\b(e2b_[0-9a-f]{40})\b`, source: "https://e2b.dev/docs/api-key"},
		{id: "modal-token", keywords: []string{"ak-", "as-"}, entropy: 3.8, pattern: `\b(a[ks]-[A-Z][A-Za-z0-9]{21})\b`, source: "https://modal.com/docs/reference/modal.config"},
		{id: "nvidia-api-key", keywords: []string{"nvapi-"}, entropy: random, pattern: `\b(nvapi-[\w-]{60,70})`, source: "https://docs.nvidia.com/nim/large-language-models/latest/getting-started.html"},
		{id: "cerebras-api-key", keywords: []string{"csk-"}, entropy: random, pattern: `\b(csk-[a-z0-9]{48})\b`, source: "https://inference-docs.cerebras.ai/quickstart"},
		{id: "deepseek-api-key", keywords: []string{"sk-"}, entropy: hex, pattern: `\b(sk-[0-9a-f]{32})\b`, source: "https://api-docs.deepseek.com/"},
		{id: "stability-api-key", keywords: []string{"sk-"}, entropy: 4, pattern: `\b(sk-[A-Za-z0-9]{48})\b`, source: "https://platform.stability.ai/docs/getting-started/authentication"},
		{id: "jina-api-key", keywords: []string{"jina_"}, entropy: random, pattern: `\b(jina_[0-9a-f]{32}[\w-]{28})`, source: "https://jina.ai/embeddings/"},
		{id: "llamacloud-api-key", keywords: []string{"llx-"}, entropy: random, pattern: `\b(llx-[A-Za-z0-9]{48})\b`, source: "https://docs.cloud.llamaindex.ai/api_key"},
		{id: "runpod-api-key", keywords: []string{"rpa_"}, entropy: random, pattern: `\b(rpa_[A-Z0-9]{40}[A-Za-z0-9]{0,10})\b`, source: "https://docs.runpod.io/get-started/api-keys"},
		{id: "apify-api-token", keywords: []string{"apify_api_"}, entropy: random, pattern: `\b(apify_api_[A-Za-z0-9]{34,40})\b`, source: "https://docs.apify.com/platform/integrations/api"},
		{id: "browserbase-api-key", keywords: []string{"bb_live_"}, entropy: random, pattern: `\b(bb_live_[\w-]{25,40})`, source: "https://docs.browserbase.com/introduction/getting-started"},

		// Clouds, and what runs on them.
		{id: "google-oauth-client-secret", keywords: []string{"gocspx-"}, entropy: random, pattern: `\b(GOCSPX-[\w-]{28})`, source: "https://developers.google.com/identity/protocols/oauth2"},
		{id: "google-oauth-access-token", keywords: []string{"ya29."}, entropy: random, pattern: `\b(ya29\.[\w-]{60,})`, source: "https://developers.google.com/identity/protocols/oauth2"},
		{id: "google-oauth-refresh-token", keywords: []string{"1//0"}, entropy: 4, pattern: `\b(1//0[\w-]{60,})`, source: "https://developers.google.com/identity/protocols/oauth2"},
		{id: "google-bound-api-key", keywords: []string{"aq.ab"}, entropy: random, pattern: `\b(AQ\.Ab[\w-]{45,})`, source: "https://cloud.google.com/vertex-ai/generative-ai/docs/start/api-keys"},
		{id: "amazon-mws-token", keywords: []string{"amzn.mws."}, entropy: hex, pattern: `\b(amzn\.mws\.[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\b`, source: "https://developer-docs.amazon.com/sp-api/"},
		{id: "amazon-client-secret", keywords: []string{"amzn1.oa2-cs.v1."}, entropy: hex, pattern: `\b(amzn1\.oa2-cs\.v1\.[0-9a-f]{64})\b`, source: "https://developer.amazon.com/docs/login-with-amazon/register-web.html"},
		{id: "azure-storage-key", keywords: []string{"+ast"}, entropy: 4, pattern: `([A-Za-z0-9+/]{76}\+ASt[A-Za-z0-9+/]{5}[AQgw]==)`, source: "https://learn.microsoft.com/azure/storage/common/storage-account-keys-manage"},
		{id: "azure-batch-key", keywords: []string{"+aba", "+amc"}, entropy: 4, pattern: `([A-Za-z0-9+/]{76}\+A(?:Ba|MC)[A-Za-z0-9+/]{5}[AQgw]==)`, source: "https://learn.microsoft.com/azure/batch/account-key-rotation"},
		{id: "azure-cosmos-key", keywords: []string{"acdb"}, entropy: 4, pattern: `([A-Za-z0-9+/]{76}ACDb[A-Za-z0-9+/]{5}[AQgw]==)`, source: "https://learn.microsoft.com/azure/cosmos-db/how-to-rotate-keys"},
		{id: "azure-shared-access-key", keywords: []string{"aiot", "+asb", "+aeh", "+arm"}, entropy: 4, pattern: `([A-Za-z0-9+/]{33}(?:AIoT|\+A(?:Sb|Eh|Rm))[A-Za-z0-9+/]{6}=)`, source: "https://learn.microsoft.com/azure/service-bus-messaging/service-bus-sas"},
		{id: "azure-registry-key", keywords: []string{"+acr"}, entropy: 4, pattern: `([A-Za-z0-9+/]{42}\+ACR[A-D][A-Za-z0-9+/]{5})`, source: "https://learn.microsoft.com/azure/container-registry/container-registry-authentication"},
		{id: "azure-search-key", keywords: []string{"azse"}, entropy: 4, pattern: `\b([A-Za-z0-9]{42}AzSe[A-D][A-Za-z0-9]{5})\b`, source: "https://learn.microsoft.com/azure/search/search-security-api-keys"},
		{id: "azure-redis-key", keywords: []string{"azca"}, entropy: 4, pattern: `\b([A-Za-z0-9]{33}AzCa[A-P][A-Za-z0-9]{5}=)`, source: "https://learn.microsoft.com/azure/azure-cache-for-redis/cache-configure"},
		{id: "azure-function-key", keywords: []string{"azfu"}, entropy: 4, pattern: `([\w-]{44}AzFu[\w-]{5}[AQgw]==)`, source: "https://learn.microsoft.com/azure/azure-functions/function-keys-how-to"},
		{id: "azure-annotated-key", keywords: []string{"jqqj99"}, entropy: 4, pattern: `\b([A-Za-z0-9]{52}JQQJ99[A-Za-z0-9]{26})\b`, source: "https://learn.microsoft.com/azure/devops/organizations/accounts/use-personal-access-tokens-to-authenticate"},
		{id: "tencent-secret-id", keywords: []string{"akid"}, entropy: 4, pattern: `\b(AKID[A-Za-z0-9]{32})\b`, source: "https://www.tencentcloud.com/document/product/598/32675"},
		{id: "yandex-oauth-token", keywords: []string{"y0_"}, entropy: random, pattern: `\b(y0_[\w-]{50,64})`, source: "https://yandex.cloud/en/docs/iam/concepts/authorization/oauth-token"},
		{id: "cloudflare-credential", keywords: []string{"cfk_", "cfut_", "cfat_"}, entropy: random, pattern: `\b(cf(?:k|ut|at)_[A-Za-z0-9]{40}[0-9A-Za-z]{4,12})\b`, source: "https://developers.cloudflare.com/fundamentals/api/get-started/token-formats"},
		{id: "netlify-token", keywords: []string{"nfp_", "nfc_", "nfo_", "nfu_", "nfb_"}, entropy: random, pattern: `\b(nf[pcoub]_[A-Za-z0-9]{36})\b`, source: "https://docs.netlify.com/api-and-cli-guides/api-guides/get-started-with-api/"},
		{id: "vercel-token", keywords: []string{"vcp_", "vci_", "vca_", "vcr_", "vck_"}, entropy: random, pattern: `\b(vc[piark]_[A-Za-z0-9]{24,64})\b`, source: "https://vercel.com/docs/cli/tokens"},
		{id: "render-api-key", keywords: []string{"rnd_"}, entropy: random, pattern: `\b(rnd_[A-Za-z0-9]{28,40})\b`, source: "https://render.com/docs/api"},
		{id: "supabase-access-token", keywords: []string{"sbp_"}, entropy: hex, pattern: `\b(sbp_(?:oauth_)?[0-9a-f]{40})\b`, source: "https://supabase.com/docs/reference/api/introduction"},
		{id: "supabase-secret-key", keywords: []string{"sb_secret_"}, entropy: random, pattern: `\b(sb_secret_[\w-]{31})`, source: "https://supabase.com/docs/guides/api/api-keys"},
		{id: "neon-api-key", keywords: []string{"napi_"}, entropy: random, pattern: `\b(napi_[a-z0-9]{64})\b`, source: "https://neon.com/docs/manage/api-keys"},
		{id: "databricks-oauth-secret", keywords: []string{"dose"}, entropy: hex, pattern: `\b(dose[0-9a-f]{32})\b`, source: "https://docs.databricks.com/aws/en/dev-tools/auth/oauth-m2m"},
		{id: "aiven-service-password", keywords: []string{"avns_"}, entropy: random, pattern: `\b(AVNS_[\w-]{19})`, source: "https://aiven.io/docs/platform/concepts/service-users"},
		{id: "cockroachdb-api-key", keywords: []string{"ccdb1_"}, entropy: random, pattern: `\b(CCDB1_[A-Za-z0-9]{22}_[A-Za-z0-9]{40})\b`, source: "https://www.cockroachlabs.com/docs/cockroachcloud/managing-access"},
		{id: "mongodb-atlas-secret", keywords: []string{"mdb_sa_sk_"}, entropy: random, pattern: `\b(mdb_sa_sk_[\w-]{40})`, source: "https://www.mongodb.com/docs/atlas/api/service-accounts-overview/"},
		{id: "backblaze-application-key", keywords: []string{"k00"}, entropy: 4, pattern: `\b(K00[0-9][A-Za-z0-9+/]{27})(?:[^\w+/=]|\z)`, source: "https://www.backblaze.com/docs/cloud-storage-application-keys"},
		{id: "akamai-edgegrid-token", keywords: []string{"akab-"}, entropy: random, pattern: `\b(akab-[a-z0-9]{16}-[a-z0-9]{16})\b`, source: "https://techdocs.akamai.com/developer/docs/authenticate-with-edgegrid"},
		{id: "tailscale-key", keywords: []string{"tskey-"}, entropy: random, pattern: `\b(tskey-(?:auth|api|client|scim|webhook)-[A-Za-z0-9]{8,20}-[A-Za-z0-9]{20,40})\b`, source: "https://tailscale.com/kb/1277/key-prefixes"},
		{id: "doppler-token", keywords: []string{"dp.st.", "dp.ct.", "dp.sa.", "dp.scim.", "dp.audit."}, entropy: random, pattern: `\b(dp\.(?:st|ct|sa|scim|audit)\.(?:[a-z0-9_-]{2,35}\.)?[A-Za-z0-9]{40,44})\b`, source: "https://docs.doppler.com/reference/auth-token-formats"},
		{id: "portainer-access-token", keywords: []string{"ptr_"}, entropy: random, pattern: `\b(ptr_[A-Za-z0-9+/]{43}=)`, source: "https://docs.portainer.io/api/access"},
		{id: "ory-token", keywords: []string{"ory_"}, entropy: random, pattern: `\b(ory_(?:pat|at|rt|ac|st)_[\w-]{32,}(?:\.[\w-]{20,})?)`, source: "https://www.ory.com/docs/concepts/personal-access-token"},

		// What is watched, counted and measured.
		{id: "new-relic-user-key", keywords: []string{"nrak-"}, entropy: random, pattern: `\b(NRAK-[A-Z0-9]{27})\b`, source: "https://docs.newrelic.com/docs/apis/intro-apis/new-relic-api-keys/"},
		{id: "new-relic-license-key", keywords: []string{"nral"}, entropy: 2.5, pattern: `\b([0-9a-f]{32}[0-9a-fF]{4}NRAL)\b`, source: "https://docs.newrelic.com/docs/apis/intro-apis/new-relic-api-keys/"},
		{id: "honeycomb-key", keywords: []string{"hcaik_", "hcaic_", "hcamk_", "hcalk_", "hcxik_", "hcxic_", "hcxmk_", "hcxlk_"}, entropy: random, pattern: `\b(hc[ax](?:ik|ic|mk|lk)_[A-Za-z0-9]{58})\b`, source: "https://docs.honeycomb.io/configure/environments/manage-api-keys/"},
		{id: "posthog-personal-key", keywords: []string{"phx_", "phs_"}, entropy: random, pattern: `\b(ph[xs]_[A-Za-z0-9]{40,56})\b`, source: "https://posthog.com/docs/api"},
		{id: "axiom-token", keywords: []string{"xaat-", "xapt-"}, entropy: hex, pattern: `\b(xa(?:at|pt)-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\b`, source: "https://axiom.co/docs/reference/tokens"},
		{id: "dynatrace-platform-token", keywords: []string{"dt0s01.", "dt0s02.", "dt0s04.", "dt0s08.", "dt0s16."}, entropy: random, pattern: `\b(dt0s(?:01|02|04|08|16)\.[A-Z0-9]{8,24}\.[A-Z0-9]{64})\b`, source: "https://docs.dynatrace.com/docs/manage/identity-access-management/access-tokens-and-oauth-clients"},
		{id: "segment-public-api-token", keywords: []string{"sgp_"}, entropy: random, pattern: `\b(sgp_[A-Za-z0-9]{64})\b`, source: "https://segment.com/docs/api/public-api/"},

		// Money, mail, words and pictures.
		{id: "webhook-signing-secret", keywords: []string{"whsec_"}, entropy: random, pattern: `\b(whsec_[A-Za-z0-9+/]{24,88}={0,2})`, source: "https://docs.stripe.com/webhooks"},
		{id: "square-application-secret", keywords: []string{"sq0csp-"}, entropy: random, pattern: `\b(sq0csp-[\w-]{43})`, source: "https://developer.squareup.com/docs/build-basics/access-tokens"},
		{id: "braintree-access-token", keywords: []string{"access_token$"}, entropy: random, pattern: `\b(access_token\$(?:production|sandbox)\$[0-9a-z]{16}\$[0-9a-f]{32})\b`, source: "https://developer.paypal.com/braintree/docs/guides/extend/oauth/access-tokens"},
		{id: "paddle-api-key", keywords: []string{"pdl_live_apikey_", "pdl_sdbx_apikey_"}, entropy: random, pattern: `\b(pdl_(?:live|sdbx)_apikey_[a-z0-9]{26}_[A-Za-z0-9]{22}_[A-Za-z0-9]{3})\b`, source: "https://developer.paddle.com/api-reference/about/api-keys"},
		{id: "polar-access-token", keywords: []string{"polar_oat_", "polar_pat_", "polar_at_"}, entropy: random, pattern: `\b(polar_(?:oat|pat|at_[uo])_[\w-]{32,64})`, source: "https://polar.sh/docs/integrate/oat"},
		{id: "shopify-theme-password", keywords: []string{"shptka_"}, entropy: hex, pattern: `\b(shptka_[0-9a-f]{32})\b`, source: "https://shopify.dev/docs/storefronts/themes/tools/theme-access"},
		{id: "resend-api-key", keywords: []string{"re_"}, entropy: random, pattern: `\b(re_[A-Za-z0-9]{8}_[A-Za-z0-9]{24})\b`, source: "https://resend.com/docs/api-reference/introduction"},
		{id: "brevo-smtp-key", keywords: []string{"xsmtpsib-"}, entropy: hex, pattern: `\b(xsmtpsib-[0-9a-f]{64}-[A-Za-z0-9]{16})\b`, source: "https://help.brevo.com/hc/en-us/articles/7959631848850"},
		{id: "mailersend-api-token", keywords: []string{"mlsn."}, entropy: hex, pattern: `\b(mlsn\.[0-9a-f]{64})\b`, source: "https://developers.mailersend.com/general.html"},
		{id: "hubspot-private-app-token", keywords: []string{"pat-na", "pat-eu", "pat-ap"}, entropy: hex, pattern: `\b(pat-(?:na|eu|ap)[0-9]-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\b`, source: "https://developers.hubspot.com/docs/guides/apps/private-apps/overview"},
		{id: "slack-workflow-token", keywords: []string{"xwfp-"}, entropy: random, pattern: `\b(xwfp-[0-9]{8,}-[0-9A-Za-z-]{20,})`, source: "https://docs.slack.dev/authentication/tokens"},
		{id: "discord-webhook-url", keywords: []string{"/api/webhooks/"}, entropy: random, pattern: `/api/webhooks/[0-9]{17,20}/([\w-]{60,72})`, source: "https://discord.com/developers/docs/resources/webhook"},
		{id: "telegram-bot-token", keywords: []string{":aa"}, entropy: random, pattern: `\b([0-9]{8,10}:AA[\w-]{33})(?:[^\w-]|\z)`, source: "https://core.telegram.org/bots/features"},
		{id: "notion-internal-token", keywords: []string{"secret_"}, entropy: 4, pattern: `\b(secret_[A-Za-z0-9]{43})\b`, source: "https://developers.notion.com/docs/authorization"},
		{id: "linear-oauth-token", keywords: []string{"lin_oauth_"}, entropy: hex, pattern: `\b(lin_oauth_[0-9a-f]{64})\b`, source: "https://linear.app/developers/oauth-2-0-authentication"},
		{id: "figma-token", keywords: []string{"figd_", "figdr_", "figu_", "figur_"}, entropy: random, pattern: `\b(fig[du]r?_[\w-]{40,})`, source: "https://developers.figma.com/docs/rest-api/authentication/"},
		{id: "contentful-management-token", keywords: []string{"cfpat-"}, entropy: random, pattern: `\b(CFPAT-[\w-]{43})`, source: "https://www.contentful.com/developers/docs/references/authentication/"},
		{id: "mapbox-secret-token", keywords: []string{"sk.eyj"}, entropy: random, pattern: `\b(sk\.eyJ[\w-]{40,}\.[\w-]{20,})`, source: "https://docs.mapbox.com/help/dive-deeper/access-tokens/"},
		{id: "airtable-personal-access-token", keywords: []string{"pat"}, entropy: random, pattern: `\b(pat[A-Za-z0-9]{14}\.[0-9a-f]{64})\b`, source: "https://airtable.com/developers/web/guides/personal-access-tokens"},
		{id: "stytch-secret", keywords: []string{"secret-live-", "secret-test-"}, entropy: random, pattern: `\b(secret-(?:live|test)-[\w-]{30,40}=?)`, source: "https://stytch.com/docs/api"},
		{id: "zuplo-api-key", keywords: []string{"zpka_"}, entropy: random, pattern: `\b(zpka_[a-z0-9]{32}_[a-z0-9]{8})\b`, source: "https://zuplo.com/docs/articles/api-key-leak-detection"},
		{id: "dub-api-key", keywords: []string{"dub_"}, entropy: random, pattern: `\b(dub_[A-Za-z0-9]{24})\b`, source: "https://dub.co/docs/api-reference/tokens"},

		// Formats that gitleaks knows, but not without the provider's name beside them.
		{id: "defined-networking-token", keywords: []string{"dnkey-"}, entropy: random, pattern: `\b(dnkey-[A-Za-z0-9=_-]{26}-[A-Za-z0-9=_-]{52})`, source: "https://docs.defined.net/guides/automating-host-creation/"},
		{id: "dropbox-access-token", keywords: []string{"sl."}, entropy: 4, pattern: `\b(sl\.(?:u\.)?[\w-]{130,})`, source: "https://developers.dropbox.com/oauth-guide"},
		{id: "intercom-access-token", keywords: []string{"dg9ro"}, entropy: random, pattern: `\b(dG9rO[A-Za-z0-9+/_-]{54}=)`, source: "https://developers.intercom.com/docs/build-an-integration/learn-more/authentication"},
		{id: "mailchimp-key", keywords: []string{"-us"}, entropy: hex, pattern: `\b([0-9a-f]{32}-us[0-9]{1,2})\b`, source: "https://mailchimp.com/developer/marketing/guides/quick-start/"},
		{id: "mailgun-private-key", keywords: []string{"key-"}, entropy: hex, pattern: `\b(key-[0-9a-f]{32})\b`, source: "https://documentation.mailgun.com/docs/mailgun/api-reference/mg-auth"},
		{id: "new-relic-insights-key", keywords: []string{"nrii-", "nriq-"}, entropy: random, pattern: `\b(NRI[IQ]-[\w-]{32})`, source: "https://docs.newrelic.com/docs/apis/intro-apis/new-relic-api-keys/"},
		{id: "plaid-access-token", keywords: []string{"access-sandbox-", "access-development-", "access-production-"}, entropy: hex, pattern: `\b(access-(?:sandbox|development|production)-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\b`, source: "https://plaid.com/docs/api/tokens/"},
		{id: "typeform-token", keywords: []string{"tfp_"}, entropy: random, pattern: `\b(tfp_[A-Za-z0-9]{40,48}_[A-Za-z0-9]{10,16})\b`, source: "https://www.typeform.com/developers/get-started/personal-access-token/"},
		{id: "yandex-cloud-api-key", keywords: []string{"aqvn"}, entropy: random, pattern: `\b(AQVN[\w-]{35,38})(?:[^\w-]|\z)`, source: "https://yandex.cloud/en/docs/iam/concepts/authorization/api-key"},
	}
}
