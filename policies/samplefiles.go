package policies

import (
	"fmt"
	"io/fs"
	"path"
)

// SampleFiles returns the files of samples of the library's policies, YAML of good
// and bad objects, by their names.
func SampleFiles() (map[string][]byte, error) {
	names, err := fs.Glob(library, "*/testdata/*.yaml")
	if err != nil {
		return nil, fmt.Errorf("list samples of the library: %w", err)
	}
	files := map[string][]byte{}
	for _, name := range names {
		if files[path.Join(EmbeddedOrigin, name)], err = fs.ReadFile(library, name); err != nil {
			return nil, fmt.Errorf("read samples of the library: %w", err)
		}
	}
	return files, nil
}
