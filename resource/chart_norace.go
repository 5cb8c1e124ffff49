//go:build !race

package resource

// raceDetector says that there is no race detector.
const raceDetector = false
