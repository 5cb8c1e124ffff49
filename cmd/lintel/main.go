// Command lintel holds Kubernetes objects to policies written in Rego: in files,
// and in a cluster as an admission webhook.
//
// It exits with 0 if nothing is denied, with 1 if something is, and with 2 if it
// could not tell, whatever else it found. Results go to standard output, all
// else to standard error with "lintel: " before it.
package main

import (
	"context"
	"os"
)

func main() { os.Exit(run(context.Background(), os.Args, streams{os.Stdin, os.Stdout, os.Stderr})) }
