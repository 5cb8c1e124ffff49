package main

import (
	"strings"
	"testing"
)

// TestOwnManifests holds what is installed to the library, all of which denies.
func TestOwnManifests(t *testing.T) {
	var stdout, stderr strings.Builder
	code := run(t.Context(), []string{"lintel", "check", "-p", "embedded", "../../manifests"}, streams{strings.NewReader(""), &stdout, &stderr})
	if code != 0 || stderr.String() != "" || !strings.Contains(stdout.String(), " objects: 0 denied\n") {
		t.Errorf("lintel check: exit code %d\n%s%s", code, stdout.String(), stderr.String())
	}
}
