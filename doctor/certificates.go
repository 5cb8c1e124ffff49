package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lintel-policy/lintel/engine"
)

// nearEnd is how long before a certificate ends it should have been renewed: Lintel
// renews its own when a third of their time is left, which is a month.
const nearEnd = 14 * 24 * time.Hour

// handshakeTime bounds the one look at a webhook outside of the cluster.
const handshakeTime = 5 * time.Second

// readServing finds the certificate that is served: in the Secret that replicas share,
// or where the webhook is. Nothing but certificates is kept.
func (r *reader) readServing(ctx context.Context) {
	s := r.s
	if s.isOutside() {
		r.readShown(ctx)
		return
	}
	if s.Deployment == nil {
		return
	}
	if c := s.container(); c != nil && strings.Contains(strings.Join(c.Args, " "), "--cert-dir") {
		s.unsee(seenServing, "replicas read it from the folder that --cert-dir names")
		return
	}
	secret, ok := see(s, seenServing, func() (*corev1.Secret, error) {
		return r.client.CoreV1().Secrets(s.Namespace).Get(ctx, secretName, metav1.GetOptions{})
	})
	s.NoSecret = !ok && s.saw(seenServing)
	if ok {
		s.Serving = certificatesIn(secret.Data[corev1.TLSCertKey])
		s.ServingFrom, s.ServingName = "Secret "+s.Namespace+"/"+secretName, lintel+"."+s.Namespace+".svc"
	}
}

// readShown takes the certificate that the webhook shows.
func (r *reader) readShown(ctx context.Context) {
	s := r.s
	for _, e := range s.own() {
		if e.client.URL == nil {
			continue
		}
		shown, host, err := handshake(ctx, *e.client.URL)
		if err != nil {
			s.unsee(seenServing, err.Error())
			return
		}
		s.Serving, s.ServingName, s.ServingFrom = shown, host, "webhook at "+host
		return
	}
}

func handshake(ctx context.Context, at string) ([]*x509.Certificate, string, error) {
	u, err := url.Parse(at)
	if err != nil {
		return nil, "", fmt.Errorf("read URL of webhook: %w", err)
	}
	address := u.Host
	if u.Port() == "" {
		address = net.JoinHostPort(u.Hostname(), "443")
	}
	ctx, cancel := context.WithTimeout(ctx, handshakeTime)
	defer cancel()
	// What is shown is looked at, and nothing is said; a check verifies it.
	dialer := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, ServerName: u.Hostname()}} //nolint:gosec // see above
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, "", fmt.Errorf("reach webhook: %w", err)
	}
	defer conn.Close()
	shown, ok := conn.(*tls.Conn)
	if !ok {
		return nil, "", errors.New("reach webhook: no TLS")
	}
	return shown.ConnectionState().PeerCertificates, u.Hostname(), nil
}

// certificatesIn returns the certificates in PEM, and leaves out all else.
func certificatesIn(text []byte) []*x509.Certificate {
	var found []*x509.Certificate
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		if c, err := x509.ParseCertificate(block.Bytes); err == nil {
			found = append(found, c)
		}
	}
	return found
}

// checkCertificates finds certificates that end soon, and ones that the API server
// does not trust.
func checkCertificates(s *Snapshot) []Finding {
	if _, open := s.isOpen(); open {
		return nil
	}
	var found []Finding
	if len(s.Serving) > 0 {
		found = append(found, s.checkEnd("certificates.serving", s.ServingFrom, corev1.TLSCertKey, s.Serving[0])...)
	}
	told := map[string]bool{}
	for _, e := range s.own() {
		if bundle := string(e.client.CABundle); !told[bundle] {
			told[bundle] = true
			found = append(found, s.checkBundle(e)...)
		}
	}
	return found
}

// checkEnd finds a certificate that has ended, or soon will.
func (s *Snapshot) checkEnd(check, object, field string, c *x509.Certificate) []Finding {
	left := c.NotAfter.Sub(s.Now)
	if left > nearEnd {
		return nil
	}
	f := Finding{
		Check: check, Severity: Warning, Object: object, Field: field, Message: "ends at " + engine.Moment(c.NotAfter),
		Why: "the leader renews it a month before, so something keeps it from that", Command: s.logs("certificate"),
	}
	if left <= 0 {
		f.Severity, f.Message, f.Why = Problem, "has ended at "+engine.Moment(c.NotAfter), "the API server does not talk to Lintel"
	}
	return []Finding{f}
}

// checkBundle looks at what the API server trusts.
func (s *Snapshot) checkBundle(e entry) []Finding {
	f := Finding{
		Check: "certificates.bundle", Severity: Problem, Object: e.object, Field: e.field("clientConfig.caBundle"),
		Why: "the API server does not talk to Lintel", Command: s.logs("certificate"),
	}
	authorities := certificatesIn(e.client.CABundle)
	if len(authorities) == 0 {
		f.Message = "has no certificate"
		return []Finding{f}
	}
	last := authorities[0]
	for _, c := range authorities {
		if c.NotAfter.After(last.NotAfter) {
			last = c // the one before it is on its way out
		}
	}
	found := s.checkEnd("certificates.bundle", e.object, f.Field, last)
	if len(s.Serving) == 0 || len(found) > 0 || !s.Now.Before(s.Serving[0].NotAfter) {
		return found
	}
	if err := s.verify(authorities); err != nil {
		f.Check, f.Message = "certificates.trust", "does not vouch for the "+s.ServingFrom+": "+err.Error()
		found = append(found, f)
	}
	return found
}

var errOtherAuthority = errors.New("another authority has signed that")

// verify verifies what is served by the authorities that the API server trusts.
func (s *Snapshot) verify(authorities []*x509.Certificate) error {
	opts := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), DNSName: s.ServingName, CurrentTime: s.Now}
	for _, c := range authorities {
		opts.Roots.AddCert(c)
	}
	for _, c := range s.Serving[1:] {
		opts.Intermediates.AddCert(c)
	}
	_, err := s.Serving[0].Verify(opts)
	var unknown x509.UnknownAuthorityError
	if errors.As(err, &unknown) {
		return errOtherAuthority
	}
	return err
}
