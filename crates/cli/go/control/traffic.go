// Traffic inside the namespaces, and a packet monitor.
package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"
)

// The time limit for one response.
const patience = 5 * time.Second

// echo ADDRESS sends TCP data back and prints the source of each connection.
func echo(args []string) error {
	listener, err := net.Listen("tcp", args[0])
	if err != nil {
		return err
	}
	ready()
	for {
		connection, err := listener.Accept()
		if err != nil {
			return err
		}
		fmt.Println(connection.RemoteAddr())
		go func() {
			defer connection.Close()
			io.Copy(connection, connection)
		}()
	}
}

// send ADDRESS BYTES sends random bytes to an echo and fails if other bytes come back.
func send(args []string) error {
	size, err := strconv.ParseInt(args[1], 10, 64)
	if err != nil {
		return err
	}
	connection, err := net.DialTimeout("tcp", args[0], patience)
	if err != nil {
		return err
	}
	defer connection.Close()
	sent, got := sha256.New(), sha256.New()
	failed := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.MultiWriter(connection, sent), io.LimitReader(rand.Reader, size))
		failed <- err
	}()
	// A stalled connection is a failure, a slow one is not.
	for left := size; left > 0; {
		connection.SetReadDeadline(time.Now().Add(2 * patience))
		count, err := io.CopyN(got, connection, min(left, 1<<20))
		if left -= count; err != nil {
			return fmt.Errorf("%d of %d bytes came back: %w", size-left, size, err)
		}
	}
	if err := <-failed; err != nil {
		return err
	}
	if !bytes.Equal(sent.Sum(nil), got.Sum(nil)) {
		return fmt.Errorf("the received bytes differ from the sent bytes")
	}
	return nil
}

// ping ADDRESS sends one ICMP echo request and prints the round-trip time.
func ping(args []string) error {
	network, listen, protocol := "ip4:icmp", "0.0.0.0", 1
	var request icmp.Type = ipv4.ICMPTypeEcho
	var answer icmp.Type = ipv4.ICMPTypeEchoReply
	target := net.ParseIP(args[0])
	if target.To4() == nil {
		network, listen, protocol = "ip6:ipv6-icmp", "::", 58
		request, answer = ipv6.ICMPTypeEchoRequest, ipv6.ICMPTypeEchoReply
	}
	socket, err := icmp.ListenPacket(network, listen)
	if err != nil {
		return err
	}
	defer socket.Close()
	id := os.Getpid() & 0xffff
	message := icmp.Message{Type: request, Body: &icmp.Echo{ID: id, Seq: 1, Data: []byte("featureset")}}
	packet, err := message.Marshal(nil)
	if err != nil {
		return err
	}
	begun := time.Now()
	if _, err := socket.WriteTo(packet, &net.IPAddr{IP: target}); err != nil {
		return err
	}
	socket.SetReadDeadline(begun.Add(patience))
	for buffer := make([]byte, 1500); ; {
		count, _, err := socket.ReadFrom(buffer)
		if err != nil {
			return err
		}
		got, err := icmp.ParseMessage(protocol, buffer[:count])
		if err != nil {
			continue
		}
		if body, ok := got.Body.(*icmp.Echo); ok && got.Type == answer && body.ID == id {
			fmt.Println(time.Since(begun))
			return nil
		}
	}
}

// resolve SERVER udp|tcp NAME queries one DNS server and prints the addresses.
func resolve(args []string) error {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{Timeout: patience}).DialContext(ctx, args[1], net.JoinHostPort(args[0], "53"))
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	found, err := (&net.Resolver{PreferGo: true, Dial: dial}).LookupHost(ctx, args[2]+".")
	for _, address := range found {
		fmt.Println(address)
	}
	return err
}

// watch NAME prints `PROTOCOL ADDRESS PORT` once for each destination of packets received on an
// interface.
func watch(args []string) error {
	found, err := net.InterfaceByName(args[0])
	if err != nil {
		return err
	}
	const everything = unix.ETH_P_ALL<<8&0xff00 | unix.ETH_P_ALL>>8
	socket, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM, everything)
	if err != nil {
		return err
	}
	if err := unix.Bind(socket, &unix.SockaddrLinklayer{Protocol: everything, Ifindex: found.Index}); err != nil {
		return err
	}
	ready()
	seen := map[string]bool{}
	for buffer := make([]byte, 65536); ; {
		count, from, err := unix.Recvfrom(socket, buffer, 0)
		if err != nil && err != unix.EINTR {
			return err
		}
		if layer, ok := from.(*unix.SockaddrLinklayer); !ok || layer.Pkttype == unix.PACKET_OUTGOING {
			continue
		}
		if line := destination(buffer[:max(count, 0)]); line != "" && !seen[line] {
			seen[line] = true
			fmt.Println(line)
		}
	}
}

// destination returns the destination of an IP packet, or "" for other packets.
func destination(packet []byte) string {
	var to net.IP
	var protocol byte
	var payload []byte
	switch {
	case len(packet) >= 20 && packet[0]>>4 == 4:
		to, protocol, payload = packet[16:20], packet[9], packet[min(len(packet), int(packet[0]&15)*4):]
	case len(packet) >= 40 && packet[0]>>4 == 6:
		to, protocol, payload = packet[24:40], packet[6], packet[40:]
	default:
		return ""
	}
	name := map[byte]string{6: "tcp", 17: "udp"}[protocol]
	if name == "" || len(payload) < 4 {
		return fmt.Sprintf("protocol-%d %s 0", protocol, to)
	}
	return fmt.Sprintf("%s %s %d", name, to, int(payload[2])<<8|int(payload[3]))
}
