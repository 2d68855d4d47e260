#!/bin/sh
# A package for routers: what is kept stands in a list, everything else goes.
set -e

TAILSCALE_VERSION=1.98.5
GOARCH="${GOARCH:-mipsle}"

KEEP="osrouter"
KEEP="${KEEP},portmapper"
KEEP="${KEEP},dns"             # MagicDNS on the router itself
KEEP="${KEEP},advertiseexitnode,advertiseroutes,useexitnode,useroutes"
KEEP="${KEEP},unixsocketidentity,iptables,listenrawdisco"
KEEP="${KEEP},bakedroots,cli"

curl -fsSL "https://example.invalid/v${TAILSCALE_VERSION}.tar.gz" | tar xz
cd "tailscale-${TAILSCALE_VERSION}"

TAGS="$(go run ./cmd/featuretags --min --add="${KEEP}")"
CGO_ENABLED=0 GOOS=linux go build -trimpath -tags "${TAGS}" \
    -ldflags "-s -w -X tailscale.com/version.shortStamp=${TAILSCALE_VERSION}" \
    -o tailscale.combined ./cmd/tailscaled
upx --lzma --best tailscale.combined
