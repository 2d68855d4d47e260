// The process program prints what the kernel gave it: arguments, environment, auxiliary vector, the file that it is, its mappings.
// Its binary is run as linked and packed; what it prints must be the same, but for the packer's own mappings.
package main

import (
	"fmt"
	"os"
	"strings"
	_ "unsafe" // for go:linkname
)

// The auxiliary vector as the runtime read it.
//
//go:linkname getAuxv runtime.getAuxv
func getAuxv() []uintptr

func main() {
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
}
