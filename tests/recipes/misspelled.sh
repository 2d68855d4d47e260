#!/bin/sh
# Two lists: the daemon's and that of the command line.
V=1.102.5
DAEMON=$(go run tailscale.com/cmd/featuretags@v$V --min --add "osrouter,unixsocketidentiy, ipnbus")
CLI=$(go run tailscale.com/cmd/featuretags@v1.102.5 --remove=netstack,aws)
go build -tags "$DAEMON" tailscale.com/cmd/tailscaled
go build -tags "$CLI" tailscale.com/cmd/tailscale
