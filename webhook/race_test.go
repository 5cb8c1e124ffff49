//go:build race

package webhook_test

// underRace says that the race detector takes memory too.
const underRace = true
