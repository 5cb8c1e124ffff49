package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/lintel-policy/lintel/replay"
)

// A serveCommand is `lintel serve` with its flags.
type serveCommand struct {
	streams        streams
	policies       []string
	standalone     bool
	kubeconfig     string
	service        string
	address        string
	metricsAddress string
	probeAddress   string
	url            string
	certDir        string
	failClosed     bool
	lameDuck       time.Duration
	logLevel       string
	audit          bool
	auditMemory    string
	events         bool
	record         string
	recordLimit    string
	recorder       *replay.Recorder       // nil where nothing is recorded
	changed        func(flag string) bool // whether a flag was given
}

func newServe(s streams) *cobra.Command {
	c := &serveCommand{streams: s}
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve as an admission webhook",
		Long: `Serve as an admission webhook: of the cluster that it runs in, of another one
with --kubeconfig, or of none with --standalone.

In a cluster, the API server finds the webhook by its Service. Several replicas
share a certificate, which they make, keep in the Secret "lintel-tls" of the
Service's namespace and rotate; one of them, the leader, registers the webhook for
what the policies match. The registration stays when a replica ends and goes
with the installation. docs/install.md has the whole of it.

With --kubeconfig alone, the webhook registers itself by URL and removes its
registration when it is told to end by Ctrl-C or SIGTERM. The API server has to
reach the URL: a loopback address is refused unless the API server is on loopback
too. If the webhook does not answer, requests pass, unless --fail-closed refuses
those that a policy could deny.

Policy and PolicyException objects of the cluster ("-p cluster") are watched: a
change takes effect without a restart, and what is broken goes on as it last was.
Policies of other sources are read once.

With --standalone there is no cluster: AdmissionReviews are answered over TLS,
and policies that read a namespace or an inventory could not decide.

With --audit, the leader reviews what is in the cluster already, and what changes
of it, and keeps a Report of openreports.io in each namespace. What is new is told of
by Events, and so is what came in while somebody had opened the gate. docs/audit.md
says what it needs.

With --record, each review that was answered is kept in a file, without
credentials, to be judged by other policies with lintel replay. Recording never
holds up an answer: what there is no room for is dropped, and counted in the metrics.`,
		Example: `  lintel serve --kubeconfig ~/.kube/config -p embedded
  lintel serve --kubeconfig kubeconfig -p ./policies --address 0.0.0.0:8443 --url https://192.0.2.7:8443
  lintel serve --service lintel-system/lintel --address 0.0.0.0:8443 --probe-address 0.0.0.0:8081
  lintel serve --standalone --cert-dir /etc/lintel/tls -p ./policies
  lintel serve --kubeconfig ~/.kube/config -p embedded --record reviews.jsonl --record-limit 1Gi`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c.changed = cmd.Flags().Changed
			return c.run(cmd.Context())
		},
	}
	c.addFlags(cmd)
	return cmd
}

func (c *serveCommand) addFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	policiesFlag(cmd, &c.policies, fromCluster)
	cmd.Flag("policies").DefValue = `"cluster", with --standalone "embedded"`
	flags.BoolVar(&c.standalone, "standalone", false, "serve without a cluster")
	flags.StringVar(&c.kubeconfig, "kubeconfig", "", "`file` that says how to reach the cluster; without it, the cluster that this runs in")
	flags.StringVar(&c.service, "service", "", "`namespace/name` of the Service by which the API server reaches the webhook; in a cluster \"lintel\" of the pod's namespace")
	flags.StringVar(&c.address, "address", "127.0.0.1:8443", "`host:port` to listen on; port 0 takes a free one")
	flags.StringVar(&c.metricsAddress, "metrics-address", "", "`host:port` to serve /metrics on, without TLS; empty for none")
	flags.StringVar(&c.probeAddress, "probe-address", "", "`host:port` to serve /readyz and /livez on, without TLS; empty for none")
	flags.StringVar(&c.url, "url", "", "`URL` by which the API server reaches the address, if not https://ADDRESS")
	flags.StringVar(&c.certDir, "cert-dir", "", "`folder` with tls.crt and tls.key to serve, and ca.crt to register; read again when they change; without it, they are made")
	flags.BoolVar(&c.failClosed, "fail-closed", false, "refuse requests that a policy could deny and the webhook does not answer; always so with --service")
	flags.DurationVar(&c.lameDuck, "lame-duck", 0, "`time` to go on serving for after being told to end; if not given, 10s with --service, else 1s")
	flags.StringVar(&c.logLevel, "log-level", "info", "what is logged, by `level`: info or debug")
	flags.BoolVar(&c.audit, "audit", false, "review what is in the cluster already, and keep reports of openreports.io of it; only with --service and \"-p cluster\"")
	flags.StringVar(&c.auditMemory, "audit-memory", "256Mi", "`bytes` that the audit may take: what there is no room for is left out, and counted in the metrics; such as 256Mi")
	flags.BoolVar(&c.events, "events", true, "write Events about what is denied, and what --audit finds, on what made it or else on the object; --events=false for none")
	flags.StringVar(&c.record, "record", "", "`file` or folder to record reviews in, without credentials, for lintel replay; empty for none")
	flags.StringVar(&c.recordLimit, "record-limit", "256Mi", "`bytes` of recorded reviews to keep, the latest; such as 256Mi")
	complete(cmd, "log-level", "info", "debug")
}

// A mode is how the webhook is reached.
type mode int

const (
	alone mode = iota + 1 // by whoever knows it
	byURL
	byService
)

// mode returns the mode that the flags ask for.
func (c *serveCommand) mode() (mode, error) {
	switch {
	case c.standalone && (c.kubeconfig != "" || c.service != "" || c.url != "" || c.failClosed):
		return 0, errors.New("--standalone is without a cluster: leave out --kubeconfig, --service, --url and --fail-closed")
	case c.standalone:
		return alone, nil
	case c.service != "" && c.url != "":
		return 0, errors.New("--service and --url are both given: the API server reaches the webhook by one of them")
	case c.service != "":
		return byService, nil
	case c.kubeconfig != "":
		return byURL, nil
	case os.Getenv("KUBERNETES_SERVICE_HOST") == "":
		return 0, errors.New("this is no pod of a cluster: name one with --kubeconfig, or serve without with --standalone")
	}
	return byService, nil
}

// maxLameDuck is more than any load balancer takes to learn that a replica ends.
const maxLameDuck = 5 * time.Minute

// settle checks the flags and fills in what depends on the mode.
func (c *serveCommand) settle() (mode, error) {
	m, err := c.mode()
	if err != nil {
		return 0, err
	}
	if m == alone && !c.changed("policies") {
		c.policies = []string{fromEmbedded}
	}
	if m == byService {
		c.failClosed = true
		if c.service, err = serviceName(c.service); err != nil {
			return 0, err
		}
	}
	switch {
	case c.audit && (m != byService || !slices.Contains(c.policies, fromCluster)):
		return 0, errors.New("--audit is for replicas in a cluster: it needs --service, and the policies of the cluster")
	case !c.audit && c.changed("audit-memory"):
		return 0, errors.New("--audit-memory is given without --audit")
	case !c.changed("lame-duck") && m == byService:
		c.lameDuck = 10 * time.Second
	case !c.changed("lame-duck"):
		c.lameDuck = time.Second
	case c.lameDuck < 0 || c.lameDuck > maxLameDuck:
		return 0, fmt.Errorf("--lame-duck %s: not between 0 and %s", c.lameDuck, maxLameDuck)
	}
	if _, err := c.auditLimit(); err != nil {
		return 0, err
	}
	for flag, address := range map[string]string{"address": c.address, "metrics-address": c.metricsAddress, "probe-address": c.probeAddress} {
		if _, _, err := net.SplitHostPort(address); err != nil && (address != "" || flag == "address") {
			return 0, fmt.Errorf("--%s %q: not host:port", flag, address)
		}
	}
	return m, nil
}

// namespaceFile has the namespace of the pod that reads it.
const namespaceFile = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

// serviceName completes the namespace/name of a Service.
func serviceName(given string) (string, error) {
	if given == "" {
		namespace, err := os.ReadFile(namespaceFile)
		if err != nil {
			return "", fmt.Errorf("find the namespace of this pod: %w: name the Service with --service", err)
		}
		return strings.TrimSpace(string(namespace)) + "/lintel", nil
	}
	namespace, name, ok := strings.Cut(given, "/")
	if !ok || namespace == "" || name == "" || strings.Contains(name, "/") {
		return "", fmt.Errorf("--service %q: not namespace/name", given)
	}
	return given, nil
}

func (c *serveCommand) run(ctx context.Context) error {
	m, err := c.settle()
	if err != nil {
		return err
	}
	// Where nobody reads the log any more, writing it is an error and not the end.
	signal.Ignore(syscall.SIGPIPE)
	sink := newLogSink(c.streams.err)
	defer sink.end(flushTime)
	log, err := newLogger(sink, c.logLevel)
	if err != nil {
		return err
	}
	if err := c.openRecorder(log); err != nil {
		return err
	}
	defer c.closeRecorder()
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer context.AfterFunc(ctx, stop)() // a second signal ends the process at once
	g, err := c.newGate(ctx, m, log)
	switch {
	case err != nil && ctx.Err() != nil:
		log.Info("ended before anything was served")
		return nil
	case err != nil:
		return err
	}
	g.metrics.MustRegister(append(recordMetrics(c.recorder), sink.metric())...)
	return g.run(ctx)
}

// newLogger logs as JSON.
func newLogger(sink *logSink, level string) (*zap.Logger, error) {
	levels := map[string]zapcore.Level{"info": zap.InfoLevel, "debug": zap.DebugLevel}
	at, ok := levels[level]
	if !ok {
		return nil, fmt.Errorf("log level %q is unknown: it is one of %q", level, []string{"info", "debug"})
	}
	encoding := zap.NewProductionEncoderConfig()
	encoding.TimeKey, encoding.EncodeTime = "time", zapcore.RFC3339NanoTimeEncoder
	return zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(encoding), sink, at)), nil
}

// listen listens on the address and returns the URL by which it is reached.
func (c *serveCommand) listen(ctx context.Context) (net.Listener, string, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", c.address)
	if err != nil {
		return nil, "", fmt.Errorf("listen on %s: %w", c.address, err)
	}
	if c.url != "" {
		return listener, c.url, nil
	}
	host, _, err := net.SplitHostPort(c.address)
	if err != nil {
		return nil, "", errors.Join(fmt.Errorf("read address %q: %w", c.address, err), listener.Close())
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		return nil, "", errors.Join(fmt.Errorf("read port of %s: %w", listener.Addr(), err), listener.Close())
	}
	return listener, "https://" + net.JoinHostPort(host, port), nil
}

// hostsOf returns the hosts that a certificate for a URL is made for.
func hostsOf(target string) ([]string, error) {
	u, err := url.Parse(target)
	if err != nil {
		return nil, fmt.Errorf("read URL of webhook: %w", err)
	}
	if u.Hostname() == "" {
		return nil, fmt.Errorf("URL of webhook %q has no host: give --url https://host:port", target)
	}
	return []string{u.Hostname()}, nil
}
