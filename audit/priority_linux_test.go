package audit

import (
	"syscall"
	"testing"
)

// TestPriority lowers the priority of one thread and of no other, and gives that thread
// to nobody else.
func TestPriority(t *testing.T) {
	t.Parallel()
	nice := func() int {
		raw, err := syscall.Getpriority(syscall.PRIO_PROCESS, syscall.Gettid())
		if err != nil {
			t.Error(err)
		}
		return 20 - raw // the system call returns no negative numbers
	}
	before := nice()
	lowered := make(chan int)
	go func() {
		lowerPriority()
		lowered <- nice()
	}()
	if got := <-lowered; got != lowest {
		t.Errorf("lowered: %d, want %d", got, lowest)
	}
	for range 100 {
		others := make(chan int)
		go func() { others <- nice() }()
		if got := <-others; got != before {
			t.Fatalf("another goroutine: %d, want %d", got, before)
		}
	}
}
