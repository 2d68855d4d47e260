// A TPM made of software, for a host whose kernel has none.
package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// The entries of /dev that a daemon needs.
var devices = []string{"null", "zero", "random", "urandom", "net/tun", "pts"}

// tpm SWTPM FOLDER runs swtpm with its state in a folder and makes it /dev/tpmrm0 of this mount namespace. Daemons open
// only devices, so it is a terminal, whose bytes are passed on unchanged.
func tpm(args []string) error {
	terminal, path, err := rawTerminal()
	if err != nil {
		return err
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "tpm"), os.NewFile(uintptr(pair[1]), "swtpm")
	if err := os.MkdirAll(args[1], 0o700); err != nil {
		return err
	}
	swtpm := exec.Command(args[0], "chardev", "--tpm2", "--fd", "3", "--tpmstate", "dir="+args[1],
		"--flags", "not-need-init,startup-clear")
	swtpm.ExtraFiles = []*os.File{theirs}
	swtpm.Stdout, swtpm.Stderr = os.Stderr, os.Stderr
	// It ends with this program.
	swtpm.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := swtpm.Start(); err != nil {
		return err
	}
	if err := mountDevice(path, args[1]+".dev"); err != nil {
		return err
	}
	ready()
	for command := make([]byte, 4096); ; {
		count, err := terminal.Read(command)
		if err != nil {
			return err
		}
		answer, err := managed(ours, command[:count])
		if err != nil {
			return err
		}
		if _, err := terminal.Write(answer); err != nil {
			return err
		}
	}
}

// rawTerminal opens a pseudo-terminal that changes no byte. It returns our side and the path of the other one.
func rawTerminal() (*os.File, string, error) {
	terminal, err := os.OpenFile("/dev/pts/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, "", err
	}
	if err := unix.IoctlSetPointerInt(int(terminal.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		return nil, "", err
	}
	number, err := unix.IoctlGetInt(int(terminal.Fd()), unix.TIOCGPTN)
	if err != nil {
		return nil, "", err
	}
	path := fmt.Sprintf("/dev/pts/%d", number)
	// It stays open as long as this program runs, because a terminal hangs up with its last user.
	other, err := unix.Open(path, unix.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, "", err
	}
	raw := unix.Termios{Cflag: unix.CS8 | unix.CREAD}
	raw.Cc[unix.VMIN] = 1
	return terminal, path, unix.IoctlSetTermios(other, unix.TCSETS, &raw)
}

// The codes of TPM 2.0, part 2 of its specification.
const (
	withoutSessions = 0x8001
	flushContext    = 0x165
	getCapability   = 0x17a
	objectMemory    = 0x902
	handles         = 1
	firstTransient  = 0x80000000
)

// managed sends a command as the kernel's resource manager does: if the memory of the TPM is full, the objects that the command
// does not name make room. Only the kernel's own saves them; daemons that close the device do not return to them.
func managed(chip *os.File, command []byte) ([]byte, error) {
	answer, err := exchange(chip, command)
	if err != nil || binary.BigEndian.Uint32(answer[6:]) != objectMemory {
		return answer, err
	}
	list, err := exchange(chip, tpmCommand(getCapability, handles, firstTransient, 64))
	if err != nil {
		return nil, err
	}
	// After the header: a byte, the capability and the number of handles.
	for at := 10 + 1 + 4 + 4; at+4 <= len(list); at += 4 {
		if handle := list[at : at+4]; !bytes.Equal(handle, command[10:14]) {
			if _, err := exchange(chip, tpmCommand(flushContext, binary.BigEndian.Uint32(handle))); err != nil {
				return nil, err
			}
		}
	}
	return exchange(chip, command)
}

// tpmCommand makes a command whose parameters are 32-bit numbers.
func tpmCommand(code uint32, parameters ...uint32) []byte {
	command := binary.BigEndian.AppendUint16(nil, withoutSessions)
	command = binary.BigEndian.AppendUint32(command, uint32(10+4*len(parameters)))
	for _, number := range append([]uint32{code}, parameters...) {
		command = binary.BigEndian.AppendUint32(command, number)
	}
	return command
}

// exchange sends one command to the TPM and returns the answer.
func exchange(chip *os.File, command []byte) ([]byte, error) {
	if _, err := chip.Write(command); err != nil {
		return nil, err
	}
	answer := make([]byte, 10, 4096)
	if _, err := io.ReadFull(chip, answer); err != nil {
		return nil, err
	}
	size := int(binary.BigEndian.Uint32(answer[2:]))
	if size < len(answer) || size > cap(answer) {
		return nil, fmt.Errorf("an answer of %d bytes", size)
	}
	answer = answer[:size]
	_, err := io.ReadFull(chip, answer[10:])
	return answer, err
}

// mountDevice makes a device /dev/tpmrm0. The first time it replaces /dev by a folder with few entries, because the machine's
// own must not change.
func mountDevice(device, folder string) error {
	const target = "/dev/tpmrm0"
	if _, err := os.Stat(target); err != nil {
		for _, name := range append(devices, filepath.Base(target)) {
			from, at := filepath.Join("/dev", name), filepath.Join(folder, name)
			if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
				return err
			}
			info, err := os.Stat(from)
			if err == nil && info.IsDir() {
				err = os.Mkdir(at, 0o755)
			} else {
				err = os.WriteFile(at, nil, 0o600)
			}
			if err != nil {
				return err
			}
			if name == filepath.Base(target) {
				continue
			}
			if err := unix.Mount(from, at, "", unix.MS_BIND, ""); err != nil {
				return fmt.Errorf("binding %s: %w", from, err)
			}
		}
		if err := unix.Mount(folder, "/dev", "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
			return err
		}
	}
	// The TPM before it is gone, and nothing can be mounted over a file that is gone.
	unix.Unmount(target, unix.MNT_DETACH)
	return unix.Mount(device, target, "", unix.MS_BIND, "")
}
