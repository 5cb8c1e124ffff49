//go:build linux

// Package install_test tries the installation that manifests/install.yaml makes:
// three replicas behind a Service, in front of a real control plane.
//
// There is no kubelet, so the tests do what kubelets do: they run what the
// Deployment says, as the user, with the token, the files and the root folder that
// its pods would have, ask their probes, and write the EndpointSlices of the Service,
// which the API server follows by itself.
//
// Endpoints cannot be on 127.0.0.0/8. So that no address of this machine is used,
// the tests run in a network namespace of their own, which has nothing but a
// loopback interface with addresses for the replicas. Where the user is not root,
// that takes a user namespace too, in which replicas run as root.
package install_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/lintel-policy/lintel/e2e/gate"
)

// inside is set in the environment of the process that is in the namespace.
const inside = "LINTEL_TEST_NETWORK"

func TestMain(m *testing.M) {
	if os.Getenv(inside) == "" {
		os.Exit(runInside())
	}
	for n := range maxReplicas {
		if err := addAddress(n); err != nil {
			fmt.Fprintf(os.Stderr, "give the loopback interface an address: %v\n", err)
			os.Exit(1)
		}
	}
	folder, err := os.MkdirTemp("", "lintel-install-")
	if err != nil {
		fmt.Fprintf(os.Stderr, "make a folder for lintel: %v\n", err)
		os.Exit(1)
	}
	built = sync.OnceValues(func() (string, error) { return gate.Build(context.Background(), folder) })
	code := m.Run()
	_ = os.RemoveAll(folder)
	os.Exit(code)
}

// built builds lintel, once, and returns the path of the binary.
var built func() (string, error)

// runInside runs this program again, in a network namespace of its own.
func runInside() int {
	cmd := exec.Command(os.Args[0], os.Args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), inside+"="+strconv.Itoa(os.Getuid()))
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if os.Getuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		return exit.ExitCode()
	case err != nil:
		fmt.Fprintf(os.Stderr, "run the tests in a network namespace: %v\n", err)
		return 1
	}
	return 0
}

// addAddress gives the loopback interface the address of a replica.
func addAddress(replica int) error {
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(socket)
	up, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	up.SetUint16(unix.IFF_UP | unix.IFF_RUNNING | unix.IFF_LOOPBACK)
	if err := unix.IoctlIfreq(socket, unix.SIOCSIFFLAGS, up); err != nil {
		return err
	}
	address, err := unix.NewIfreq("lo:" + strconv.Itoa(replica))
	if err != nil {
		return err
	}
	if err := address.SetInet4Addr([]byte{10, 99, 0, byte(replica + 1)}); err != nil {
		return err
	}
	return unix.IoctlIfreq(socket, unix.SIOCSIFADDR, address)
}

// addressOf is the address of a replica.
func addressOf(replica int) string { return fmt.Sprintf("10.99.0.%d", replica+1) }
