// Questions to a daemon on its own socket, as upstream's command line asks them.
package main

import (
	"context"
	"strconv"

	"tailscale.com/client/local"
)

// ask SOCKET TIMES asks a daemon for its status so many times, one after the other, as what watches it does in days.
func ask(args []string) error {
	times, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	client := local.Client{Socket: args[0], UseSocketOnly: true}
	for range times {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		_, err := client.Status(ctx)
		cancel()
		if err != nil {
			return err
		}
	}
	return nil
}
