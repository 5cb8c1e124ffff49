package certs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// ReadFolder reads tls.crt and tls.key of a folder, and ca.crt if it is there: a
// mounted Secret, or files that somebody keeps. It judges nothing: where files
// are replaced one after the other, they may not go together.
func ReadFolder(folder string) (pair Pair, bundle []byte, err error) {
	for {
		// What was replaced meanwhile may be half gone.
		version := versionOf(folder)
		pair, bundle, err = readVersion(version)
		if versionOf(folder) == version {
			return pair, bundle, err
		}
	}
}

// versionOf returns where the files of a folder are. Those of a volume are links
// by way of ..data, a link that the kubelet makes anew for each version: followed
// once, all files are of one.
func versionOf(folder string) string {
	version, err := os.Readlink(filepath.Join(folder, "..data"))
	switch {
	case err != nil:
		return folder
	case filepath.IsAbs(version):
		return version
	default:
		return filepath.Join(folder, version)
	}
}

func readVersion(folder string) (pair Pair, bundle []byte, err error) {
	if pair.Certificate, err = os.ReadFile(filepath.Join(folder, keyServing)); err != nil {
		return Pair{}, nil, fmt.Errorf("read certificate: %w", err)
	}
	if pair.Key, err = os.ReadFile(filepath.Join(folder, keyServingKey)); err != nil {
		return Pair{}, nil, fmt.Errorf("read key of certificate: %w", err)
	}
	bundle, err = os.ReadFile(filepath.Join(folder, keyBundle))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Pair{}, nil, fmt.Errorf("read authority of certificate: %w", err)
	}
	return pair, bundle, nil
}
