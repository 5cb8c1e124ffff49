//go:build !linux

package gate

import "syscall"

// tied keeps the signals of the terminal from a process. Other kernels than
// Linux cannot tie its life to its parent's.
func tied() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
