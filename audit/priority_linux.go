package audit

import (
	"runtime"
	"syscall"
)

// lowest is the nicest that a thread can be.
const lowest = 19

// lowerPriority gives the goroutine a thread of its own, of the lowest priority, which
// ends with it: none can raise it again without a right that Lintel has not.
func lowerPriority() {
	runtime.LockOSThread()
	_ = syscall.Setpriority(syscall.PRIO_PROCESS, syscall.Gettid(), lowest) // without it, reviews are only not that low
}
