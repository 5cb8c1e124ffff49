# The image of Lintel: its binary and nothing else.
#
#   docker buildx build --build-arg VERSION=v0.1.0 --platform linux/amd64,linux/arm64 .
#
# The same commit, version and platform have the same binary, byte for byte, in
# whatever folder and on whatever machine it is built:
#
#   LINTEL_REPRODUCE=1 go test ./manifests -run TestReproducible -v -timeout 60m
FROM --platform=$BUILDPLATFORM golang:1.26.8 AS build
WORKDIR /src
ENV GOTOOLCHAIN=local GOFLAGS=-mod=readonly
COPY go.mod go.sum ./
RUN go mod download && go mod verify
COPY . .
ARG TARGETOS TARGETARCH VERSION
RUN CGO_ENABLED=0 GOOS=${TARGETOS:-linux} GOARCH=${TARGETARCH:-amd64} GOAMD64=v1 GOARM64=v8.0 go build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=${VERSION:-devel}" -o /lintel ./cmd/lintel

FROM scratch
COPY --from=build /lintel /lintel
USER 65532:65532
EXPOSE 8443 8080 8081
ENTRYPOINT ["/lintel"]
