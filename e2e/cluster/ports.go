package cluster

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"time"
)

const (
	// Ports are taken from below 32768, where Linux begins to give ports to
	// outgoing connections, and above most that services are known by.
	firstPort = 20000
	lastPort  = 32000

	// attempts is how many ports are tried. One is lost to somebody else only
	// if they take it in the moment between the choice and its use.
	attempts = 5

	loopback = "127.0.0.1"
)

// freePort yields a loopback port that nobody listens on now.
func freePort() (int, error) {
	var err error
	for range 100 {
		port := firstPort + rand.IntN(lastPort-firstPort) //nolint:gosec // a port is no secret
		var listener net.Listener
		if listener, err = net.Listen("tcp", hostPort(port)); err == nil { //nolint:noctx // it does not block
			return port, listener.Close()
		}
	}
	return 0, fmt.Errorf("find a free port: %w", err)
}

// hostPort is the loopback address with a port.
func hostPort(port int) string { return net.JoinHostPort(loopback, strconv.Itoa(port)) }

// startOnFreePort launches a component on a port of its own, and on another
// where somebody else was faster.
func (c *Cluster) startOnFreePort(ctx context.Context, name Component) error {
	var err error
	for range attempts {
		if c.ports[name], err = c.cfg.Port(); err != nil {
			return fmt.Errorf("choose a port for %s: %w", name, err)
		}
		if err = c.launch(ctx, name); !errors.Is(err, errBind) {
			return err
		}
	}
	return err
}

// launchOnSamePort launches a component on the port it had, waiting for whoever
// has it now to give it back.
func (c *Cluster) launchOnSamePort(ctx context.Context, name Component) error {
	for {
		err := c.launch(ctx, name)
		if !errors.Is(err, errBind) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(poll):
		}
	}
}
