// Load: traffic that is counted and timed, for `bench`.
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

// sink ADDRESS takes what comes over TCP, and tells the sender at the end how many bytes that were.
func sink(args []string) error {
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
			// What is wrapped is read through our buffer, as any program reads: no splice takes the kernel's short cut.
			count, _ := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{connection}, make([]byte, 256<<10))
			fmt.Fprintln(connection, count)
		}()
	}
}

// stream ADDRESS BYTES CONNECTIONS sends so many bytes to a sink over so many connections, and prints how many arrived
// and in how many seconds.
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

// bounce ADDRESS gives back every UDP packet that it gets.
func bounce(args []string) error {
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

// volley ADDRESS PACKETS BYTES WINDOW has a bounce give back so many UDP packets of so many bytes, with as many as the
// window on their way at a time, and prints how many bytes came back and in how many seconds. One in a hundred may be lost.
func volley(args []string) error {
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
	for buffer, onTheWay := make([]byte, size), window; back < packets; {
		connection.SetReadDeadline(time.Now().Add(time.Second / 2))
		_, err := connection.Read(buffer)
		switch {
		case err == nil:
			back++
			err = send(1)
		case errors.Is(err, os.ErrDeadlineExceeded):
			// None of those comes any more.
			lost += onTheWay
			err = send(onTheWay)
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
