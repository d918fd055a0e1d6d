package webrtc

import (
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/headroom-voice/headroom/media"
)

// anotherCertificate changes one digit of a description's fingerprint: what is shown in the
// handshake is then somebody else's.
func anotherCertificate(t *testing.T, sdp string) string {
	t.Helper()
	head, rest, ok := strings.Cut(sdp, "a=fingerprint:sha-256 ")
	if !ok {
		t.Fatalf("no fingerprint in %s", sdp)
	}
	digit := "0"
	if rest[0] == '0' {
		digit = "1"
	}
	return head + "a=fingerprint:sha-256 " + digit + rest[1:]
}

func TestWhoShowsAnotherCertificateThanTheirDescriptionNamesIsRefused(t *testing.T) {
	for name, tamper := range map[string]func(t *testing.T, offer, answer *string){
		"the client": func(t *testing.T, offer, _ *string) {
			t.Helper()
			*offer = anotherCertificate(t, *offer)
		},
		"the service": func(t *testing.T, _, answer *string) {
			t.Helper()
			*answer = anotherCertificate(t, *answer)
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t, Config{})
			client, offer, err := Offer(OfferConfig{}, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = client.Close() }()
			keep := ""
			if name == "the client" {
				tamper(t, &offer, &keep)
			}
			service, answer, err := g.Accept(t.Context(), offer)
			if err != nil {
				t.Fatal(err)
			}
			heardBy := make(heard, 8)
			service.SetSink(heardBy)
			client.SetSink(heardBy)
			if name == "the service" {
				tamper(t, &keep, &answer)
			}
			if err := client.Answered(answer); err != nil {
				t.Fatal(err)
			}
			defer speak(client, media.Opus)()
			defer speak(service, media.PCMU)()
			betrayed, other := service, client
			if name == "the service" {
				betrayed, other = client, service
			}
			await(t, "refusal", betrayed.Done())
			if err := betrayed.Err(); !errors.Is(err, ErrFingerprint) {
				t.Errorf("the cause is %v, wanted the fingerprint", err)
			}
			await(t, "end of the other side", other.Done())
			if len(heardBy) > 0 {
				t.Error("audio was heard over a connection with somebody else")
			}
		})
	}
}
