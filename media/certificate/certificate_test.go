package certificate_test

import (
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/media/certificate"
	"github.com/headroom-voice/headroom/media/webrtc/relay/relaytest"
)

func TestARenewedCertificateIsTakenUpAndABadOneIsNot(t *testing.T) {
	first, second := relaytest.NewCertificate(t), relaytest.NewCertificate(t)
	files, err := certificate.Open(first.Cert, first.Key, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	before := files.Current().Leaf.SerialNumber
	replace := func(with relaytest.Certificate) {
		for from, to := range map[string]string{with.Cert: first.Cert, with.Key: first.Key} {
			data, err := os.ReadFile(from)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(to, data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	replace(second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(10 * time.Second); files.Current().Leaf.SerialNumber.Cmp(before) == 0; <-tick.C {
		if time.Now().After(deadline) {
			t.Fatal("the new certificate is not taken up")
		}
	}
	if err := os.WriteFile(first.Cert, []byte("half of it"), 0o600); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); files.Stats().Failures == 0; <-tick.C {
		if time.Now().After(deadline) {
			t.Fatal("the bad certificate is not noticed")
		}
		files.Current()
	}
	if s := files.Stats(); s.Reloads != 1 || s.NotAfter.IsZero() || files.Current().Leaf.SerialNumber.Cmp(before) == 0 {
		t.Errorf("after a bad certificate: %+v", s)
	}
}

func TestFilesThatAreNoPairAreRefused(t *testing.T) {
	a, b := relaytest.NewCertificate(t), relaytest.NewCertificate(t)
	for name, pair := range map[string][2]string{"nowhere": {"nowhere.pem", a.Key}, "of two keys": {a.Cert, b.Key}, "swapped": {a.Key, a.Cert}} {
		if _, err := certificate.Open(pair[0], pair[1], slog.New(slog.DiscardHandler)); err == nil || strings.TrimSpace(err.Error()) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
