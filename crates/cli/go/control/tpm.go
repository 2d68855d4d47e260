// A TPM made of software, for a host whose kernel has none.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// The entries of /dev that a daemon needs.
var devices = []string{"null", "zero", "random", "urandom", "net/tun", "ptmx", "pts"}

// tpm SWTPM FOLDER runs swtpm with its state in a folder and makes it /dev/tpmrm0 of this mount namespace. Daemons open
// only devices, so it is a terminal: its bytes go to swtpm and back unchanged.
func tpm(args []string) error {
	chip, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return err
	}
	if err := unix.IoctlSetPointerInt(int(chip.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		return err
	}
	number, err := unix.IoctlGetInt(int(chip.Fd()), unix.TIOCGPTN)
	if err != nil {
		return err
	}
	path := fmt.Sprintf("/dev/pts/%d", number)
	// It stays open, because a terminal hangs up with its last user.
	terminal, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return err
	}
	raw := unix.Termios{Cflag: unix.CS8 | unix.CREAD}
	raw.Cc[unix.VMIN] = 1
	if err := unix.IoctlSetTermios(int(terminal.Fd()), unix.TCSETS, &raw); err != nil {
		return err
	}
	if err := os.MkdirAll(args[1], 0o700); err != nil {
		return err
	}
	swtpm := exec.Command(args[0], "chardev", "--tpm2", "--fd", "3", "--tpmstate", "dir="+args[1],
		"--flags", "not-need-init,startup-clear")
	swtpm.ExtraFiles = []*os.File{chip}
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
	return swtpm.Wait()
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
	return unix.Mount(device, target, "", unix.MS_BIND, "")
}
