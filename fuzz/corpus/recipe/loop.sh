for f in aws bird tap; do TAGS="$TAGS,ts_omit_$f"; done
f() { f "$1,$1"; }
f a
cat <<EOF | sh
TAGS=${TAGS#,}
EOF
./build_dist.sh --extra-small -tags "${TAGS//,/ }" tailscale.com/cmd/tailscaled
