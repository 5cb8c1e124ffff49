package engine

import (
	"context"

	"github.com/open-policy-agent/opa/v1/topdown"
)

// maxInline is how large a request may be, in bytes, to be judged on the caller's
// own goroutine. Another one makes it take half as long again, or twice as long: its
// stack is new, and it often runs on another CPU, whose caches know nothing. What
// it is for is a built-in function that does not look whether it is cancelled, and
// with so little text the slowest of them, a regular expression of nested bounded
// repeats, returns within some tenths of a second.
const maxInline = 16 << 10

// inTime runs n steps one after another and returns the answers of those that
// were done before ctx ended, in their order. A step that panics answers broken.
// Unless it runs them inline it returns by then even where a step goes on: the step
// is left behind to finish by itself, its answer is dropped, and left is closed
// when it has finished. Where nothing was left behind, left is nil.
func inTime[T any](ctx context.Context, n int, inline bool, broken T, step func(i int, cancel topdown.Cancel) T) (answers []T, left <-chan struct{}) {
	if ctx.Err() != nil {
		return nil, nil
	}
	cancel := topdown.NewCancel()
	safe := func(i int) (answer T) {
		defer func() {
			if recover() != nil {
				answer = broken
			}
		}()
		return step(i, cancel)
	}
	if inline {
		growStack(false)
		stop := context.AfterFunc(ctx, cancel.Cancel)
		defer stop()
		return untilCancelled(n, cancel, safe), nil
	}
	done, ended := make(chan T, n), make(chan struct{})
	go func() {
		defer close(ended)
		growStack(false)
		for i := 0; i < n && !cancel.Cancelled(); i++ {
			done <- safe(i)
		}
	}()
	answers = make([]T, 0, n)
	for range n {
		select {
		case answer := <-done:
			answers = append(answers, answer)
		case <-ctx.Done():
			cancel.Cancel()
			return answers, ended
		}
	}
	return answers, nil
}

func untilCancelled[T any](n int, cancel topdown.Cancel, step func(i int) T) []T {
	answers := make([]T, 0, n)
	for i := 0; i < n && !cancel.Cancelled(); i++ {
		answers = append(answers, step(i))
	}
	return answers
}

// growStack makes room on the stack of a goroutine at once. The evaluator calls
// itself a hundred frames deep, and to double the stack of a new goroutine on the
// way there again and again, copying it each time, took a fifth of the time of a
// review. The frame is what makes the room: it is never written to.
//
//go:noinline
func growStack(write bool) {
	if write {
		var room [96 << 10]byte
		touch(&room)
	}
}

//go:noinline
func touch(room *[96 << 10]byte) { room[0] = 1 }
