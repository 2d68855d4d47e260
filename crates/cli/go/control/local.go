// Requests to a daemon's local API.
package main

import (
	"context"
	"strconv"

	"tailscale.com/client/local"
)

// ask SOCKET TIMES requests the status of a daemon TIMES times, as a monitoring system does over
// days.
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
