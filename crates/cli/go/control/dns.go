// A DNS server that logs its queries.
package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// zone maps names to addresses. `*` matches all other names.
type zone struct {
	addresses map[string]netip.Addr
	lock      sync.Mutex
	logged    map[string]bool
}

// dns IP NAME=ADDRESS… serves DNS on UDP and TCP. It prints `NAME CLIENT` once for each queried
// name and client.
func dns(args []string) error {
	known := &zone{addresses: map[string]netip.Addr{}, logged: map[string]bool{}}
	for _, pair := range args[1:] {
		name, text, _ := strings.Cut(pair, "=")
		address, err := netip.ParseAddr(text)
		if err != nil {
			return err
		}
		known.addresses[name] = address
	}
	at := net.JoinHostPort(args[0], "53")
	packets, err := net.ListenPacket("udp", at)
	if err != nil {
		return err
	}
	streams, err := net.Listen("tcp", at)
	if err != nil {
		return err
	}
	ready()
	go known.overTCP(streams)
	for buffer := make([]byte, 4096); ; {
		count, from, err := packets.ReadFrom(buffer)
		if err != nil {
			return err
		}
		if answer, err := known.answer(buffer[:count], from); err == nil {
			packets.WriteTo(answer, from)
		}
	}
}

func (known *zone) overTCP(listener net.Listener) {
	for {
		connection, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer connection.Close()
			for {
				var length uint16
				if binary.Read(connection, binary.BigEndian, &length) != nil {
					return
				}
				question := make([]byte, length)
				if _, err := io.ReadFull(connection, question); err != nil {
					return
				}
				answer, err := known.answer(question, connection.RemoteAddr())
				if err != nil {
					return
				}
				connection.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...))
			}
		}()
	}
}

func (known *zone) answer(packet []byte, from net.Addr) ([]byte, error) {
	var parser dnsmessage.Parser
	header, err := parser.Start(packet)
	if err != nil {
		return nil, err
	}
	question, err := parser.Question()
	if err != nil {
		return nil, err
	}
	name := strings.ToLower(strings.TrimSuffix(question.Name.String(), "."))
	host, _, _ := net.SplitHostPort(from.String())
	known.logOnce(name + " " + host)
	address, ok := known.addresses[name]
	if !ok {
		address, ok = known.addresses["*"]
	}
	code := dnsmessage.RCodeSuccess
	if !ok {
		code = dnsmessage.RCodeNameError
	}
	builder := dnsmessage.NewBuilder(nil, dnsmessage.Header{
		ID: header.ID, Response: true, RCode: code, RecursionDesired: header.RecursionDesired, RecursionAvailable: true,
	})
	builder.StartQuestions()
	builder.Question(question)
	builder.StartAnswers()
	resource := dnsmessage.ResourceHeader{Name: question.Name, Class: dnsmessage.ClassINET, TTL: 1}
	if ok && address.Is4() && question.Type == dnsmessage.TypeA {
		builder.AResource(resource, dnsmessage.AResource{A: address.As4()})
	}
	if ok && address.Is6() && question.Type == dnsmessage.TypeAAAA {
		builder.AAAAResource(resource, dnsmessage.AAAAResource{AAAA: address.As16()})
	}
	return builder.Finish()
}

func (known *zone) logOnce(line string) {
	known.lock.Lock()
	defer known.lock.Unlock()
	if !known.logged[line] {
		known.logged[line] = true
		fmt.Println(line)
	}
}

// forwardDNS IP serves DNS over UDP as the resolver of a network does: each query goes to the first server in
// /etc/resolv.conf.
func forwardDNS(args []string) error {
	packets, err := net.ListenPacket("udp", net.JoinHostPort(args[0], "53"))
	if err != nil {
		return err
	}
	ready()
	for {
		query := make([]byte, 4096)
		count, from, err := packets.ReadFrom(query)
		if err != nil {
			return err
		}
		go func() {
			if answer, err := askConfigured(query[:count]); err == nil {
				packets.WriteTo(answer, from)
			} else {
				fmt.Println(err)
			}
		}()
	}
}

// askConfigured sends a query to the first server in /etc/resolv.conf and returns the answer.
func askConfigured(query []byte) ([]byte, error) {
	text, err := os.ReadFile("/etc/resolv.conf")
	if err != nil {
		return nil, err
	}
	_, after, _ := strings.Cut("\n"+string(text), "\nnameserver ")
	server, _, _ := strings.Cut(after, "\n")
	connection, err := net.Dial("udp", net.JoinHostPort(strings.TrimSpace(server), "53"))
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	connection.SetDeadline(time.Now().Add(patience))
	if _, err := connection.Write(query); err != nil {
		return nil, err
	}
	answer := make([]byte, 4096)
	count, err := connection.Read(answer)
	return answer[:count], err
}
