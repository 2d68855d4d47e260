// The control server: upstream's test server with DERP, STUN and an HTTP interface for checks.
package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"tailscale.com/derp/derpserver"
	"tailscale.com/net/stunserver"
	"tailscale.com/tailcfg"
	"tailscale.com/tstest/integration/testcontrol"
	"tailscale.com/types/dnstype"
	"tailscale.com/types/key"
)

// relay starts DERP and STUN on an address and returns their DERP map.
func relay(ip string) (*tailcfg.DERPMap, error) {
	listener, err := net.Listen("tcp", net.JoinHostPort(ip, "0"))
	if err != nil {
		return nil, err
	}
	// The test server has its own certificate.
	server := httptest.NewUnstartedServer(derpserver.Handler(derpserver.New(key.NewNode(), func(string, ...any) {})))
	server.Listener.Close()
	server.Listener = listener
	// DERP hijacks the connection, which HTTP/2 does not support.
	server.Config.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){}
	server.StartTLS()
	stun := stunserver.New(context.Background())
	if err := stun.Listen(net.JoinHostPort(ip, "0")); err != nil {
		return nil, err
	}
	go stun.Serve()
	node := &tailcfg.DERPNode{
		Name: "one", RegionID: 1, HostName: ip, IPv4: ip, IPv6: "none", InsecureForTests: true, STUNTestIP: ip,
		STUNPort: stun.LocalAddr().(*net.UDPAddr).Port, DERPPort: listener.Addr().(*net.TCPAddr).Port,
	}
	region := &tailcfg.DERPRegion{RegionID: 1, RegionCode: "lab", Nodes: []*tailcfg.DERPNode{node}}
	relays := &tailcfg.DERPMap{}
	putFirst(&relays.Regions, 1, region)
	return relays, nil
}

// putFirst makes a map with one entry. The type of the key is the field's: int up to 1.102, tailcfg.DERPRegionID from 1.104 on.
func putFirst[K comparable, V any](entries *map[K]V, key K, value V) {
	*entries = map[K]V{key: value}
}

// control IP PORT DOMAIN serves a tailnet with that MagicDNS domain and a resolver on the same
// address. If TS_AUTHKEY is set, nodes must log in with that key and get no login URL.
func control(args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("IP PORT DOMAIN, not %q", args)
	}
	ip, domain := args[0], args[2]
	at := net.JoinHostPort(ip, args[1])
	relays, err := relay(ip)
	if err != nil {
		return err
	}
	server := &testcontrol.Server{
		DERPMap: relays, ExplicitBaseURL: "http://" + at, RequireAuth: true, AllNodesSameUser: true,
		MagicDNSDomain: domain,
		DNSConfig: &tailcfg.DNSConfig{
			Proxied: true, Domains: []string{domain}, Resolvers: []*dnstype.Resolver{{Addr: ip}},
			ExtraRecords: []tailcfg.DNSRecord{{Name: "extra." + domain, Value: "100.100.1.2"}},
		},
	}
	// Upstream's server has this since 1.98; without it no peer is reported as online.
	if online := reflect.ValueOf(server).Elem().FieldByName("AllOnline"); online.IsValid() {
		online.SetBool(true)
	}
	if key := os.Getenv("TS_AUTHKEY"); key != "" {
		server.RequireAuth = false
		server.RequireAuthKey = key
	}
	// Listen before reporting ready.
	listener, err := net.Listen("tcp", at)
	if err != nil {
		return err
	}
	ready()
	return http.Serve(listener, withLabHandlers(server))
}

// withLabHandlers adds the HTTP interface for checks to the server.
func withLabHandlers(server *testcontrol.Server) http.Handler {
	mux := http.NewServeMux()
	find := func(w http.ResponseWriter, r *http.Request) (key.NodePublic, bool) {
		for _, node := range server.AllNodes() {
			if node.Hostinfo.Valid() && node.Hostinfo.Hostname() == r.FormValue("node") {
				return node.Key, true
			}
		}
		http.Error(w, "no such node", http.StatusNotFound)
		return key.NodePublic{}, false
	}
	// Visiting the login URL completes the login.
	mux.HandleFunc("/auth/", func(w http.ResponseWriter, r *http.Request) {
		if !server.CompleteAuth(r.URL.Path) {
			http.Error(w, "no pending login", http.StatusNotFound)
		}
	})
	mux.HandleFunc("/lab/nodes", func(w http.ResponseWriter, r *http.Request) {
		json.NewEncoder(w).Encode(server.AllNodes())
	})
	mux.HandleFunc("/lab/routes", func(w http.ResponseWriter, r *http.Request) {
		node, ok := find(w, r)
		if !ok {
			return
		}
		var routes []netip.Prefix
		for _, text := range strings.FieldsFunc(r.FormValue("routes"), func(c rune) bool { return c == ',' }) {
			prefix, err := netip.ParsePrefix(text)
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			routes = append(routes, prefix)
		}
		server.SetSubnetRoutes(node, routes)
	})
	mux.HandleFunc("/lab/capabilities", func(w http.ResponseWriter, r *http.Request) {
		if node, ok := find(w, r); ok {
			capabilities := tailcfg.NodeCapMap{}
			for _, name := range strings.Split(r.FormValue("names"), ",") {
				capabilities[tailcfg.NodeCapability(name)] = nil
			}
			server.SetNodeCapMap(node, capabilities)
		}
	})
	// Makes an address the tailnet's resolver. Nodes that are connected learn of it with their next map.
	mux.HandleFunc("/lab/resolver", func(w http.ResponseWriter, r *http.Request) {
		server.DNSConfig.Resolvers = []*dnstype.Resolver{{Addr: r.FormValue("address")}}
	})
	// Changes the URL under which nodes log in.
	mux.HandleFunc("/lab/url", func(w http.ResponseWriter, r *http.Request) {
		server.ExplicitBaseURL = r.FormValue("url")
	})
	// Adds a peer that exists only in the network map. Upstream's AddFakeNode would use a public
	// address.
	var peers atomic.Int64
	mux.HandleFunc("/lab/peer", func(w http.ResponseWriter, r *http.Request) {
		number := peers.Add(1)
		address := netip.PrefixFrom(netip.AddrFrom4([4]byte{100, 64, 200, byte(number)}), 32)
		server.UpdateNode(&tailcfg.Node{
			ID: tailcfg.NodeID(1000 + number), StableID: tailcfg.StableNodeID(fmt.Sprint("peer", number)),
			Name: fmt.Sprintf("peer%d.%s.", number, server.MagicDNSDomain), User: 123,
			Key: key.NewNode().Public(), Machine: key.NewMachine().Public(), DiscoKey: key.NewDisco().Public(),
			MachineAuthorized: true, Addresses: []netip.Prefix{address}, AllowedIPs: []netip.Prefix{address},
		})
	})
	mux.HandleFunc("/lab/c2n", func(w http.ResponseWriter, r *http.Request) {
		if node, ok := find(w, r); ok {
			sendC2N(server, node, w, r)
		}
	})
	// Upstream's server wants the auth key at every registration, and a node that starts again has none to show. So it is asked
	// for until a node has shown it; a server that knows keys node by node is not what this is for.
	var shown sync.Once
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if server.NumNodes() > 0 {
			shown.Do(func() { server.RequireAuthKey = "" })
		}
		server.ServeHTTP(w, r)
	})
	return mux
}

// sendC2N sends a control-to-node request.
func sendC2N(server *testcontrol.Server, node key.NodePublic, w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, r.FormValue("method"), "http://node"+r.FormValue("path"), nil)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	response, err := server.NodeRoundTripper(node).RoundTrip(request)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	w.WriteHeader(response.StatusCode)
	io.Copy(w, response.Body)
}

// call URL prints the response body of a GET request.
func call(args []string) error {
	client := http.Client{Timeout: 15 * time.Second}
	response, err := client.Get(args[0])
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", response.Status, body)
	}
	fmt.Print(string(body))
	return err
}
