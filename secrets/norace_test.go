//go:build !race

package secrets_test

// underRace says that the race detector makes patterns allocate for each run.
const underRace = false
