// Network namespaces and links between them. It uses netlink and needs no program of the host.
package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"

	"github.com/tailscale/netlink"
	"golang.org/x/sys/unix"
)

// bind [FROM=TO…] bind-mounts directories over others.
func bind(args []string) error {
	for _, pair := range args {
		from, to, _ := strings.Cut(pair, "=")
		if err := unix.Mount(from, to, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("binding %s over %s: %w", from, to, err)
		}
	}
	return nil
}

// hold [FROM=TO…] bind-mounts directories and keeps its namespaces alive until stdin ends.
func hold(args []string) error {
	if err := bind(args); err != nil {
		return err
	}
	loopback, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	if err := netlink.LinkSetUp(loopback); err != nil {
		return err
	}
	ready()
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// link NAME PID PEER creates a veth pair: NAME here and PEER in the network namespace of process
// PID.
func link(args []string) error {
	pid, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	attributes := netlink.NewLinkAttrs()
	attributes.Name = args[0]
	return netlink.LinkAdd(&netlink.Veth{LinkAttrs: attributes, PeerName: args[2], PeerNamespace: netlink.NsPid(pid)})
}

// address NAME [PREFIX…] adds addresses to an interface and sets it up. Without a prefix it prints
// the addresses.
func address(args []string) error {
	found, err := netlink.LinkByName(args[0])
	if err != nil {
		return err
	}
	if len(args) == 1 {
		has, err := netlink.AddrList(found, netlink.FAMILY_ALL)
		for _, one := range has {
			fmt.Println(one.IPNet)
		}
		return err
	}
	for _, prefix := range args[1:] {
		ip, network, err := net.ParseCIDR(prefix)
		if err != nil {
			return err
		}
		network.IP = ip
		// The address is unique, so skip duplicate address detection, which takes a second.
		if err := netlink.AddrAdd(found, &netlink.Addr{IPNet: network, Flags: unix.IFA_F_NODAD}); err != nil {
			return fmt.Errorf("%s: %w", prefix, err)
		}
	}
	return netlink.LinkSetUp(found)
}

// route PREFIX GATEWAY adds a route.
func route(args []string) error {
	_, network, err := net.ParseCIDR(args[0])
	if err != nil {
		return err
	}
	return netlink.RouteAdd(&netlink.Route{Dst: network, Gw: net.ParseIP(args[1])})
}

// forwarding V4 V6 switches packet forwarding off (0) or on (1).
func forwarding(args []string) error {
	switches := []string{"/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv6/conf/all/forwarding"}
	for i, path := range switches {
		if err := os.WriteFile(path, []byte(args[i]), 0); err != nil {
			return err
		}
	}
	return nil
}
