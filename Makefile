# A menu: what is behind an entry is in Go. `make test` is exactly what CI runs.

GOLANGCI_LINT = github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

# As in the image: lintel needs nothing beside itself.
NOCGO = CGO_ENABLED=0

.PHONY: help controlplane build test e2e bench demo lint fmt clean
.DEFAULT_GOAL := help

help: ## Show this help.
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

controlplane: ## Build etcd, kube-apiserver, kube-controller-manager, kubectl into .cache/controlplane.
	@go -C e2e/controlplane run ./build -o ../../.cache/controlplane

build: ## Build the lintel binary into bin/.
	$(NOCGO) go build -o bin/lintel ./cmd/lintel

test: controlplane ## Check the format, vet, and run every test with the race detector.
	gofmt -d .
	$(NOCGO) go vet ./...
	go -C e2e/controlplane vet ./...
	$(NOCGO) go -C e2e/gitops/tools vet ./...
	go -C e2e/controlplane test -race ./...
	go test -race -count 1 -timeout 60m ./...

e2e: controlplane ## Run only the tests against a real control plane.
	$(NOCGO) go test -count 1 -timeout 30m ./e2e/...

bench: ## Run the benchmarks.
	$(NOCGO) go test -run '^$$' -bench . -benchmem ./bench/...

demo: controlplane build ## Show Lintel deny, warn, record and patch what a real kubectl applies; stays up on a terminal.
	go run ./e2e/demo

lint: ## Run golangci-lint; the first time takes minutes, since it is built from source.
	go run $(GOLANGCI_LINT) run ./...

fmt: ## Format the Go code.
	gofmt -w .

clean: ## Remove what was built, the control plane included.
	rm -rf bin .cache
