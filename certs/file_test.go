package certs_test

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lintel-policy/lintel/certs"
)

func TestReadFolder(t *testing.T) {
	pair := certs.Pair{Certificate: []byte("certificate"), Key: []byte("key")}
	folder := t.TempDir()
	writeFiles(t, folder, pair)

	got, bundle, err := certs.ReadFolder(folder)
	must(t, "ReadFolder(...)", err)
	if diff := cmp.Diff(pair, got); diff != "" || bundle != nil {
		t.Errorf("a folder without ca.crt: got bundle %q and pair -want, +got:\n%s", bundle, diff)
	}
	write(t, filepath.Join(folder, "ca.crt"), []byte("authority"))
	if _, bundle, err = certs.ReadFolder(folder); err != nil || string(bundle) != "authority" {
		t.Errorf("a folder with ca.crt: got bundle %q and error %v", bundle, err)
	}
	must(t, "remove", os.Remove(filepath.Join(folder, "ca.crt")))
	must(t, "make folder", os.Mkdir(filepath.Join(folder, "ca.crt"), 0o700))
	if _, _, err = certs.ReadFolder(folder); err == nil {
		t.Error("a ca.crt that cannot be read: want an error, since it is no absent one")
	}
}

// TestVolumeIsReadAsOne swaps a volume while it is being read.
func TestVolumeIsReadAsOne(t *testing.T) {
	folder := t.TempDir()
	version := func(i int) certs.Pair {
		text := []byte(strconv.Itoa(i))
		return certs.Pair{Certificate: text, Key: text}
	}
	swap(t, folder, version(0))
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 1000 {
			swap(t, folder, version(i))
		}
	}()
	defer func() { <-done }()
	for {
		pair, _, err := certs.ReadFolder(folder)
		must(t, "ReadFolder(...)", err)
		if string(pair.Certificate) != string(pair.Key) {
			t.Fatalf("certificate of version %s, key of version %s", pair.Certificate, pair.Key)
		}
		select {
		case <-done:
			return
		default:
		}
	}
}
