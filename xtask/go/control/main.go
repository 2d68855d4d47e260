// A small world for Tailscale daemons: network namespaces, a control server with DERP and STUN, and traffic.
//
// It is built in the generated module of the release that it serves and uses nothing but that release's own
// packages and modules. Each subcommand does one thing in the namespace that it is started in; what it finds goes
// to stdout, what goes wrong to stderr with exit status 1.
package main

import (
	"fmt"
	"os"
	"sort"
)

// What each subcommand does with its arguments.
var commands = map[string]func(args []string) error{
	"address":    address,
	"ask":        ask,
	"bind":       bind,
	"bounce":     bounce,
	"call":       call,
	"control":    control,
	"dial":       dial,
	"echo":       echo,
	"firewall":   firewall,
	"forwarding": forwarding,
	"gate":       gate,
	"hold":       hold,
	"link":       link,
	"masquerade": masquerade,
	"names":      names,
	"natpmp":     natpmp,
	"ping":       ping,
	"resolve":    resolve,
	"route":      route,
	"send":       send,
	"sink":       sink,
	"stream":     stream,
	"volley":     volley,
	"watch":      watch,
}

func main() {
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		var known []string
		for name := range commands {
			known = append(known, name)
		}
		sort.Strings(known)
		fmt.Fprintln(os.Stderr, "one of", known)
		os.Exit(2)
	}
	if err := commands[os.Args[1]](os.Args[2:]); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}

// ready tells whoever started a server that it serves.
func ready() {
	fmt.Println("ready")
}
