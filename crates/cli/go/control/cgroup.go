// Control groups.
package main

import (
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// within CGROUP PROGRAM [ARGUMENT…] enters a control group and becomes a program there, so that all
// of the program's memory is counted.
func within(args []string) error {
	if err := os.WriteFile(filepath.Join(args[0], "cgroup.procs"), []byte("0"), 0); err != nil {
		return err
	}
	return unix.Exec(args[1], args[1:], os.Environ())
}
