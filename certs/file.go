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
// are being replaced one after the other, they may not go together.
func ReadFolder(folder string) (pair Pair, bundle []byte, err error) {
	folder, err = snapshot(folder)
	if err != nil {
		return Pair{}, nil, fmt.Errorf("read certificate: %w", err)
	}
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

// snapshot returns where the files are. A volume's are links by way of ..data,
// itself a link that the kubelet swaps: followed once, all files are of one
// version.
func snapshot(folder string) (string, error) {
	current, err := filepath.EvalSymlinks(filepath.Join(folder, "..data"))
	if errors.Is(err, fs.ErrNotExist) {
		return folder, nil
	}
	return current, err
}
