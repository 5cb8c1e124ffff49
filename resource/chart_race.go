//go:build race

package resource

// raceDetector says that the race detector is there, which maps more memory than a
// process that renders charts may have.
const raceDetector = true
