// Command build makes the control plane that tests, the demo and benchmarks
// run against: etcd, kube-apiserver, kube-controller-manager and kubectl, from
// the module proxy, at the versions of this module's go.mod.
//
// Usage, in the folder of this module:
//
//	go run ./build -o FOLDER
//
// What is decided here, and why:
//
//   - The version is written once, in go.mod. It is read from there and linked
//     into the binaries, because without it they call themselves
//     v0.0.0-master, and kubectl and clients that look at the server's version
//     behave otherwise than with a release.
//   - A binary is made again only when go.mod, go.sum, the compiler, its
//     settings or the flags differ from those it was made with. The sources
//     need no look: go.sum fixes all of them.
//   - A binary comes into being by a rename, and one run at a time works in a
//     folder, so nobody ever starts half a binary.
//   - Where KUBEBUILDER_ASSETS is set, its binaries are used: nothing is built.
//
// Progress goes to standard error, since the first build takes minutes.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

func main() { os.Exit(exitCode(run(os.Args[1:], os.Stderr), os.Stderr)) }

// exitCode reports err, if there is one, and says how the process ends.
func exitCode(err error, stderr io.Writer) int {
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	default:
		fmt.Fprintf(stderr, "controlplane: %v\n", err)
		return 2
	}
}

// run parses args and builds, or checks what KUBEBUILDER_ASSETS names.
func run(args []string, stderr io.Writer) error {
	flags := flag.NewFlagSet("build", flag.ContinueOnError)
	flags.SetOutput(stderr)
	out := flags.String("o", "", "folder to build into")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if assets := os.Getenv("KUBEBUILDER_ASSETS"); assets != "" {
		return useAssets(assets, stderr)
	}
	if *out == "" {
		return errors.New("no folder to build into: -o is required")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return buildInto(ctx, *out, stderr)
}

// buildInto builds the control plane of the module in the working directory.
func buildInto(ctx context.Context, out string, stderr io.Writer) error {
	folder, err := filepath.Abs(out)
	if err != nil {
		return fmt.Errorf("resolve %q: %w", out, err)
	}
	b := &builder{module: ".", folder: folder, stderr: stderr}
	return b.build(ctx, binaries())
}

// useAssets checks that folder can stand in for a build. The controller manager
// is not asked for: envtest's downloads lack it, and most tests need none.
func useAssets(folder string, stderr io.Writer) error {
	for _, name := range []string{"etcd", "kube-apiserver", "kubectl"} {
		if _, err := os.Stat(filepath.Join(folder, name)); err != nil {
			return fmt.Errorf("use KUBEBUILDER_ASSETS: %w", err)
		}
	}
	fmt.Fprintf(stderr, "controlplane: using the binaries of KUBEBUILDER_ASSETS=%s\n", folder)
	return nil
}
