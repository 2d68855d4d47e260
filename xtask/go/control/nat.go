// What routers and firewalls do between nodes: translate addresses, give ports away when asked, drop what comes unasked.
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

// fromInterface is the part of a rule that looks where a packet came in, or where it leaves.
func fromInterface(key expr.MetaKey, name string) []expr.Any {
	padded := make([]byte, unix.IFNAMSIZ)
	copy(padded, name)
	return []expr.Any{
		&expr.Meta{Key: key, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: padded},
	}
}

// write lays a table of one chain down, in the place of what it was.
func write(
	table string, kind nftables.ChainType, hook *nftables.ChainHook, priority *nftables.ChainPriority, rules ...[]expr.Any,
) error {
	connection, err := nftables.New()
	if err != nil {
		return err
	}
	of := connection.AddTable(&nftables.Table{Family: nftables.TableFamilyIPv4, Name: table})
	chain := connection.AddChain(&nftables.Chain{Name: table, Table: of, Type: kind, Hooknum: hook, Priority: priority})
	connection.FlushChain(chain)
	for _, rule := range rules {
		connection.AddRule(&nftables.Rule{Table: of, Chain: chain, Exprs: rule})
	}
	return connection.Flush()
}

// masquerade NAME [hard] makes this namespace a NAT, as routers at home are: what leaves through the interface has its
// address, and what comes in by itself is dropped. Were it answered, the kernel would count it as a connection of its
// own, and a node's packets to the same peer would leave from another port than the one that the peer was told. A hard
// one gives every connection another port, so what one peer learns of it is of no use to another.
func masquerade(args []string) error {
	hard := len(args) > 1 && args[1] == "hard"
	out := append(fromInterface(expr.MetaKeyOIFNAME, args[0]), &expr.Masq{FullyRandom: hard})
	in := append(fromInterface(expr.MetaKeyIIFNAME, args[0]), &expr.Verdict{Kind: expr.VerdictDrop})
	return errors.Join(
		write("out", nftables.ChainTypeNAT, nftables.ChainHookPostrouting, nftables.ChainPriorityNATSource, out),
		write("in", nftables.ChainTypeFilter, nftables.ChainHookInput, nftables.ChainPriorityFilter, in),
	)
}

// firewall NAME drops what comes in through the interface unless it answers something that was sent. It is a table of its
// own, so what another table accepts is dropped here all the same.
func firewall(args []string) error {
	answers := binaryutil.NativeEndian.PutUint32(expr.CtStateBitESTABLISHED | expr.CtStateBitRELATED)
	unasked := append(
		fromInterface(expr.MetaKeyIIFNAME, args[0]),
		&expr.Ct{Key: expr.CtKeySTATE, Register: 1},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4, Mask: answers, Xor: make([]byte, 4)},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: make([]byte, 4)},
		&expr.Verdict{Kind: expr.VerdictDrop},
	)
	return write("firewall", nftables.ChainTypeFilter, nftables.ChainHookInput, nftables.ChainPriorityFilter, unasked)
}

// toPort is the part of a rule that looks for packets of a protocol, and whether they go to a port.
func toPort(protocol byte, op expr.CmpOp, port uint16) []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{protocol}},
		// The port of the destination.
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
		&expr.Cmp{Op: op, Register: 1, Data: binary.BigEndian.AppendUint16(nil, port)},
	}
}

// What NAT-PMP says (RFC 6886): its port, its requests, and how they can fail.
const (
	pmpPort               = ":5351"
	pmpAddress            = 0
	pmpMapUDP             = 1
	pmpReply              = 128
	pmpUnsupportedVersion = 1
	pmpUnsupportedRequest = 5
	// The first port that is given to who wishes for none.
	pmpFirstPort = 20001
)

// The ports that were given away, and the rules that lead from them to who asked.
type mappings struct {
	outer   string
	address netip.Addr
	begun   time.Time
	inner   map[uint16]netip.AddrPort
}

// natpmp NAME answers NAT-PMP for the hosts behind this namespace, whose interface to the outside that is, and leads
// packets from the ports that it gave away to them. It prints `mapped OUTSIDE INSIDE SECONDS` for each, and `unmapped
// OUTSIDE`. Of protocols there is UDP alone.
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

// answer is what a request gets; nothing where it is none.
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
	port, err := given.give(inner, binary.BigEndian.Uint16(request[6:]), seconds)
	answer := binary.BigEndian.AppendUint16(head(0), inner.Port())
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint16(answer, port), seconds), err
}

// give finds the port of one who asks: the one that it has, the one that it wishes for, or the next; for no seconds it is
// taken away.
func (given *mappings) give(inner netip.AddrPort, wished uint16, seconds uint32) (uint16, error) {
	port := uint16(0)
	for has, of := range given.inner {
		if of == inner {
			port = has
		}
	}
	if seconds == 0 {
		delete(given.inner, port)
		fmt.Println("unmapped", netip.AddrPortFrom(given.address, port))
		return 0, given.lead()
	}
	if _, taken := given.inner[wished]; port == 0 && wished != 0 && !taken {
		port = wished
	}
	if port == 0 {
		port = pmpFirstPort + uint16(len(given.inner))
	}
	given.inner[port] = inner
	err := given.lead()
	fmt.Println("mapped", netip.AddrPortFrom(given.address, port), inner, seconds)
	return port, err
}

// lead writes the rules anew.
func (given *mappings) lead() error {
	var rules [][]expr.Any
	for port, inner := range given.inner {
		rule := append(fromInterface(expr.MetaKeyIIFNAME, given.outer), toPort(unix.IPPROTO_UDP, expr.CmpOpEq, port)...)
		rules = append(rules, append(rule,
			&expr.Immediate{Register: 1, Data: inner.Addr().AsSlice()},
			&expr.Immediate{Register: 2, Data: binary.BigEndian.AppendUint16(nil, inner.Port())},
			&expr.NAT{Type: expr.NATTypeDestNAT, Family: unix.NFPROTO_IPV4, RegAddrMin: 1, RegProtoMin: 2},
		))
	}
	return write("natpmp", nftables.ChainTypeNAT, nftables.ChainHookPrerouting, nftables.ChainPriorityNATDest, rules...)
}
