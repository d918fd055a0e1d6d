package sip

import (
	"bytes"
	"testing"
)

const (
	framedOptions = "OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP a;branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nl:\r\n 4\r\n\r\nbody"
	framedBad     = "OPTIONS  sip:a@b  SIP/2.0\r\nVia: SIP/2.0/TCP a;branch=z9hG4bKy\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: 2\r\nCSeq: 1 OPTIONS\r\nContent-Length: 3\r\n\r\nbad"
)

// FuzzFrames holds that however a stream is cut into pieces, sipgo gets the messages that can
// be read as they are, the others are told apart, and after one whose end is not known
// everything is passed on.
func FuzzFrames(f *testing.F) {
	f.Add([]byte(framedOptions+"\r\n\r\n"+framedBad+framedOptions), uint8(1))
	f.Add([]byte("OPTIONS sip:a SIP/2.0\r\nContent-Length: -1\r\n\r\n"+framedOptions), uint8(7))
	f.Add([]byte("x\r\nl: 1\r\nContent-Length: 1\r\n\r\n"), uint8(200))
	f.Fuzz(func(t *testing.T, stream []byte, size uint8) {
		var all, some frames
		var bad, badInPieces [][]byte
		want := bytes.Clone(all.cut(stream, func(m []byte) { bad = append(bad, bytes.Clone(m)) }))
		var got []byte
		for at, step := 0, int(size)+1; at < len(stream); at += step {
			got = append(got, some.cut(stream[at:min(len(stream), at+step)], func(m []byte) { badInPieces = append(badInPieces, bytes.Clone(m)) })...)
		}
		if len(some.held) > 2*maxFrame+256 {
			t.Fatalf("%d bytes are held", len(some.held))
		}
		if len(stream) > maxFrame { // the bound is met at another place
			return
		}
		trim := func(b []byte) string {
			return string(bytes.ReplaceAll(bytes.ReplaceAll(b, []byte("\r"), nil), []byte("\n"), nil))
		}
		if all.lost != some.lost || trim(got) != trim(want) || len(bad) != len(badInPieces) {
			t.Fatalf("%q in pieces of %d gives %q, not %q; %d and %d cannot be read", stream, int(size)+1, got, want, len(badInPieces), len(bad))
		}
	})
}

func TestAStreamIsCutIntoMessages(t *testing.T) {
	var f frames
	var bad []string
	got := f.cut([]byte("\r\n"+framedOptions+framedBad+framedOptions+framedBad[:40]), func(m []byte) { bad = append(bad, string(m)) })
	if string(got) != framedOptions+framedOptions || len(bad) != 1 || bad[0] != framedBad || string(f.held) != framedBad[:40] {
		t.Errorf("%q, %q, held %q", got, bad, f.held)
	}
	f = frames{}
	if got := f.cut([]byte("\r\n\r\n"), nil); string(got) != "\r\n\r\n" {
		t.Errorf("a keep-alive becomes %q", got)
	}
	const endless = "OPTIONS sip:a SIP/2.0\r\n\r\nwhere does it end"
	if got := f.cut([]byte(endless), nil); string(got) != endless || !f.lost {
		t.Errorf("without a length it is %q", got)
	}
}
