package gate

import "syscall"

// tied has the kernel kill a process when the thread that started it ends, and
// keeps the signals of the terminal from it.
func tied() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
