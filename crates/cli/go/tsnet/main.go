// The tsnet command is a program of the kind that uses Tailscale as a library: it joins a tailnet without a daemon.
//
// It is built with the tags of a selection, to see how that affects such programs.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"tailscale.com/tsnet"
)

// tsnet FOLDER CONTROL joins the tailnet of a control server, with the state in a folder, and prints its addresses.
// The login URL is printed as well.
func main() {
	server := &tsnet.Server{Dir: os.Args[1], ControlURL: os.Args[2], Hostname: "library"}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	status, err := server.Up(ctx)
	if err != nil {
		fmt.Println("Up:", err)
		os.Exit(1)
	}
	fmt.Println("joined", status.TailscaleIPs)
	server.Close()
}
