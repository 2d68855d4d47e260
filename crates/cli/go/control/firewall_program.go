// An iptables program on a kernel without the tables of iptables.
package main

import (
	"fmt"
	"os"
)

// iptables answers as iptables and ip6tables do if the kernel has only nftables. Links of these names to this program are
// in the PATH of a daemon that should find them.
func iptables(program string, args []string) {
	version := program + " v1.8.9 (legacy)"
	if len(args) > 0 && args[0] == "--version" {
		fmt.Println(version)
		os.Exit(0)
	}
	fmt.Fprintln(os.Stderr, version+": can't initialize iptables table `filter': Table does not exist")
	os.Exit(3)
}
