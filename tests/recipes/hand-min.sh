#!/bin/bash
set -euo pipefail
# The same by hand, as it was right for 1.102.
features=( osrouter cli unixsocketidentity ipnbus dns netstack )
tags=$(go run ./cmd/featuretags --min --add="$(IFS=,; echo "${features[*]}")")
go build -tags "$tags" -ldflags "$(./tool/ldflags)" ./cmd/tailscaled
