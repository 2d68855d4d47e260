// Load generators for `bench`.
package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"time"
)

// tcpSink ADDRESS reads TCP connections to their end and then sends the number of bytes received.
func tcpSink(args []string) error {
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
		go func() {
			defer connection.Close()
			// The wrappers hide ReadFrom and WriteTo, so that the data passes through user space
			// and is not spliced.
			count, _ := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{connection}, make([]byte, 256<<10))
			fmt.Fprintln(connection, count)
		}()
	}
}

// stream ADDRESS BYTES CONNECTIONS sends bytes to a tcp-sink over parallel connections. It prints
// the number of bytes received and the seconds.
func stream(args []string) error {
	size, err := strconv.ParseInt(args[1], 10, 64)
	if err != nil {
		return err
	}
	connections, err := strconv.ParseInt(args[2], 10, 64)
	if err != nil {
		return err
	}
	each, begun, ended := size/connections, time.Now(), make(chan error)
	for range connections {
		go func() { ended <- streamOne(args[0], each) }()
	}
	for range connections {
		err = errors.Join(err, <-ended)
	}
	fmt.Println(each*connections, time.Since(begun).Seconds())
	return err
}

func streamOne(address string, size int64) error {
	connection, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		return err
	}
	defer connection.Close()
	for chunk, left := make([]byte, 256<<10), size; left > 0; {
		connection.SetWriteDeadline(time.Now().Add(2 * patience))
		count, err := connection.Write(chunk[:min(left, int64(len(chunk)))])
		if err != nil {
			return err
		}
		left -= int64(count)
	}
	if err := connection.(*net.TCPConn).CloseWrite(); err != nil {
		return err
	}
	connection.SetReadDeadline(time.Now().Add(2 * patience))
	var arrived int64
	if _, err := fmt.Fscan(connection, &arrived); err != nil {
		return err
	}
	if arrived != size {
		return fmt.Errorf("%d of %d bytes arrived", arrived, size)
	}
	return nil
}

// udpEcho ADDRESS sends every UDP packet back.
func udpEcho(args []string) error {
	socket, err := net.ListenPacket("udp", args[0])
	if err != nil {
		return err
	}
	ready()
	for buffer := make([]byte, 65536); ; {
		count, from, err := socket.ReadFrom(buffer)
		if err != nil {
			return err
		}
		if _, err := socket.WriteTo(buffer[:count], from); err != nil {
			return err
		}
	}
}

// udpFlood ADDRESS PACKETS BYTES WINDOW sends UDP packets to a udp-echo, with at most WINDOW
// packets in flight. It prints the number of bytes that came back and the seconds. It fails if more
// than 1 % of the packets are lost.
func udpFlood(args []string) error {
	var numbers [3]int
	for i := range numbers {
		number, err := strconv.Atoi(args[1+i])
		if err != nil {
			return err
		}
		numbers[i] = number
	}
	packets, size, window := numbers[0], numbers[1], numbers[2]
	connection, err := net.Dial("udp", args[0])
	if err != nil {
		return err
	}
	defer connection.Close()
	packet, sent := make([]byte, size), uint64(0)
	send := func(count int) error {
		for range count {
			sent++
			binary.BigEndian.PutUint64(packet, sent)
			if _, err := connection.Write(packet); err != nil {
				return err
			}
		}
		return nil
	}
	begun, back, lost := time.Now(), 0, 0
	if err := send(window); err != nil {
		return err
	}
	for buffer, inFlight := make([]byte, size), window; back < packets; {
		connection.SetReadDeadline(time.Now().Add(time.Second / 2))
		_, err := connection.Read(buffer)
		switch {
		case err == nil:
			back++
			err = send(1)
		case errors.Is(err, os.ErrDeadlineExceeded):
			// All packets in flight are lost.
			lost += inFlight
			err = send(inFlight)
		}
		if err != nil {
			return err
		}
		if lost > max(packets/100, 4*window) {
			return fmt.Errorf("%d packets were lost when %d of %d were back", lost, back, packets)
		}
	}
	fmt.Println(back*size, time.Since(begun).Seconds())
	return nil
}
