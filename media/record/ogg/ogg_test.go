package ogg_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/headroom-voice/headroom/media/record/ogg"
)

func stream(packets ...[]byte) []byte {
	w := ogg.NewWriter(7)
	out := w.Head(nil, 16000, 312, "test")
	for i, p := range packets {
		if !w.Packet(p, 960) || i%3 == 2 {
			out = w.Page(out, false)
		}
	}
	return w.Page(out, true)
}

func TestPacketsComeBack(t *testing.T) {
	var want [][]byte
	for n := range 40 {
		want = append(want, bytes.Repeat([]byte{byte(n)}, n*51))
	}
	data := stream(want...)
	var got [][]byte
	for at, number := 0, 0; at < len(data); number++ {
		p, err := ogg.Next(data[at:])
		if err != nil {
			t.Fatal(err)
		}
		if int(p.Number) != number || p.Serial != 7 || p.Begin != (number == 0) || p.End != (at+p.Size == len(data)) || len(p.Rest) != 0 || p.Continued {
			t.Errorf("page %d: %+v", number, p)
		}
		if number >= 2 {
			got = append(got, p.Packets...)
		}
		at += p.Size
	}
	if len(got) != len(want) {
		t.Fatalf("%d packets of %d", len(got), len(want))
	}
	for i := range want {
		if !bytes.Equal(got[i], want[i]) {
			t.Errorf("packet %d is not as it was", i)
		}
	}
	if size, granule := ogg.Whole(data); size != len(data) || granule != 40*960 {
		t.Errorf("%d bytes, position %d", size, granule)
	}
}

func TestPairsAreTakenApartAgain(t *testing.T) {
	for _, n := range []int{0, 1, 251, 252, 253, 254, 255, 256, 600, 1274} {
		left := append([]byte{0x48}, bytes.Repeat([]byte{1}, n)...)
		right := []byte{0x48, 2, 3}
		both, err := ogg.Pair(nil, left, right)
		if err != nil {
			t.Fatal(err)
		}
		l, r, err := ogg.Split(both)
		if err != nil || !bytes.Equal(l, left) || !bytes.Equal(r, right) {
			t.Errorf("%d bytes: %d and %d came back, %v", n, len(l), len(r), err)
		}
	}
	if _, err := ogg.Pair(nil, []byte{1, 2}, []byte{0}); err == nil {
		t.Error("a packet of two frames was taken")
	}
}

// FuzzNext holds for any bytes: no panic, nothing beyond them, and what is whole is a prefix of
// pages that all can be read.
func FuzzNext(f *testing.F) {
	data := stream([]byte("one"), bytes.Repeat([]byte{2}, 600), nil)
	f.Add(data, uint16(0))
	f.Add(data[:len(data)-5], uint16(40))
	f.Add([]byte("OggS"), uint16(1))
	f.Fuzz(func(t *testing.T, data []byte, cut uint16) {
		data = data[:max(len(data)-int(cut), 0)]
		size, _ := ogg.Whole(data)
		if size > len(data) {
			t.Fatalf("%d of %d bytes", size, len(data))
		}
		total := 0
		for at := 0; at < size; {
			p, err := ogg.Next(data[at:])
			if err != nil {
				t.Fatal(err)
			}
			held := len(p.Rest)
			for _, packet := range p.Packets {
				held += len(packet)
				if l, r, err := ogg.Split(packet); err == nil {
					if both, err := ogg.Pair(nil, l, r); err != nil || len(both) > len(packet)+2 {
						t.Fatalf("a pair of %d bytes became %d, %v", len(packet), len(both), err)
					}
				}
			}
			if held > p.Size || p.Size < 27 {
				t.Fatalf("%d bytes in a page of %d", held, p.Size)
			}
			at += p.Size
			total += p.Size
		}
		if total != size {
			t.Fatalf("%d of %d bytes", total, size)
		}
		if _, err := ogg.Next(data[size:]); err == nil || size == len(data) && !errors.Is(err, ogg.ErrShort) {
			t.Fatalf("behind what is whole: %v", err)
		}
	})
}
