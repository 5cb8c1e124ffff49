package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/lintel-policy/lintel/controller"
	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/policies"
)

// fromObjects is where serve takes policies from that are objects of the cluster.
const fromObjects = "cluster"

// sources returns where the replicas take policies from, as serve has it.
func (s *Snapshot) sources() []string {
	container := s.container()
	if container == nil {
		return []string{fromObjects}
	}
	var from []string
	args := slices.Concat(container.Command, container.Args)
	for i, arg := range args {
		switch name, value, ok := strings.Cut(arg, "="); {
		case (name == "--policies" || name == "-p") && ok:
			from = append(from, value)
		case (name == "--policies" || name == "-p") && i+1 < len(args):
			from = append(from, args[i+1])
		}
	}
	if len(from) == 0 {
		return []string{fromObjects}
	}
	return from
}

// container returns the one that serves, nil if it is not known.
func (s *Snapshot) container() *corev1.Container {
	if s.Deployment == nil {
		return nil
	}
	containers := s.Deployment.Spec.Template.Spec.Containers
	at := slices.IndexFunc(containers, func(c corev1.Container) bool {
		return slices.Contains(c.Args, "serve") || slices.Contains(c.Command, "serve")
	})
	if at < 0 {
		return nil
	}
	return &containers[at]
}

func (s *Snapshot) fromCluster() bool { return slices.Contains(s.sources(), fromObjects) }

// readPolicies reads and compiles what replicas have.
func (r *reader) readPolicies(ctx context.Context) {
	s := r.s
	s.Whole = true
	var sources []policies.Source
	for _, name := range s.sources() {
		source, err := r.readSource(ctx, name)
		if err != nil {
			s.Whole = false
			s.unsee("the policies of "+name, err.Error())
			continue
		}
		sources = append(sources, source)
	}
	if !s.fromCluster() && len(s.Definitions) > 0 {
		s.Objects, _ = see(s, seenObjects, func() (policies.Objects, error) { return controller.ReadPolicies(ctx, r.dynamic) })
	}
	all, err := policies.Combine(sources...)
	s.take(err)
	s.Exceptions = all.Exceptions
	if len(sources) == 0 {
		return
	}
	s.Set, err = engine.Compile(engine.Config{
		Policies: all.Policies, Exceptions: all.Exceptions, Plurals: s.Catalog.Plurals(),
		ExcludedNamespaces: s.excluded(),
	})
	s.take(err)
}

// readSource reads one source. What is broken in it is taken note of.
func (r *reader) readSource(ctx context.Context, name string) (policies.Source, error) {
	s := r.s
	switch name {
	case policies.EmbeddedOrigin:
		return policies.Library()
	case fromObjects:
		var err error
		s.Objects, err = controller.ReadPolicies(ctx, r.dynamic)
		if errors.Is(err, controller.ErrNoDefinitions) {
			return policies.Source{}, nil // a check of its own says so
		}
		if err != nil {
			return policies.Source{}, err
		}
		source, err := policies.FromObjects(s.Objects)
		s.take(err)
		return source, nil
	}
	return s.readMounted(name)
}

// take takes note of what is broken; of what is an object its status says so.
func (s *Snapshot) take(err error) {
	for _, e := range engine.EachError(err) {
		var broken *engine.PolicyError
		if errors.As(e, &broken) && s.isObject(broken.Policy) {
			s.Whole = false // replicas may have it as it last was
			continue
		}
		s.Broken = append(s.Broken, e)
	}
}

func (s *Snapshot) isObject(policy string) bool {
	for _, p := range s.Objects.Policies {
		if p.Name == policy && s.fromCluster() {
			return true
		}
	}
	return false
}

// errNotMounted reports a folder of policies that no ConfigMap is mounted at.
var errNotMounted = errors.New("no ConfigMap is mounted there")

// readMounted reads a folder that replicas have, which ConfigMaps are mounted at or in.
func (s *Snapshot) readMounted(folder string) (policies.Source, error) {
	files := map[string]string{}
	for _, mount := range s.container().VolumeMounts {
		below, ok := strings.CutPrefix(path.Clean(mount.MountPath)+"/", path.Clean(folder)+"/")
		if !ok {
			continue
		}
		m, err := s.mountedConfigMap(mount.Name)
		if err != nil {
			return policies.Source{}, err
		}
		for name, text := range m.Data {
			files[path.Join(below, name)] = text
		}
	}
	if len(files) == 0 {
		return policies.Source{}, errNotMounted
	}
	return s.load(folder, files)
}

func (s *Snapshot) mountedConfigMap(volume string) (*corev1.ConfigMap, error) {
	for _, v := range s.Deployment.Spec.Template.Spec.Volumes {
		if v.Name != volume || v.ConfigMap == nil {
			continue
		}
		if m := s.configMap(v.ConfigMap.Name); m != nil {
			return m, nil
		}
		return nil, fmt.Errorf("there is no ConfigMap %s/%s, or it could not be read", s.Namespace, v.ConfigMap.Name)
	}
	return nil, errNotMounted
}

// load reads policies as replicas do, out of files.
func (s *Snapshot) load(folder string, files map[string]string) (policies.Source, error) {
	dir, err := os.MkdirTemp("", "lintel-doctor-")
	if err != nil {
		return policies.Source{}, fmt.Errorf("make a folder: %w", err)
	}
	defer os.RemoveAll(dir)
	for name, text := range files {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(text), 0o600)); err != nil {
			return policies.Source{}, fmt.Errorf("write what replicas read: %w", err)
		}
	}
	source, err := policies.Load(dir)
	s.take(renamed(err, dir, folder))
	return source, nil
}

// renamed returns the errors of what was read in dir as those of folder.
func renamed(err error, dir, folder string) error {
	if err == nil {
		return nil
	}
	return errors.New(strings.ReplaceAll(err.Error(), dir, strings.TrimSuffix(folder, "/")))
}
