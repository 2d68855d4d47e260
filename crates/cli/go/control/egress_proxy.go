// The egress proxy to an external control server, the only egress from the test network.
// `egress-proxy` runs inside: it redirects connections to itself and reads the hostname from their
// first bytes. `egress-dial` runs outside: it connects to allowed hostnames only.
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

// The port that connections are redirected to.
const proxyPort = 9912

// proxy SOCKET intercepts every TCP connection through this namespace, except DNS, and forwards it
// to the Unix socket: a line `NAME PORT`, followed by the data. The name comes from TLS (SNI) or
// HTTP (Host). If neither is present, it is the destination address. Other protocols are not
// forwarded.
func proxy(args []string) error {
	all := append(
		toPort(unix.IPPROTO_TCP, expr.CmpOpNeq, 53),
		&expr.Immediate{Register: 1, Data: binary.BigEndian.AppendUint16(nil, proxyPort)},
		&expr.Redir{RegisterProtoMin: 1},
	)
	err := replaceTable("egress-proxy", nftables.ChainTypeNAT, nftables.ChainHookPrerouting, nftables.ChainPriorityNATDest, all)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp4", fmt.Sprint(":", proxyPort))
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
			if err := forward(connection.(*net.TCPConn), args[0]); err != nil {
				connection.Close()
				fmt.Fprintln(os.Stderr, err)
			}
		}()
	}
}

func forward(connection *net.TCPConn, socket string) error {
	address, port, err := originalDst(connection)
	if err != nil {
		return err
	}
	connection.SetReadDeadline(time.Now().Add(2 * patience))
	name, sniffed := sniffHostname(connection)
	connection.SetReadDeadline(time.Time{})
	if name == "" {
		name = address
	}
	out, err := net.Dial("unix", socket)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s %d\n", name, port)
	if _, err := out.Write(sniffed); err != nil {
		return err
	}
	pipe(connection, connection, out.(*net.UnixConn), out)
	return nil
}

// originalDst returns the destination before the redirect. The kernel returns a sockaddr_in, which
// is read through GetsockoptIPv6Mreq because its structure is at least as large.
func originalDst(connection *net.TCPConn) (string, int, error) {
	raw, err := connection.SyscallConn()
	if err != nil {
		return "", 0, err
	}
	var found *unix.IPv6Mreq
	const soOriginalDst = 80
	if failed := raw.Control(func(handle uintptr) {
		found, err = unix.GetsockoptIPv6Mreq(int(handle), unix.SOL_IP, soOriginalDst)
	}); failed != nil || err != nil {
		return "", 0, errors.Join(failed, err)
	}
	return net.IP(found.Multiaddr[4:8]).String(), int(binary.BigEndian.Uint16(found.Multiaddr[2:4])), nil
}

// readOnlyConn is a connection that discards writes.
type readOnlyConn struct {
	net.Conn
	from io.Reader
}

func (c readOnlyConn) Read(buffer []byte) (int, error)  { return c.from.Read(buffer) }
func (c readOnlyConn) Write(buffer []byte) (int, error) { return 0, io.ErrClosedPipe }

// sniffHostname reads the TLS or HTTP hostname and returns it with all bytes that it has read.
func sniffHostname(connection net.Conn) (string, []byte) {
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
	tls.Server(readOnlyConn{connection, buffered}, settings).Handshake()
	return name, read.Bytes()
}

// halfCloser is a connection whose sending side can be closed separately.
type halfCloser interface {
	io.Writer
	CloseWrite() error
}

// pipe copies in both directions until both are closed.
func pipe(a halfCloser, fromA io.ReadCloser, b halfCloser, fromB io.ReadCloser) {
	var both sync.WaitGroup
	both.Go(func() { io.Copy(b, fromA); b.CloseWrite() })
	both.Go(func() { io.Copy(a, fromB); a.CloseWrite() })
	both.Wait()
	fromA.Close()
	fromB.Close()
}

// dialAllowed SOCKET ALLOWED connects to the destinations of an egress-proxy that the file ALLOWED
// lists: `NAME PORT`, or `NAME PORT HOST` to connect to another host. It prints the result once for
// each destination.
func dialAllowed(args []string) error {
	listener, err := net.Listen("unix", args[0])
	if err != nil {
		return err
	}
	ready()
	var lock sync.Mutex
	printed := map[string]bool{}
	printOnce := func(line string) {
		lock.Lock()
		defer lock.Unlock()
		if !printed[line] {
			printed[line] = true
			fmt.Println(line)
		}
	}
	for {
		inner, err := listener.Accept()
		if err != nil {
			return err
		}
		go func() {
			if err := serveDial(inner.(*net.UnixConn), args[1], printOnce); err != nil {
				inner.Close()
			}
		}()
	}
}

func serveDial(inner *net.UnixConn, allowed string, printOnce func(string)) error {
	buffered := bufio.NewReader(inner)
	line, err := buffered.ReadString('\n')
	if err != nil {
		return err
	}
	name, port, _ := strings.Cut(strings.TrimSpace(line), " ")
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return err
	}
	host, err := allowedHost(allowed, name, port)
	if err != nil || host == "" {
		printOnce(fmt.Sprintf("refused %s:%s", name, port))
		return errors.Join(err, io.EOF)
	}
	out, err := net.DialTimeout("tcp", net.JoinHostPort(host, port), 2*patience)
	if err != nil {
		printOnce(fmt.Sprintf("failed %s:%s: %v", name, port, err))
		return err
	}
	printOnce(fmt.Sprintf("reached %s:%s", name, port))
	read := struct {
		io.Reader
		io.Closer
	}{buffered, inner}
	pipe(inner, read, out.(*net.TCPConn), out)
	return nil
}

// allowedHost returns the host to connect to for a name and a port, or "" if they are not allowed.
func allowedHost(file, name, port string) (string, error) {
	text, err := os.ReadFile(file)
	for _, line := range strings.Split(string(text), "\n") {
		fields := append(strings.Fields(line), name)
		if len(fields) > 2 && fields[0] == name && fields[1] == port {
			return fields[2], nil
		}
	}
	return "", err
}
