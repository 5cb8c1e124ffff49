package cluster

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

const (
	// poll is how often something awaited is asked for: often beside the
	// seconds that a start takes.
	poll = 25 * time.Millisecond

	// answerIn bounds one such question, so that one that hangs is asked again.
	answerIn = 5 * time.Second
)

// launch starts a component on the port chosen for it and waits until it is
// ready. Where it does not become ready it is ended, and the error has the end
// of its log; it is errBind if its port was taken.
func (c *Cluster) launch(ctx context.Context, name Component) error {
	p, err := startProcess(name, filepath.Join(c.assets, string(name)), c.args(name), c.environ(),
		c.path(string(name)+".log"), c.output)
	if err != nil {
		return err
	}
	if err := c.awaitReady(ctx, p); err != nil {
		p.kill()
		p.log.Close()
		return err
	}
	c.processes[name] = p
	return nil
}

// awaitReady waits until a component that was just started can be used.
func (c *Cluster) awaitReady(ctx context.Context, p *process) error {
	if p.name == APIServer {
		if err := c.useAPIServer(); err != nil {
			return err
		}
	}
	return await(ctx, p, "to be ready", c.ready(p.name))
}

// environ is the environment of components: not this process's, since etcd and
// Kubernetes take settings from theirs.
func (c *Cluster) environ() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + c.folder.path, "TMPDIR=" + c.folder.path}
}

// path is the path of a file in the cluster's folder.
func (c *Cluster) path(name string) string { return filepath.Join(c.folder.path, name) }

// await asks until check is content. It gives up when the process ends, or ctx
// does; the error then has the last answer and the end of the log.
func await(ctx context.Context, p *process, what string, check func(context.Context) error) error {
	for {
		err := checkOnce(ctx, p, check)
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return p.failure()
		case <-ctx.Done():
			return fmt.Errorf("wait for %s %s: %w: last answer: %w%s", p.name, what, ctx.Err(), err, p.tail())
		case <-time.After(poll):
		}
	}
}

// checkOnce bounds one check, also by the end of the process: where somebody
// else has its port, they may never answer.
func checkOnce(ctx context.Context, p *process, check func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, answerIn)
	defer cancel()
	checked := make(chan struct{})
	defer close(checked)
	go func() {
		select {
		case <-p.done:
			cancel()
		case <-checked:
		}
	}()
	return check(ctx)
}

// args are the flags of a component.
func (c *Cluster) args(name Component) []string {
	switch name {
	case Etcd:
		return c.etcdArgs()
	case APIServer:
		return append(c.apiServerArgs(), c.cfg.APIServerArgs...)
	default:
		return append(c.controllerArgs(), c.cfg.ControllerArgs...)
	}
}

// etcdArgs are the flags of etcd. It has one member, so the port for others is
// any that is free.
func (c *Cluster) etcdArgs() []string {
	url := c.etcdURL()
	return []string{
		"--data-dir=" + c.path("etcd"),
		"--listen-client-urls=" + url,
		"--advertise-client-urls=" + url,
		"--listen-peer-urls=http://" + hostPort(0),
		"--trusted-ca-file=" + c.path("ca.crt"),
		"--client-cert-auth",
		"--cert-file=" + c.path("serving.crt"),
		"--key-file=" + c.path("serving.key"),
		"--unsafe-no-fsync",
		"--log-level=warn",
	}
}

// apiServerArgs are the flags of the API server: kubeadm's, but for what needs
// nodes. There is no address that the kubernetes Service could point to, since
// endpoints cannot be on loopback, so nothing keeps trying to write one.
func (c *Cluster) apiServerArgs() []string {
	args := []string{
		"--etcd-servers=https://" + hostPort(c.ports[Etcd]),
		"--etcd-cafile=" + c.path("ca.crt"),
		"--etcd-certfile=" + c.path("etcd-client.crt"),
		"--etcd-keyfile=" + c.path("etcd-client.key"),
		"--bind-address=" + loopback,
		"--advertise-address=" + loopback,
		"--endpoint-reconciler-type=none",
		fmt.Sprintf("--secure-port=%d", c.ports[APIServer]),
		"--tls-cert-file=" + c.path("serving.crt"),
		"--tls-private-key-file=" + c.path("serving.key"),
		"--client-ca-file=" + c.path("ca.crt"),
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file=" + c.path("service-accounts.pub"),
		"--service-account-signing-key-file=" + c.path("service-accounts.key"),
		"--service-cluster-ip-range=" + serviceRange,
		"--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction",
		"--allow-privileged=true",
		"--enable-aggregator-routing=true",
		"--requestheader-client-ca-file=" + c.path("front-proxy-ca.crt"),
		"--requestheader-allowed-names=front-proxy-client",
		"--requestheader-username-headers=X-Remote-User",
		"--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file=" + c.path("front-proxy-client.crt"),
		"--proxy-client-key-file=" + c.path("front-proxy-client.key"),
	}
	if c.cfg.AdmissionConfig != "" {
		args = append(args, "--admission-control-config-file="+c.cfg.AdmissionConfig)
	}
	return args
}

// controllerArgs are the flags of the controller manager: kubeadm's. It is the
// only one, so it need not be elected, and nobody asks it anything, so it
// serves nothing. It need not spare this API server either: at its usual 20
// requests a second its controllers take five seconds longer to start.
func (c *Cluster) controllerArgs() []string {
	kubeconfig := c.users.path(c.folder.path, "system:kube-controller-manager", nil)
	return []string{
		"--kubeconfig=" + kubeconfig,
		"--use-service-account-credentials=true",
		"--controllers=*,bootstrapsigner,tokencleaner",
		"--leader-elect=false",
		"--kube-api-qps=1000",
		"--kube-api-burst=1000",
		"--secure-port=0",
		"--root-ca-file=" + c.path("ca.crt"),
		"--service-account-private-key-file=" + c.path("service-accounts.key"),
		"--cluster-signing-cert-file=" + c.path("ca.crt"),
		"--cluster-signing-key-file=" + c.path("ca.key"),
		"--service-cluster-ip-range=" + serviceRange,
	}
}
