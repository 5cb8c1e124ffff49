package cluster

import (
	"fmt"
	"os"
	"path/filepath"
)

// kubectl is a binary of the control plane that is no component of it.
const kubectl = "kubectl"

// findAssets finds the folder that has the binaries, and checks that those
// which cfg needs are there.
func findAssets(cfg Config) (string, error) {
	folder, err := assetsFolder(cfg)
	if err != nil {
		return "", err
	}
	needed := []string{string(Etcd), string(APIServer), kubectl}
	if cfg.Controllers {
		needed = append(needed, string(ControllerManager))
	}
	for _, name := range needed {
		if _, err := os.Stat(filepath.Join(folder, name)); err != nil {
			return "", fmt.Errorf("find the control plane (run make controlplane): %w", err)
		}
	}
	return folder, nil
}

// assetsFolder is the folder where the binaries should be.
func assetsFolder(cfg Config) (string, error) {
	if cfg.Assets != "" {
		return cfg.Assets, nil
	}
	if folder := os.Getenv("KUBEBUILDER_ASSETS"); folder != "" {
		return folder, nil
	}
	start, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the control plane: %w", err)
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		// The module that builds the control plane marks the checkout.
		if _, err := os.Stat(filepath.Join(dir, "e2e", "controlplane", "go.mod")); err == nil {
			return filepath.Join(dir, ".cache", "controlplane"), nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("find the control plane: %q is in no checkout of Lintel, and KUBEBUILDER_ASSETS is not set"+
				" (run make controlplane in a checkout)", start)
		}
	}
}
