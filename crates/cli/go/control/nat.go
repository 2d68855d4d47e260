// Routers and firewalls between nodes: NAT, NAT-PMP and packet filters.
package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"github.com/tailscale/netlink"
	"golang.org/x/sys/unix"
)

// fromInterface matches the interface on which a packet arrives or leaves.
func fromInterface(key expr.MetaKey, name string) []expr.Any {
	padded := make([]byte, unix.IFNAMSIZ)
	copy(padded, name)
	return []expr.Any{
		&expr.Meta{Key: key, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: padded},
	}
}

// replaceTable creates an nftables table with one chain, or replaces its rules.
func replaceTable(
	table string, kind nftables.ChainType, hook *nftables.ChainHook, priority *nftables.ChainPriority, rules ...[]expr.Any,
) error {
	connection, err := nftables.New()
	if err != nil {
		return err
	}
	owner := connection.AddTable(&nftables.Table{Family: nftables.TableFamilyIPv4, Name: table})
	chain := connection.AddChain(&nftables.Chain{Name: table, Table: owner, Type: kind, Hooknum: hook, Priority: priority})
	connection.FlushChain(chain)
	for _, rule := range rules {
		connection.AddRule(&nftables.Rule{Table: owner, Chain: chain, Exprs: rule})
	}
	return connection.Flush()
}

// masquerade NAME [hard] configures source NAT like a home router: unsolicited inbound packets are
// dropped, not rejected. A reject would create a conntrack entry and change the source port of the
// node's own packets to that peer. With `hard`, every connection gets a random port
// (endpoint-dependent mapping).
func masquerade(args []string) error {
	hard := len(args) > 1 && args[1] == "hard"
	out := append(fromInterface(expr.MetaKeyOIFNAME, args[0]), &expr.Masq{FullyRandom: hard})
	in := append(fromInterface(expr.MetaKeyIIFNAME, args[0]), &expr.Verdict{Kind: expr.VerdictDrop})
	return errors.Join(
		replaceTable("out", nftables.ChainTypeNAT, nftables.ChainHookPostrouting, nftables.ChainPriorityNATSource, out),
		replaceTable("in", nftables.ChainTypeFilter, nftables.ChainHookInput, nftables.ChainPriorityFilter, in),
	)
}

// firewall NAME drops packets that arrive on the interface unless they belong to an established
// connection. It has a separate table, so it also drops packets that another table accepts.
func firewall(args []string) error {
	answers := binaryutil.NativeEndian.PutUint32(expr.CtStateBitESTABLISHED | expr.CtStateBitRELATED)
	unsolicited := append(
		fromInterface(expr.MetaKeyIIFNAME, args[0]),
		&expr.Ct{Key: expr.CtKeySTATE, Register: 1},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4, Mask: answers, Xor: make([]byte, 4)},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: make([]byte, 4)},
		&expr.Verdict{Kind: expr.VerdictDrop},
	)
	return replaceTable("firewall", nftables.ChainTypeFilter, nftables.ChainHookInput, nftables.ChainPriorityFilter, unsolicited)
}

// toPort matches packets of a protocol by their destination port.
func toPort(protocol byte, op expr.CmpOp, port uint16) []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{protocol}},
		// The destination port.
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
		&expr.Cmp{Op: op, Register: 1, Data: binary.BigEndian.AppendUint16(nil, port)},
	}
}

// NAT-PMP (RFC 6886): port, opcodes and result codes.
const (
	pmpPort               = ":5351"
	pmpAddress            = 0
	pmpMapUDP             = 1
	pmpReply              = 128
	pmpUnsupportedVersion = 1
	pmpUnsupportedRequest = 5
	// The first port for clients that do not suggest one.
	pmpFirstPort = 20001
)

// mappings are the external ports assigned to clients.
type mappings struct {
	outer   string
	address netip.Addr
	begun   time.Time
	inner   map[uint16]netip.AddrPort
}

// natpmp NAME serves NAT-PMP for UDP. NAME is the external interface. It prints `mapped EXTERNAL
// INTERNAL SECONDS` for each mapping that it creates and `unmapped EXTERNAL` for each that it
// deletes.
func natpmp(args []string) error {
	found, err := netlink.LinkByName(args[0])
	if err != nil {
		return err
	}
	has, err := netlink.AddrList(found, netlink.FAMILY_V4)
	if err != nil || len(has) == 0 {
		return fmt.Errorf("%s has no address: %v", args[0], err)
	}
	address, _ := netip.AddrFromSlice(has[0].IP.To4())
	socket, err := net.ListenPacket("udp4", pmpPort)
	if err != nil {
		return err
	}
	given := &mappings{outer: args[0], address: address, begun: time.Now(), inner: map[uint16]netip.AddrPort{}}
	ready()
	for buffer := make([]byte, 1100); ; {
		count, from, err := socket.ReadFrom(buffer)
		if err != nil {
			return err
		}
		answer, err := given.answer(buffer[:count], from.(*net.UDPAddr).AddrPort().Addr().Unmap())
		if err != nil {
			return err
		}
		if answer != nil {
			socket.WriteTo(answer, from)
		}
	}
}

// answer returns the response to a request, or nil if the packet is not a request.
func (given *mappings) answer(request []byte, from netip.Addr) ([]byte, error) {
	if len(request) < 2 || request[1] >= pmpReply {
		return nil, nil
	}
	head := func(result uint16) []byte {
		answer := binary.BigEndian.AppendUint16([]byte{0, request[1] | pmpReply}, result)
		return binary.BigEndian.AppendUint32(answer, uint32(time.Since(given.begun).Seconds()))
	}
	switch {
	case request[0] != 0:
		return head(pmpUnsupportedVersion), nil
	case request[1] == pmpAddress:
		return append(head(0), given.address.AsSlice()...), nil
	case request[1] != pmpMapUDP || len(request) < 12:
		return head(pmpUnsupportedRequest), nil
	}
	inner := netip.AddrPortFrom(from, binary.BigEndian.Uint16(request[4:]))
	seconds := binary.BigEndian.Uint32(request[8:])
	port, err := given.assign(inner, binary.BigEndian.Uint16(request[6:]), seconds)
	answer := binary.BigEndian.AppendUint16(head(0), inner.Port())
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint16(answer, port), seconds), err
}

// assign returns a client's external port: the one it has, the one it suggests, or the next free
// one. A lifetime of 0 seconds deletes the mapping.
func (given *mappings) assign(inner netip.AddrPort, suggested uint16, seconds uint32) (uint16, error) {
	port := uint16(0)
	for external, client := range given.inner {
		if client == inner {
			port = external
		}
	}
	if seconds == 0 {
		delete(given.inner, port)
		fmt.Println("unmapped", netip.AddrPortFrom(given.address, port))
		return 0, given.updateRules()
	}
	if _, taken := given.inner[suggested]; port == 0 && suggested != 0 && !taken {
		port = suggested
	}
	if port == 0 {
		port = pmpFirstPort + uint16(len(given.inner))
	}
	given.inner[port] = inner
	err := given.updateRules()
	fmt.Println("mapped", netip.AddrPortFrom(given.address, port), inner, seconds)
	return port, err
}

// updateRules replaces the port forwarding rules.
func (given *mappings) updateRules() error {
	var rules [][]expr.Any
	for port, inner := range given.inner {
		rule := append(fromInterface(expr.MetaKeyIIFNAME, given.outer), toPort(unix.IPPROTO_UDP, expr.CmpOpEq, port)...)
		rules = append(rules, append(rule,
			&expr.Immediate{Register: 1, Data: inner.Addr().AsSlice()},
			&expr.Immediate{Register: 2, Data: binary.BigEndian.AppendUint16(nil, inner.Port())},
			&expr.NAT{Type: expr.NATTypeDestNAT, Family: unix.NFPROTO_IPV4, RegAddrMin: 1, RegProtoMin: 2},
		))
	}
	return replaceTable("natpmp", nftables.ChainTypeNAT, nftables.ChainHookPrerouting, nftables.ChainPriorityNATDest, rules...)
}
