package relay

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"
)

// FuzzFrames: whatever comes, a message is whole, within bounds and as long as it says; what
// was read is what came, in order, and the reading comes to an end.
func FuzzFrames(f *testing.F) {
	f.Add([]byte("\x00\x01\x00\x00\x21\x12\xa4\x42abcdefghijkl"))
	f.Add([]byte("\x40\x00\x00\x03abc\x00\x40\x01\x00\x04abcd"))
	f.Add([]byte("\x00\x03\xff\xec\x21\x12\xa4\x42abcdefghijkl"))
	f.Add([]byte("\x40\x00\xff\xfcabcdefgh"))
	f.Fuzz(func(t *testing.T, data []byte) {
		in := frames{bytes.NewReader(data)}
		var buf [maxFrame]byte
		at := 0
		for {
			n, err := in.next(buf[:])
			if err != nil {
				if !errors.Is(err, errFrame) && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Fatal(err)
				}
				return
			}
			if n < 4 || n > maxFrame || n%4 != 0 || !bytes.Equal(buf[:n], data[at:at+n]) {
				t.Fatalf("%d bytes at %d of %x", n, at, data)
			}
			length := int(binary.BigEndian.Uint16(buf[2:]))
			if buf[0]>>6 == 0 && n != 20+length || buf[0]>>6 == 1 && (n < 4+length || n > 4+length+3) {
				t.Fatalf("a message of %d bytes says %d", n, length)
			}
			at += n
		}
	})
}
