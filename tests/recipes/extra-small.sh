#!/usr/bin/env bash
set -euo pipefail
cd tailscale
for arch in arm64 mipsle; do
	GOOS=linux GOARCH=$arch ./build_dist.sh --extra-small --box -o "../out/tailscaled.$arch" ./cmd/tailscaled
done
