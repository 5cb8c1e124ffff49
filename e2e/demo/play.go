package main

import (
	"context"
	"strings"
)

// The files of the demo, as they are typed in its commands.
const (
	rollout    = "e2e/demo/policies"
	oneOfThem  = rollout + "/probes.yaml"
	namespaces = "e2e/demo/namespaces.yaml"
	firstTry   = "e2e/demo/web-first-try.yaml"
	mended     = "e2e/demo/web.yaml"
)

// The namespaces of the demo.
const (
	production  = "shop"
	staging     = "shop-staging"
	development = "shop-dev"
)

// play shows everything, and returns errUnexpected where it was not as it should be.
func (s *session) play(ctx context.Context) error {
	for _, scene := range []func(context.Context) error{s.opens, s.denies, s.warns, s.records, s.patches, s.checks} {
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

// opens shows how three environments differ, and makes a namespace for each.
func (s *session) opens(ctx context.Context) error {
	s.scene("A policy denies, unless it is still being rolled out")
	if err := s.cat(oneOfThem); err != nil {
		return err
	}
	r := s.kubectl(ctx, "apply", "-f", namespaces)
	s.expect(ctx, r.code == 0, "the namespaces are not made")
	return nil
}

// wanted are lines of what is said of the first try, some for each policy: the
// policy's name, and the rest.
func wanted() [][2]string {
	return [][2]string{
		{"probes", "spec.template.spec.containers[0] (web): no livenessProbe"},
		{"probes", "spec.template.spec.containers[1] (cache): no readinessProbe: the command of the one that is there cannot fail"},
		{"resources", "spec.template.spec.containers[0].resources.limits.memory (web): no memory limit"},
		{"required-labels", `metadata.labels.service: label "service" is missing`},
	}
}

// expectLines holds that a text has a line for each policy that the first try breaks.
func (s *session) expectLines(ctx context.Context, text string) {
	for _, want := range wanted() {
		found := false
		for line := range strings.Lines(text) {
			found = found || strings.Contains(line, want[0]) && strings.Contains(line, want[1])
		}
		s.expect(ctx, found, "%s does not say %q", want[0], want[1])
	}
}

// denies applies a Deployment as people first write it.
func (s *session) denies(ctx context.Context) error {
	s.scene("In production: denied, with all that is wrong with it")
	if err := s.cat(firstTry); err != nil {
		return err
	}
	s.expectDenial(ctx, s.kubectl(ctx, "apply", "-n", production, "-f", firstTry))
	s.expectDenial(ctx, s.quietly(ctx, "apply", "-n", production, "-f", firstTry, "--dry-run=server"))
	return nil
}

// expectDenial holds that the first try was denied in full and is not stored.
func (s *session) expectDenial(ctx context.Context, r result) {
	s.expect(ctx, r.code == 1, "kubectl's exit code is %d, not 1", r.code)
	s.expect(ctx, strings.Contains(r.stderr, "Deployment shop/web breaks 3 policies (8 violations):"), "the denial does not count what is wrong")
	s.expectLines(ctx, r.stderr)
	s.expectStored(ctx, production, false)
}

// expectStored holds that the Deployment is stored, or that it is not.
func (s *session) expectStored(ctx context.Context, namespace string, want bool) {
	r := s.quietly(ctx, "get", "deployment", "web", "-n", namespace, "-o", "name", "--ignore-not-found")
	s.expect(ctx, r.code == 0 && (r.stdout != "") == want, "that the Deployment is stored is %t, not %t", r.stdout != "", want)
}

// warns applies the same where the policies warn.
func (s *session) warns(ctx context.Context) error {
	s.scene("The same in staging: admitted, and its author is warned")
	r := s.kubectl(ctx, "apply", "-n", staging, "-f", firstTry)
	s.expect(ctx, r.code == 0, "kubectl's exit code is %d, not 0", r.code)
	s.expect(ctx, strings.Count(r.stderr, "Warning: ") == 8, "there are %d warnings, not 8", strings.Count(r.stderr, "Warning: "))
	s.expectLines(ctx, r.stderr)
	s.expectStored(ctx, staging, true)
	return nil
}

// records applies the same where the policies only record.
func (s *session) records(ctx context.Context) error {
	s.scene("The same in development: admitted without a word, and recorded")
	r := s.kubectl(ctx, "apply", "-n", development, "-f", firstTry)
	s.expect(ctx, r.code == 0, "kubectl's exit code is %d, not 0", r.code)
	s.expect(ctx, r.stderr == "", "the author is told something")
	s.expectStored(ctx, development, true)

	text, err := s.recordOf(ctx, development, "web")
	if err != nil {
		return err
	}
	s.say("Of this request, Lintel's log says, among other things:\n\n%s\n", text)
	s.expect(ctx, strings.Contains(text, `"recorded": "probes,required-labels,resources"`), "the three policies are not recorded")
	return nil
}
