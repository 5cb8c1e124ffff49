package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// patches applies the mended Deployment and shows what Lintel added.
func (s *session) patches(ctx context.Context) error {
	s.scene("Mended, it is admitted to production, and patched on its way in")
	changes, err := compareFiles(firstTry, mended)
	if err != nil {
		return err
	}
	s.say("What has been mended in %s:\n\n%s", mended, changes)
	s.dryRuns(ctx)
	r := s.kubectl(ctx, "apply", "-n", production, "-f", mended)
	s.expect(ctx, r.code == 0, "the mended Deployment is refused")
	s.expectStored(ctx, production, true)
	if err := s.showAdded(ctx); err != nil {
		return err
	}
	r = s.kubectl(ctx, "apply", "-n", production, "-f", mended)
	s.expect(ctx, strings.Contains(r.stdout, "unchanged"), "applied again, the Deployment changes")
	return nil
}

// dryRuns asks without applying: the answer is the same, and nothing is stored.
func (s *session) dryRuns(ctx context.Context) {
	r := s.kubectl(ctx, "apply", "-n", production, "-f", mended, "--dry-run=server", "-o", "jsonpath={.metadata.labels}")
	s.expect(ctx, r.code == 0, "the mended Deployment is refused in a dry run")
	for _, label := range []string{`"environment":"production"`, `"team":"checkout"`} {
		s.expect(ctx, strings.Contains(r.stdout, label), "a dry run does not show the label %s", label)
	}
	s.expectStored(ctx, production, false)
}

// showAdded compares what is stored with what it would be without Lintel.
func (s *session) showAdded(ctx context.Context) error {
	r := s.quietly(ctx, "get", "deployment", "web", "-n", production, "-o", "yaml")
	stored, err := readable([]byte(r.stdout))
	if err != nil {
		return err
	}
	added := diff(s.plain, stored)
	s.say("What Lintel added: the difference between what was applied and what is stored,\n"+
		"without the API server's own defaults:\n\n%s\n", strings.Join(added, "\n"))
	for text, times := range map[string]int{
		"environment: production": 2, "team: checkout": 2,
		"topologyKey: topology.kubernetes.io/zone": 1, "topologyKey: kubernetes.io/hostname": 1,
	} {
		s.expect(ctx, count(added, "+", text) == times, "%q is added %d times, not %d", text, count(added, "+", text), times)
	}
	s.expect(ctx, !slices.ContainsFunc(added, func(line string) bool { return strings.HasPrefix(line, "-") }), "something was taken away")
	return nil
}

// count counts the lines that begin with a mark and have a text.
func count(lines []string, mark, text string) int {
	n := 0
	for _, line := range lines {
		if strings.HasPrefix(line, mark) && strings.Contains(line, text) {
			n++
		}
	}
	return n
}

// checks asks lintel about the files alone.
func (s *session) checks(ctx context.Context) error {
	s.scene("The same verdict before anything reaches a cluster")
	args := []string{"-p", "embedded", "-p", rollout, "-n", production, namespaces}
	r, err := s.check(ctx, append(args, firstTry)...)
	if err != nil {
		return fmt.Errorf("check the first try: %w", err)
	}
	s.expect(ctx, r.code == 1, "the exit code is %d, not 1", r.code)
	s.expectLines(ctx, r.stdout)
	r, err = s.checkQuietly(ctx, append(args, mended)...)
	if err != nil {
		return fmt.Errorf("check the mended Deployment: %w", err)
	}
	s.expect(ctx, r.code == 0, "the exit code is %d, not 0", r.code)
	return nil
}
