// An SSH client for Tailscale SSH, which needs neither a key nor a password.
package main

import (
	"fmt"
	"net"
	"time"

	"golang.org/x/crypto/ssh"
)

// sshCommand ADDRESS USER COMMAND prints the output of a command on another node. The error contains the server's banner.
func sshCommand(args []string) error {
	banner := ""
	address := net.JoinHostPort(args[0], "22")
	connection, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		return err
	}
	connection.SetDeadline(time.Now().Add(3 * patience))
	client, channels, requests, err := ssh.NewClientConn(connection, address, &ssh.ClientConfig{
		User: args[1], HostKeyCallback: ssh.InsecureIgnoreHostKey(),
		BannerCallback: func(message string) error {
			banner += message
			return nil
		},
	})
	if err != nil {
		return fmt.Errorf("%w: %s", err, banner)
	}
	defer client.Close()
	session, err := ssh.NewClient(client, channels, requests).NewSession()
	if err != nil {
		return err
	}
	output, err := session.CombinedOutput(args[2])
	fmt.Print(string(output))
	return err
}
