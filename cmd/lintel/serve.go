package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// A serveCommand is `lintel serve` with its flags.
type serveCommand struct {
	streams    streams
	policies   []string
	kubeconfig string
	address    string
	url        string
	failClosed bool
	logLevel   string
}

func newServe(s streams) *cobra.Command {
	c := &serveCommand{streams: s}
	cmd := &cobra.Command{
		Use:   "serve --kubeconfig FILE",
		Short: "Serve as an admission webhook of a cluster",
		Long: `Serve as an admission webhook of a cluster, from outside of it.

The webhook gets a certificate made for it, registers itself by URL for what
the policies match, and removes its registration when it is told to end by Ctrl-C
or SIGTERM. The API server has to reach the URL: a loopback address is refused
unless the API server is on loopback too.

If the webhook does not answer, requests pass, unless --fail-closed refuses them.`,
		Example: `  lintel serve --kubeconfig ~/.kube/config -p embedded
  lintel serve --kubeconfig kubeconfig -p embedded -p ./policies --address 127.0.0.1:0
  lintel serve --kubeconfig kubeconfig -p ./policies --address 0.0.0.0:8443 --url https://192.0.2.7:8443`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.run(cmd.Context()) },
	}
	flags := cmd.Flags()
	policiesFlag(cmd, &c.policies, fromCluster)
	flags.StringVar(&c.kubeconfig, "kubeconfig", "", "`file` that says how to reach the cluster (required)")
	flags.StringVar(&c.address, "address", "127.0.0.1:8443", "`host:port` to listen on; port 0 takes a free one")
	flags.StringVar(&c.url, "url", "", "`URL` by which the API server reaches the address, if not https://ADDRESS")
	flags.BoolVar(&c.failClosed, "fail-closed", false, "refuse requests that the webhook does not answer")
	flags.StringVar(&c.logLevel, "log-level", "info", "what is logged, by `level`: info or debug")
	complete(cmd, "log-level", "info", "debug")
	return cmd
}

func (c *serveCommand) run(ctx context.Context) error {
	if c.kubeconfig == "" {
		return errors.New("--kubeconfig is missing: serving inside of a cluster is not available yet")
	}
	log, err := newLogger(c.streams, c.logLevel)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer context.AfterFunc(ctx, stop)() // a second signal ends the process at once
	g, err := c.newGate(ctx, log)
	switch {
	case err != nil && ctx.Err() != nil:
		log.Info("ended before anything was registered")
		return nil
	case err != nil:
		return err
	}
	return g.run(ctx)
}

// newLogger logs as JSON to standard error.
func newLogger(s streams, level string) (*zap.Logger, error) {
	levels := map[string]zapcore.Level{"info": zap.InfoLevel, "debug": zap.DebugLevel}
	at, ok := levels[level]
	if !ok {
		return nil, fmt.Errorf("log level %q is unknown: it is one of %q", level, []string{"info", "debug"})
	}
	encoding := zap.NewProductionEncoderConfig()
	encoding.TimeKey, encoding.EncodeTime = "time", zapcore.RFC3339NanoTimeEncoder
	out := zapcore.Lock(zapcore.AddSync(s.err))
	return zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(encoding), out, at)), nil
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

// validity is how long the certificate lasts. It is made anew at each start.
const validity = 365 * 24 * time.Hour
