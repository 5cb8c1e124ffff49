//go:build !linux

package audit

// lowerPriority does nothing: threads have priorities of their own on Linux only.
func lowerPriority() {}
