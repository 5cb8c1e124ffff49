package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// The files of the demo, as they are typed in its commands.
const (
	namespace = "e2e/demo/namespace.yaml"
	firstTry  = "e2e/demo/web-first-try.yaml"
	mended    = "e2e/demo/web.yaml"
)

// play shows everything, and returns errUnexpected where it was not as it should be.
func (s *session) play(ctx context.Context) error {
	for _, scene := range []func(context.Context) error{s.denies, s.dryRuns, s.patches, s.checks} {
		if err := scene(ctx); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	if s.wrong {
		return errUnexpected
	}
	s.say("All went as it should.")
	return nil
}

// scene opens a scene with its title.
func (s *session) scene(title string) { s.say("\n--- %s ---\n", title) }

// wanted are lines of the denial of the first try, one for each policy.
func wanted() []string {
	return []string{
		"Deployment shop/web breaks 3 policies (8 violations):",
		"probes           spec.template.spec.containers[0] (web): no livenessProbe",
		"probes           spec.template.spec.containers[1] (cache): no readinessProbe: the command of the one that is there cannot fail",
		"resources        spec.template.spec.containers[0].resources.limits.memory (web): no memory limit",
		`required-labels  metadata.labels.service: label "service" is missing`,
	}
}

// denies applies a Deployment as people first write it.
func (s *session) denies(ctx context.Context) error {
	s.scene("A namespace says whose it is, and a Deployment goes into it")
	r := s.kubectl(ctx, "apply", "-f", namespace)
	s.expect(ctx, r.code == 0, "the namespace is not made")
	s.say("$ cat %s", firstTry)
	if err := s.cat(firstTry); err != nil {
		return err
	}
	s.expectDenial(ctx, s.kubectl(ctx, "apply", "-f", firstTry))
	return nil
}

// expectDenial holds that the first try was denied in full and is not stored.
func (s *session) expectDenial(ctx context.Context, r result) {
	s.expect(ctx, r.code == 1, "kubectl's exit code is %d, not 1", r.code)
	for _, line := range wanted() {
		s.expect(ctx, strings.Contains(r.stderr, line), "the denial does not say %q", line)
	}
	s.expectStored(ctx, false)
}

// expectStored holds that the Deployment is stored, or that it is not.
func (s *session) expectStored(ctx context.Context, want bool) {
	r := s.quietly(ctx, "get", "deployment", "web", "-n", "shop", "-o", "name", "--ignore-not-found")
	s.expect(ctx, r.code == 0 && (r.stdout != "") == want, "that the Deployment is stored is %t, not %t", r.stdout != "", want)
}

// dryRuns asks without applying: the answers are the same.
func (s *session) dryRuns(ctx context.Context) error {
	s.scene("Asking first: a dry run gets the same answers, and stores nothing")
	s.expectDenial(ctx, s.kubectl(ctx, "apply", "--dry-run=server", "-f", firstTry))
	r := s.kubectl(ctx, "apply", "--dry-run=server", "-f", mended, "-o", "jsonpath={.metadata.labels}")
	s.expect(ctx, r.code == 0, "the mended Deployment is refused in a dry run")
	for _, label := range []string{`"environment":"production"`, `"team":"checkout"`} {
		s.expect(ctx, strings.Contains(r.stdout, label), "a dry run does not show the label %s", label)
	}
	s.expectStored(ctx, false)
	return nil
}

// patches applies the mended Deployment and shows what Lintel added.
func (s *session) patches(ctx context.Context) error {
	s.scene("Mended, the Deployment is admitted, and patched on its way in")
	changes, err := compareFiles(firstTry, mended)
	if err != nil {
		return err
	}
	s.say("What has been mended in %s:\n\n%s", mended, changes)
	r := s.kubectl(ctx, "apply", "-f", mended)
	s.expect(ctx, r.code == 0, "the mended Deployment is refused")
	s.expectStored(ctx, true)

	r = s.quietly(ctx, "get", "deployment", "web", "-n", "shop", "-o", "yaml")
	stored, err := readable([]byte(r.stdout))
	if err != nil {
		return err
	}
	added := diff(s.plain, stored)
	s.say("What Lintel added: the difference between what was applied and what is stored,\n"+
		"without the API server's own defaults:\n\n%s", strings.Join(added, "\n"))
	for text, times := range map[string]int{
		"environment: production": 2, "team: checkout": 2,
		"topologyKey: topology.kubernetes.io/zone": 1, "topologyKey: kubernetes.io/hostname": 1,
	} {
		s.expect(ctx, count(added, "+", text) == times, "%q is added %d times, not %d", text, count(added, "+", text), times)
	}
	s.expect(ctx, !slices.ContainsFunc(added, func(line string) bool { return strings.HasPrefix(line, "-") }), "something was taken away")

	s.say("")
	r = s.kubectl(ctx, "apply", "-f", mended)
	s.expect(ctx, strings.Contains(r.stdout, "unchanged"), "applied again, the Deployment changes")
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
	r, err := s.check(ctx, namespace, firstTry)
	if err != nil {
		return fmt.Errorf("check the first try: %w", err)
	}
	s.expect(ctx, r.code == 1, "the exit code is %d, not 1", r.code)
	for _, line := range wanted() {
		s.expect(ctx, strings.Contains(r.stdout, line), "lintel check does not say %q", line)
	}
	r, err = s.check(ctx, namespace, mended)
	if err != nil {
		return fmt.Errorf("check the mended Deployment: %w", err)
	}
	s.expect(ctx, r.code == 0, "the exit code is %d, not 0", r.code)
	return nil
}
