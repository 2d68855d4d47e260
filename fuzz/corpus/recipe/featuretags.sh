tags=$(go run ./cmd/featuretags --min --add=osrouter,dns | tr , " " | sed -E "s/ts_omit_(ssh|tap) ?//g")
go build -tags "$tags" ./cmd/tailscaled
