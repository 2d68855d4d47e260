// The one way out of a world, to another control server: connections are taken inside, named by what they ask for, and
// made outside, to those names alone.
package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// Where the gate takes connections.
const gatePort = 9912

// gate SOCKET takes every TCP connection that hosts make through this namespace, wherever it goes, and hands it over to
// who listens on the socket: a line `NAME PORT`, then what is sent. The name is the one that TLS or HTTP asks for, or
// the address where neither names one. Questions for names are answered here, and other protocols go nowhere.
func gate(args []string) error {
	all := append(
		toPort(unix.IPPROTO_TCP, expr.CmpOpNeq, 53),
		&expr.Immediate{Register: 1, Data: binary.BigEndian.AppendUint16(nil, gatePort)},
		&expr.Redir{RegisterProtoMin: 1},
	)
	err := write("gate", nftables.ChainTypeNAT, nftables.ChainHookPrerouting, nftables.ChainPriorityNATDest, all)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp4", fmt.Sprint(":", gatePort))
	if err != nil {
		return err
	}
	ready()
	for {
		connection, err := listener.Accept()
		if err != nil {
			return err
		}
		go func() {
			if err := handOver(connection.(*net.TCPConn), args[0]); err != nil {
				connection.Close()
				fmt.Fprintln(os.Stderr, err)
			}
		}()
	}
}

func handOver(connection *net.TCPConn, socket string) error {
	address, port, err := wanted(connection)
	if err != nil {
		return err
	}
	connection.SetReadDeadline(time.Now().Add(2 * patience))
	name, begun := asked(connection)
	connection.SetReadDeadline(time.Time{})
	if name == "" {
		name = address
	}
	out, err := net.Dial("unix", socket)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s %d\n", name, port)
	if _, err := out.Write(begun); err != nil {
		return err
	}
	splice(connection, connection, out.(*net.UnixConn), out)
	return nil
}

// wanted is where a connection was going before it was redirected. The kernel gives a sockaddr_in, which the wrapper for
// another structure of 20 bytes or more takes.
func wanted(connection *net.TCPConn) (string, int, error) {
	raw, err := connection.SyscallConn()
	if err != nil {
		return "", 0, err
	}
	var found *unix.IPv6Mreq
	const originalDestination = 80
	if failed := raw.Control(func(handle uintptr) {
		found, err = unix.GetsockoptIPv6Mreq(int(handle), unix.SOL_IP, originalDestination)
	}); failed != nil || err != nil {
		return "", 0, errors.Join(failed, err)
	}
	return net.IP(found.Multiaddr[4:8]).String(), int(binary.BigEndian.Uint16(found.Multiaddr[2:4])), nil
}

// unanswered is a connection from which is read and to which nothing is written.
type unanswered struct {
	net.Conn
	from io.Reader
}

func (one unanswered) Read(buffer []byte) (int, error)  { return one.from.Read(buffer) }
func (one unanswered) Write(buffer []byte) (int, error) { return 0, io.ErrClosedPipe }

// asked reads as much as it takes to know which name is asked for; gives that and what was read.
func asked(connection net.Conn) (string, []byte) {
	var read bytes.Buffer
	buffered := bufio.NewReader(io.TeeReader(connection, &read))
	const tlsHandshake = 22
	if first, err := buffered.Peek(1); err != nil || first[0] != tlsHandshake {
		request, err := http.ReadRequest(buffered)
		if err != nil {
			return "", read.Bytes()
		}
		host, _, err := net.SplitHostPort(request.Host)
		if err != nil {
			host = request.Host
		}
		return host, read.Bytes()
	}
	var name string
	settings := &tls.Config{GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		name = hello.ServerName
		return nil, io.EOF
	}}
	tls.Server(unanswered{connection, buffered}, settings).Handshake()
	return name, read.Bytes()
}

// One end of a connection, whose sending side is closed by itself.
type half interface {
	io.Writer
	CloseWrite() error
}

// splice copies both ways until both are done.
func splice(one half, fromOne io.ReadCloser, other half, fromOther io.ReadCloser) {
	var both sync.WaitGroup
	for _, way := range []func(){
		func() { io.Copy(other, fromOne); other.CloseWrite() },
		func() { io.Copy(one, fromOther); one.CloseWrite() },
	} {
		both.Go(way)
	}
	both.Wait()
	fromOne.Close()
	fromOther.Close()
}

// dial SOCKET ALLOWED makes connections for a gate, to what the file allows: `NAME PORT`, or `NAME PORT HOST` where the
// machine knows it by another name. It prints once for each what it did with it.
func dial(args []string) error {
	listener, err := net.Listen("unix", args[0])
	if err != nil {
		return err
	}
	ready()
	var lock sync.Mutex
	told := map[string]bool{}
	tell := func(line string) {
		lock.Lock()
		defer lock.Unlock()
		if !told[line] {
			told[line] = true
			fmt.Println(line)
		}
	}
	for {
		inner, err := listener.Accept()
		if err != nil {
			return err
		}
		go func() {
			if err := dialFor(inner.(*net.UnixConn), args[1], tell); err != nil {
				inner.Close()
			}
		}()
	}
}

func dialFor(inner *net.UnixConn, allowed string, tell func(string)) error {
	buffered := bufio.NewReader(inner)
	line, err := buffered.ReadString('\n')
	if err != nil {
		return err
	}
	name, port, _ := strings.Cut(strings.TrimSpace(line), " ")
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return err
	}
	host, err := allows(allowed, name, port)
	if err != nil || host == "" {
		tell(fmt.Sprintf("refused %s:%s", name, port))
		return errors.Join(err, io.EOF)
	}
	out, err := net.DialTimeout("tcp", net.JoinHostPort(host, port), 2*patience)
	if err != nil {
		tell(fmt.Sprintf("failed %s:%s: %v", name, port, err))
		return err
	}
	tell(fmt.Sprintf("reached %s:%s", name, port))
	read := struct {
		io.Reader
		io.Closer
	}{buffered, inner}
	splice(inner, read, out.(*net.TCPConn), out)
	return nil
}

// allows is the host by which the machine knows a name that is allowed on that port.
func allows(file, name, port string) (string, error) {
	text, err := os.ReadFile(file)
	for _, line := range strings.Split(string(text), "\n") {
		words := append(strings.Fields(line), name)
		if len(words) > 2 && words[0] == name && words[1] == port {
			return words[2], nil
		}
	}
	return "", err
}
