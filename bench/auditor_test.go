package bench_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/lintel-policy/lintel/audit"
	"github.com/lintel-policy/lintel/engine"
	"github.com/lintel-policy/lintel/webhook"
)

// An auditor is another process that audits and answers reviews, as the replica of
// `lintel serve --audit` that leads does.
type auditor struct {
	orders  *json.Encoder
	answers *json.Decoder
}

// auditorEnv has the auditorConfig of the process that is an auditor.
const auditorEnv = "LINTEL_BENCH_AUDITOR"

type auditorConfig struct {
	Kubeconfig string
	Policies   string       // folder of those that are audited by
	Kinds      []audit.Kind // that are audited
	Reports    bool         // whether reports are written
}

// The orders that an auditor takes. It answers each with its state.
const (
	beginAudit   = "begin" // from nothing
	endAudit     = "end"
	tellProgress = "progress"
	tellState    = "tell" // and what it takes
)

// A state is that of an auditor.
type state struct {
	Webhook  string // address
	Progress audit.Progress
	Held     int64 // bytes of its heap after a collection, where it was told to tell
	Sys      int64 // bytes that its runtime has of the system
	Peak     int64 // bytes that were resident at most
}

// newAuditor starts an auditor. It ends with the benchmark.
func newAuditor(b *testing.B, cfg auditorConfig, env ...string) *auditor {
	b.Helper()
	text, err := json.Marshal(cfg)
	mustBench(b, err)
	reader, writer, err := os.Pipe()
	mustBench(b, err)
	cmd := exec.CommandContext(b.Context(), os.Args[0], "-test.run=^$", "-test.bench=^BenchmarkAuditor$", "-test.benchtime=1x") //nolint:gosec // this program
	cmd.Env = append(append(os.Environ(), auditorEnv+"="+string(text)), env...)
	cmd.ExtraFiles = []*os.File{writer}
	cmd.Stderr = os.Stderr
	orders, err := cmd.StdinPipe()
	mustBench(b, err)
	mustBench(b, cmd.Start())
	mustBench(b, writer.Close())
	b.Cleanup(func() {
		_ = orders.Close() // ends it
		if err := cmd.Wait(); err != nil && b.Context().Err() == nil {
			b.Errorf("auditor: %v", err)
		}
	})
	return &auditor{json.NewEncoder(orders), json.NewDecoder(reader)}
}

// do has an order carried out.
func (a *auditor) do(b *testing.B, order string) state {
	b.Helper()
	mustBench(b, a.orders.Encode(order))
	var s state
	mustBench(b, a.answers.Decode(&s))
	return s
}

// BenchmarkAuditor is what an auditor runs.
func BenchmarkAuditor(b *testing.B) {
	text := os.Getenv(auditorEnv)
	if text == "" {
		b.Skip("is run by other benchmarks")
	}
	var cfg auditorConfig
	mustBench(b, json.Unmarshal([]byte(text), &cfg))
	handler, address := serveHandler(b, certificate(b), library(b), jsonLog())
	background := newBackground(b, cfg, handler)
	answers := json.NewEncoder(os.NewFile(3, "answers"))
	end := func() {}
	defer func() { end() }()
	for orders := json.NewDecoder(os.Stdin); ; {
		var order string
		if orders.Decode(&order) != nil {
			return
		}
		s := state{Webhook: address}
		switch order {
		case beginAudit:
			end = begin(b, background)
		case endAudit:
			end()
		case tellState:
			s.measure(b)
		}
		s.Progress = background.Progress()
		mustBench(b, answers.Encode(s))
	}
}

// begin runs an audit, and returns what ends it.
func begin(b *testing.B, background *audit.Background) (end func()) {
	b.Helper()
	ctx, stop := context.WithCancel(b.Context())
	var running sync.WaitGroup
	running.Go(func() { background.Run(ctx) })
	return func() {
		stop()
		running.Wait()
	}
}

// measure fills in what the process takes.
func (s *state) measure(b *testing.B) {
	b.Helper()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	s.Sys = int64(m.Sys)
	status, err := os.ReadFile("/proc/self/status")
	mustBench(b, err)
	_, after, _ := bytes.Cut(status, []byte("VmHWM:"))
	kilobytes, err := strconv.ParseInt(string(bytes.Fields(after)[0]), 10, 64)
	mustBench(b, err)
	s.Peak = kilobytes << 10
	runtime.GC()
	runtime.ReadMemStats(&m)
	s.Held = int64(m.HeapAlloc)
}

func newBackground(b *testing.B, cfg auditorConfig, handler *webhook.Handler) *audit.Background {
	b.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", cfg.Kubeconfig)
	mustBench(b, err)
	config.QPS = -1
	client, err := kubernetes.NewForConfig(config)
	mustBench(b, err)
	set := compiledFrom(b, cfg.Policies)
	namespaces := namespacesOf(b, client)
	var publisher audit.Publisher = nobody{}
	if cfg.Reports {
		publisher = &audit.Reports{Client: client.CoreV1().RESTClient(), Policies: set.Policies}
	}
	background, err := audit.NewBackground(audit.BackgroundConfig{
		Client: client.CoreV1().RESTClient(), Changed: make(chan struct{}), Publisher: publisher,
		Set:       func() *engine.Set { return set },
		Kinds:     func(*engine.Set) []audit.Watched { return watched(cfg.Kinds, set) },
		Namespace: func(_ context.Context, name string) *engine.Object { return namespaces[name] },
		Inventory: func() *engine.Inventory { return nil },
		Busy:      func() bool { return handler.Running() > 0 },
	})
	mustBench(b, err)
	return background
}

func watched(kinds []audit.Kind, set *engine.Set) []audit.Watched {
	all := make([]audit.Watched, len(kinds))
	for i, k := range kinds {
		all[i] = audit.Watched{Kind: k, Revision: set.Revision()}
	}
	return all
}

func namespacesOf(b *testing.B, client kubernetes.Interface) map[string]*engine.Object {
	b.Helper()
	list, err := client.CoreV1().Namespaces().List(b.Context(), metav1.ListOptions{})
	mustBench(b, err)
	namespaces := map[string]*engine.Object{}
	for _, ns := range list.Items {
		namespaces[ns.Name], err = engine.DecodeObject(fmt.Appendf(nil, `{"apiVersion":"v1","kind":"Namespace","metadata":{"name":%q}}`, ns.Name))
		mustBench(b, err)
	}
	return namespaces
}
