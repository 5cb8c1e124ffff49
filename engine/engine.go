// Package engine decides: it reviews and patches the objects of admission
// requests by policies written in Rego.
//
// [Decode] reads a request, [Compile] makes an immutable [Set] of policies, and
// [Set.Patch] and [Set.Review] apply the one to the other; [Set.Explain] says to
// people how they come to their answer. All of them are pure:
// the same Set and the same Request have the same answer, in the same order. The
// package knows no HTTP, no client and no files, and the time is part of the
// Request.
//
// A denial is a value. A policy that fails, panics or runs out of time could not
// decide; that is an error of that policy alone, and what becomes of the request
// is the policy's own onError.
package engine
