package controller_test

import (
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/client-go/discovery"
	admissionclient "k8s.io/client-go/kubernetes/typed/admissionregistration/v1"
	"k8s.io/client-go/rest"

	"github.com/lintel-policy/lintel/controller"
	"github.com/lintel-policy/lintel/engine"
)

func TestTarget(t *testing.T) {
	cases := map[string]struct {
		reason    string
		target    controller.Target
		apiServer string
		want      bool
	}{
		"BothLoopback":      {"An API server on loopback reaches a webhook on loopback.", at("https://127.0.0.1:8443"), "https://127.0.0.1:6443", true},
		"BothLocalhost":     {"Names of loopback are loopback.", at("https://localhost:8443"), "https://[::1]:6443", true},
		"Remote":            {"An API server elsewhere does not.", at("https://127.0.0.1:8443"), "https://10.0.0.1:6443", false},
		"RemoteLocalhost":   {"Nor by name.", at("https://localhost.:8443"), "https://cluster.example.com", false},
		"RemoteIPv6":        {"Nor by IPv6.", at("https://[::1]:8443"), "cluster.example.com:443", false},
		"RemoteIPv4In6":     {"Nor by an address of IPv4 in IPv6.", at("https://[::ffff:127.0.0.1]:8443"), "cluster.example.com:443", false},
		"Reachable":         {"A webhook elsewhere may be reached.", at("https://10.0.0.2:8443"), "https://10.0.0.1:6443", true},
		"Unspecified":       {"All addresses are no address.", at("https://0.0.0.0:8443"), "https://127.0.0.1:6443", false},
		"PlainHTTP":         {"The API server speaks TLS only.", at("http://127.0.0.1:8443"), "https://127.0.0.1:6443", false},
		"Path":              {"Paths are added.", at("https://127.0.0.1:8443/x"), "https://127.0.0.1:6443", false},
		"Query":             {"The API server takes no query.", at("https://127.0.0.1:8443?x=y"), "https://127.0.0.1:6443", false},
		"User":              {"Nor a user.", at("https://a:b@127.0.0.1:8443"), "https://127.0.0.1:6443", false},
		"NoTarget":          {"There has to be a target.", controller.Target{CABundle: bundle}, "", false},
		"NoCA":              {"Without an authority nothing is trusted.", controller.Target{URL: "https://10.0.0.2:8443"}, "", false},
		"Service":           {"A Service is found by the API server.", controller.Target{Service: &admissionv1.ServiceReference{Name: "lintel", Namespace: "lintel"}, CABundle: bundle}, "https://10.0.0.1", true},
		"ServiceAndAddress": {"Two targets are one too many.", controller.Target{URL: "https://10.0.0.2", Service: &admissionv1.ServiceReference{}, CABundle: bundle}, "https://10.0.0.1", false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			cfg := &rest.Config{Host: "https://127.0.0.1:1"}
			_, err := controller.NewRegistrar(controller.RegistrarConfig{
				Client:    admissionclient.NewForConfigOrDie(cfg),
				Discovery: discovery.NewDiscoveryClientForConfigOrDie(cfg),
				Set:       func() *engine.Set { return nil },
				Target:    tc.target,
				APIServer: tc.apiServer,
			})
			if (err == nil) != tc.want {
				t.Errorf("%s\nNewRegistrar(...): %v", tc.reason, err)
			}
		})
	}
}

func at(url string) controller.Target { return controller.Target{URL: url, CABundle: bundle} }

func bundle() []byte { return []byte("x") }
