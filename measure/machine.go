package measure

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strings"

	"github.com/lintel-policy/lintel/engine"
)

// thisMachine describes what is measured on.
func thisMachine() Machine {
	return Machine{CPU: cpu(), GOMAXPROCS: runtime.GOMAXPROCS(0), Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
}

// cpu returns the name of the processor, as Linux knows it; elsewhere, it is not known.
func cpu() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

// reviewOf returns the AdmissionReview that creates an object.
func reviewOf(o Object) ([]byte, error) {
	namespace := ""
	if o.Namespace != nil {
		namespace = o.Namespace.Ref().Name
	}
	req, err := engine.NewRequest(o.JSON, namespace)
	if err != nil {
		return nil, err
	}
	gvk, gvr := req.Kind(), req.Resource()
	kind := map[string]string{"group": gvk.Group, "version": gvk.Version, "kind": gvk.Kind}
	resource := map[string]string{"group": gvr.Group, "version": gvr.Version, "resource": gvr.Resource}
	body, err := json.Marshal(map[string]any{"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": map[string]any{
		"uid": "00000000-0000-0000-0000-000000000000", "operation": "CREATE", "kind": kind, "requestKind": kind, "resource": resource, "requestResource": resource,
		"name": req.Ref().Name, "namespace": req.Namespace(), "userInfo": map[string]any{"username": "measure"}, "object": json.RawMessage(o.JSON), "oldObject": nil,
	}})
	if err != nil {
		return nil, fmt.Errorf("encode AdmissionReview: %w", err)
	}
	return body, nil
}
