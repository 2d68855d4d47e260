// The restrict program sets limits of the kernel for itself and then becomes another program: `restrict LIMIT… -- PROGRAM ARGUMENT…`.
//
//	old-calls     system calls that are younger than Linux 3.10 do not exist, except those with times of 64 bits on
//	              32-bit processors, which Go chooses by the kernel's version
//	memfd=ERRNO   memfd_create fails with this number
//	memory=BYTES  the address space has this size
//	files=COUNT   there are this many file descriptors
//	size=BYTES    files have at most this size
//	open=NUMBER   this descriptor is open
//	closed=NUMBER this descriptor is closed
//	fixed-code    memory that was writable never becomes executable (Linux 6.3)
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"unsafe"
)

// System calls of a processor: the last of Linux 3.10, the first and last with times of 64 bits, the first that is not in the
// common table, and memfd_create. On MIPS the numbers of resources differ too.
type calls struct {
	last, times, lastTimes, private, memfd uint32
	files, memory                          int
}

var table = map[string]calls{
	"amd64":  {313, 1, 0, 0x40000000, 319, 7, 9},
	"arm":    {379, 403, 423, 0xf0000, 385, 7, 9},
	"arm64":  {273, 1, 0, 0x40000000, 279, 7, 9},
	"mipsle": {4348, 4403, 4423, 0x40000000, 4354, 5, 6},
}

const (
	load   = 0x20 // BPF_LD | BPF_W | BPF_ABS
	equal  = 0x15 // BPF_JMP | BPF_JEQ | BPF_K
	above  = 0x25 // BPF_JMP | BPF_JGT | BPF_K
	end    = 0x06 // BPF_RET | BPF_K
	allow  = 0x7fff0000
	answer = 0x00050000

	setNoNewPrivileges = 38
	setSeccomp         = 22
	setMDWE            = 65
)

func prctl(option, a, b uintptr) {
	if _, _, errno := syscall.RawSyscall6(syscall.SYS_PRCTL, option, a, b, 0, 0, 0); errno != 0 {
		fail(fmt.Sprintf("prctl %d: %v", option, errno))
	}
}

// Installs a filter for this thread, which is the one that calls exec.
func filter(program []syscall.SockFilter) {
	prctl(setNoNewPrivileges, 1, 0)
	description := syscall.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	prctl(setSeccomp, 2, uintptr(unsafe.Pointer(&description)))
}

func limit(kind int, value string) {
	number, err := strconv.ParseUint(value, 10, 63)
	if err != nil {
		fail(err.Error())
	}
	if err := syscall.Setrlimit(kind, &syscall.Rlimit{Cur: number, Max: number}); err != nil {
		fail(err.Error())
	}
}

// Opens a descriptor, which the other program inherits, or closes it.
func setDescriptor(number int, open bool) {
	if !open {
		syscall.Close(number)
		return
	}
	null, err := syscall.Open("/dev/null", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err == nil {
		err = syscall.Dup3(null, number, 0)
	}
	if err != nil {
		fail(err.Error())
	}
}

func fail(message string) {
	fmt.Fprintln(os.Stderr, "restrict:", message)
	os.Exit(125)
}

func main() {
	runtime.LockOSThread()
	numbers := table[runtime.GOARCH]
	arguments := os.Args[1:]
	var limits []func()
	for ; len(arguments) > 0 && arguments[0] != "--"; arguments = arguments[1:] {
		name, value, _ := strings.Cut(arguments[0], "=")
		switch name {
		case "old-calls":
			limits = append(limits, func() {
				filter([]syscall.SockFilter{
					{Code: load},
					{Code: above, K: numbers.last, Jt: 0, Jf: 3},
					{Code: above, K: numbers.private - 1, Jt: 2, Jf: 0},
					{Code: above, K: numbers.times - 1, Jt: 0, Jf: 2},
					{Code: above, K: numbers.lastTimes, Jt: 1, Jf: 0},
					{Code: end, K: allow},
					{Code: end, K: answer | uint32(syscall.ENOSYS)},
				})
			})
		case "memfd":
			number, _ := strconv.Atoi(value)
			limits = append(limits, func() {
				filter([]syscall.SockFilter{
					{Code: load},
					{Code: equal, K: numbers.memfd, Jt: 0, Jf: 1},
					{Code: end, K: answer | uint32(number)},
					{Code: end, K: allow},
				})
			})
		case "memory":
			limits = append(limits, func() { limit(numbers.memory, value) })
		case "files":
			limits = append(limits, func() { limit(numbers.files, value) })
		case "size":
			const fileSize = 1
			limits = append(limits, func() { limit(fileSize, value) })
		case "open", "closed":
			number, _ := strconv.Atoi(value)
			limits = append(limits, func() { setDescriptor(number, name == "open") })
		case "fixed-code":
			limits = append(limits, func() { prctl(setMDWE, 1, 0) })
		default:
			fail("no such limit: " + name)
		}
	}
	if len(arguments) < 2 {
		fail("no program")
	}
	for _, set := range limits {
		set()
	}
	fail(syscall.Exec(arguments[1], arguments[1:], os.Environ()).Error())
}
