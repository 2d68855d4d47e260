set -e
KEEP="osrouter,cli,dns,netstack,unixsocketidentity,ipnbus,portmapper,advertiseroutes"
TAGS=$(go run tailscale.com/cmd/featuretags@v1.102.5 --min --add=$KEEP)
go install -tags "$TAGS" -ldflags "-X tailscale.com/version.shortStamp=1" tailscale.com/cmd/tailscaled@v1.102.5
