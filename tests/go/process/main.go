// The process program prints what the kernel gave it: arguments, environment, auxiliary vector, the file that it is, its mappings
// and descriptors. Its binary is run as linked and packed; what it prints must be the same, but for the packer's own mappings and
// the descriptor of its shared copy.
//
//	wait           goes on until its standard input ends
//	plant-same     before, replaces the descriptor of its shared copy by one of the same bytes, sealed
//	plant-unsealed the same without seals
//	plant-other    the same, sealed, with one byte changed
package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"syscall"
	"unsafe"
)

// The auxiliary vector as the runtime read it.
//
//go:linkname getAuxv runtime.getAuxv
func getAuxv() []uintptr

// Descriptors by number, and those among them that are a shared copy of execpack.
func descriptors() (all, copies []string) {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		fmt.Println("descriptors", err)
	}
	for _, entry := range entries {
		target, err := os.Readlink("/proc/self/fd/" + entry.Name())
		if strings.HasPrefix(target, "/memfd:execpack") {
			copies = append(copies, entry.Name())
		} else if err == nil && !strings.HasSuffix(target, "/fd") {
			all = append(all, entry.Name())
		}
	}
	return all, copies
}

var memfdCreate = map[string]uintptr{"amd64": 319, "arm": 385, "arm64": 279, "mipsle": 4354}

// Puts other memory in the place of the shared copy's descriptor.
func plant(kind string) error {
	_, copies := descriptors()
	if len(copies) != 1 {
		return fmt.Errorf("%d copies", len(copies))
	}
	file, err := os.Open("/proc/self/fd/" + copies[0])
	if err != nil {
		return err
	}
	bytes, err := io.ReadAll(file)
	if err != nil {
		return err
	}
	file.Close()
	var number int
	fmt.Sscan(copies[0], &number)
	syscall.Close(number)
	if kind == "other" {
		bytes[len(bytes)/2] ^= 1
	}
	name, _ := syscall.BytePtrFromString("execpack")
	const closeOnExec, allowSealing = 1, 2
	memory, _, errno := syscall.Syscall(memfdCreate[runtime.GOARCH], uintptr(unsafe.Pointer(name)), closeOnExec|allowSealing, 0)
	if errno != 0 {
		return errno
	}
	if _, err := syscall.Write(int(memory), bytes); err != nil {
		return err
	}
	if kind == "unsealed" {
		return nil
	}
	const addSeals, allSeals = 1033, 15
	if _, _, errno := syscall.Syscall(syscall.SYS_FCNTL, memory, addSeals, allSeals); errno != 0 {
		return errno
	}
	return nil
}

func main() {
	var first string
	if len(os.Args) > 1 {
		first = os.Args[1]
	}
	if kind, ok := strings.CutPrefix(first, "plant-"); ok {
		if err := plant(kind); err != nil {
			fmt.Println("plant", err)
			os.Exit(1)
		}
	}
	all, copies := descriptors()
	fmt.Println("descriptors", all)
	for _, number := range copies {
		fmt.Println("copy", number)
	}
	fmt.Printf("arguments %q\n", os.Args[1:])
	fmt.Printf("environment %q\n", os.Getenv("PROCESS"))
	executable, err := os.Executable()
	fmt.Println("executable", executable, err)
	names := map[uintptr]string{3: "AT_PHDR", 4: "AT_PHENT", 5: "AT_PHNUM", 6: "AT_PAGESZ", 9: "AT_ENTRY", 23: "AT_SECURE"}
	// The kernel's copy in /proc has the packed file's; programs read the one on their stack, as the runtime does.
	for vector := getAuxv(); len(vector) > 1; vector = vector[2:] {
		if name := names[vector[0]]; name != "" {
			fmt.Printf("%s %#x\n", name, vector[1])
		}
	}
	maps, err := os.ReadFile("/proc/self/maps")
	fmt.Println("maps", err)
	for _, line := range strings.Split(string(maps), "\n") {
		if line != "" {
			fmt.Println("map", line)
		}
	}
	if first == "wait" || strings.HasPrefix(first, "plant-") {
		fmt.Println("waiting")
		io.Copy(io.Discard, os.Stdin)
		fmt.Println("done")
	}
}
