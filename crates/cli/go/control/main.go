// The control command runs inside the test network: it configures network namespaces, serves as
// control server with DERP and STUN, and generates traffic.
//
// It is built in the generated module of the release under test and uses only that release's
// packages and modules. Each subcommand does one thing in the namespace that it is started in.
// Results go to stdout, errors to stderr with exit status 1.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
)

// The subcommands.
var commands = map[string]func(args []string) error{
	"address":      address,
	"ask":          ask,
	"bind":         bind,
	"call":         call,
	"control":      control,
	"dns":          dns,
	"echo":         echo,
	"egress-dial":  dialAllowed,
	"egress-proxy": proxy,
	"firewall":     firewall,
	"forward-dns":  forwardDNS,
	"forwarding":   forwarding,
	"hold":         hold,
	"https":        https,
	"link":         link,
	"masquerade":   masquerade,
	"natpmp":       natpmp,
	"ping":         ping,
	"resolve":      resolve,
	"route":        route,
	"send":         send,
	"ssh":          sshCommand,
	"stream":       stream,
	"tcp-sink":     tcpSink,
	"tpm":          tpm,
	"udp-echo":     udpEcho,
	"udp-flood":    udpFlood,
	"watch":        watch,
	"within":       within,
}

func main() {
	if program := filepath.Base(os.Args[0]); program == "iptables" || program == "ip6tables" {
		iptables(program, os.Args[1:])
	}
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		var known []string
		for name := range commands {
			known = append(known, name)
		}
		sort.Strings(known)
		fmt.Fprintln(os.Stderr, "usage: control SUBCOMMAND [ARGUMENT…], where SUBCOMMAND is one of", known)
		os.Exit(2)
	}
	if err := commands[os.Args[1]](os.Args[2:]); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}

// ready reports on stdout that a server accepts requests.
func ready() {
	fmt.Println("ready")
}
