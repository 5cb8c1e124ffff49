package webhook_test

import (
	"crypto/tls"
	"errors"
	"math"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/lintel-policy/lintel/webhook"
)

func TestConfig(t *testing.T) {
	cases := map[string]struct {
		set  func(*webhook.Config)
		want string // part of the error, "" for none
	}{
		"Zero":          {func(*webhook.Config) {}, ""},
		"NoDecider":     {func(c *webhook.Config) { c.Decider = nil }, "Config.Decider"},
		"Timeout":       {func(c *webhook.Config) { c.Timeout = -time.Second }, "Config.Timeout"},
		"LongTimeout":   {func(c *webhook.Config) { c.Timeout = 10 * time.Second }, "Config.Timeout"},
		"LargestTime":   {func(c *webhook.Config) { c.Timeout = webhook.MaxTimeout }, ""},
		"MaxBody":       {func(c *webhook.Config) { c.MaxBody = -1 }, "Config.MaxBody"},
		"HugeMaxBody":   {func(c *webhook.Config) { c.MaxBody = math.MaxInt64 }, "Config.MaxBody"},
		"MaxBytes":      {func(c *webhook.Config) { c.MaxBytes = -1 }, "Config.MaxBytes"},
		"SmallMaxBytes": {func(c *webhook.Config) { c.MaxBody, c.MaxBytes = 1<<20, 1<<20 }, "Config.MaxBytes"},
		"HugeMaxBytes":  {func(c *webhook.Config) { c.MaxBytes = math.MaxInt64 }, "Config.MaxBytes"},
		"MaxMemory":     {func(c *webhook.Config) { c.MaxMemory = -1 }, "Config.MaxMemory"},
		"SmallMemory":   {func(c *webhook.Config) { c.MaxMemory = 1 << 20 }, "Config.MaxMemory"},
		"HugeMemory":    {func(c *webhook.Config) { c.MaxMemory = math.MaxInt64 }, "Config.MaxMemory"},
		"Concurrent":    {func(c *webhook.Config) { c.MaxConcurrent = -5 }, "Config.MaxConcurrent"},
		"ManyAtOnce":    {func(c *webhook.Config) { c.MaxConcurrent = 1e9 }, "Config.MaxConcurrent"},
		"Queue":         {func(c *webhook.Config) { c.MaxQueue = -1 }, "Config.MaxQueue"},
		"HugeQueue":     {func(c *webhook.Config) { c.MaxQueue = math.MaxInt }, "Config.MaxQueue"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			cfg := webhook.Config{Decider: webhook.Funcs{}}
			tc.set(&cfg)
			_, err := webhook.New(cfg)
			assertNames(t, err, tc.want)
		})
	}
}

func TestServerConfig(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	defer listener.Close()
	cases := map[string]struct {
		set  func(*webhook.ServerConfig)
		want string
	}{
		"Zero":          {func(*webhook.ServerConfig) {}, ""},
		"NoListener":    {func(c *webhook.ServerConfig) { c.Listener = nil }, "ServerConfig.Listener"},
		"NoCertificate": {func(c *webhook.ServerConfig) { c.GetCertificate = nil }, "ServerConfig.GetCertificate"},
		"LameDuck":      {func(c *webhook.ServerConfig) { c.LameDuck = -1 }, "ServerConfig.LameDuck"},
		"LongLameDuck":  {func(c *webhook.ServerConfig) { c.LameDuck = math.MaxInt64 }, "ServerConfig.LameDuck"},
		"Grace":         {func(c *webhook.ServerConfig) { c.Grace = -1 }, "ServerConfig.Grace"},
		"LongGrace":     {func(c *webhook.ServerConfig) { c.Grace = math.MaxInt64 }, "ServerConfig.Grace"},
		"IOTimeout":     {func(c *webhook.ServerConfig) { c.IOTimeout = -1 }, "ServerConfig.IOTimeout"},
		"LongIOTimeout": {func(c *webhook.ServerConfig) { c.IOTimeout = math.MaxInt64 }, "ServerConfig.IOTimeout"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			cfg := webhook.ServerConfig{Listener: listener, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, errors.New("none") }}
			tc.set(&cfg)
			_, err := webhook.NewServer(cfg)
			assertNames(t, err, tc.want)
		})
	}
}

// assertNames holds that an error names the field at fault.
func assertNames(t *testing.T, err error, field string) {
	t.Helper()
	if field == "" && err != nil {
		t.Errorf("want no error, got %v", err)
	}
	if field != "" && (err == nil || !strings.Contains(err.Error(), "webhook: "+field+" is ")) {
		t.Errorf("want an error that names %s, got %v", field, err)
	}
}
