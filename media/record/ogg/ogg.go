// Package ogg writes Opus into an Ogg file (RFC 3533, RFC 7845) whose beginning can be played
// wherever it is cut off between two pages, and finds such pages again.
package ogg

import (
	"encoding/binary"
	"errors"
	"fmt"
)

const (
	headerSize = 27
	maxSegment = 255
	// MaxPage is the most a page can hold, with its header (RFC 3533 section 6).
	MaxPage   = headerSize + maxSegment + maxSegment*255
	noGranule = ^uint64(0) // no packet ends on the page

	flagBegin = 2
	flagEnd   = 4
)

// Writer makes pages of one logical stream.
type Writer struct {
	serial  uint32
	number  uint32
	granule uint64
	lacing  []byte
	body    []byte
}

// NewWriter makes a writer for a stream with a number of its own.
func NewWriter(serial uint32) *Writer { return &Writer{serial: serial} }

// Head appends to dst the two header pages (RFC 7845 section 5) of two channels that are coded
// apart, which rate in Hz they were recorded at, and how many samples at 48 kHz the decoder's
// start takes. vendor says who wrote it.
func (w *Writer) Head(dst []byte, rate, preSkip int, vendor string) []byte {
	h := append([]byte("OpusHead"), 1, 2)
	h = binary.LittleEndian.AppendUint16(h, uint16(preSkip))
	h = binary.LittleEndian.AppendUint32(h, uint32(rate))
	h = binary.LittleEndian.AppendUint16(h, 0) // gain
	h = append(h, 1, 2, 0, 0, 1)               // mapping family 1: two streams, none of them coupled, in this order
	w.packet(h)
	dst = w.page(dst, flagBegin, 0)
	t := binary.LittleEndian.AppendUint32([]byte("OpusTags"), uint32(len(vendor)))
	t = append(t, vendor...)
	t = binary.LittleEndian.AppendUint32(t, 0)
	w.packet(t)
	return w.page(dst, 0, 0)
}

// Packet adds a packet of so many samples at 48 kHz, and reports whether there is room for
// another of the size on the page.
func (w *Writer) Packet(data []byte, samples int) (room bool) {
	w.packet(data)
	w.granule += uint64(samples)
	return len(w.lacing)+len(data)/255+1 <= maxSegment
}

func (w *Writer) packet(data []byte) {
	for n := len(data); ; n -= 255 {
		w.lacing = append(w.lacing, byte(min(n, 255)))
		if n < 255 {
			break
		}
	}
	w.body = append(w.body, data...)
}

// Page appends to dst the page of the packets since the last; nothing where there are none. The
// last page of a stream says so, also without a packet.
func (w *Writer) Page(dst []byte, last bool) []byte {
	if len(w.lacing) == 0 && !last {
		return dst
	}
	flags := byte(0)
	if last {
		flags = flagEnd
	}
	return w.page(dst, flags, w.granule)
}

func (w *Writer) page(dst []byte, flags byte, granule uint64) []byte {
	at := len(dst)
	dst = append(dst, "OggS\x00"...)
	dst = append(dst, flags)
	dst = binary.LittleEndian.AppendUint64(dst, granule)
	dst = binary.LittleEndian.AppendUint32(dst, w.serial)
	dst = binary.LittleEndian.AppendUint32(dst, w.number)
	dst = append(dst, 0, 0, 0, 0, byte(len(w.lacing)))
	dst = append(dst, w.lacing...)
	dst = append(dst, w.body...)
	binary.LittleEndian.PutUint32(dst[at+22:], checksum(dst[at:]))
	w.number++
	w.lacing, w.body = w.lacing[:0], w.body[:0]
	return dst
}

// Page is one page as Next finds it.
type Page struct {
	Begin, End, Continued bool
	Granule               uint64 // end of the last packet in samples at 48 kHz; ^0 where none ends here
	Serial, Number        uint32
	Packets               [][]byte // that end on the page
	Rest                  []byte   // of one that goes on
	Size                  int      // bytes
}

// ErrShort says that the data ends within a page.
var ErrShort = errors.New("ogg: the data ends within a page")

// Next reads the page that data begins with. Its slices are parts of data.
func Next(data []byte) (Page, error) {
	if len(data) < headerSize {
		return Page{}, ErrShort
	}
	if string(data[:5]) != "OggS\x00" {
		return Page{}, errors.New("ogg: no page begins here")
	}
	segments := int(data[26])
	if len(data) < headerSize+segments {
		return Page{}, ErrShort
	}
	lacing := data[headerSize : headerSize+segments]
	size := headerSize + segments
	for _, n := range lacing {
		size += int(n)
	}
	if len(data) < size {
		return Page{}, ErrShort
	}
	if got, want := checksum(data[:size]), binary.LittleEndian.Uint32(data[22:]); got != want {
		return Page{}, fmt.Errorf("ogg: a page's checksum is %08x and not %08x", got, want)
	}
	p := Page{
		Continued: data[5]&1 != 0, Begin: data[5]&flagBegin != 0, End: data[5]&flagEnd != 0,
		Granule: binary.LittleEndian.Uint64(data[6:]), Serial: binary.LittleEndian.Uint32(data[14:]),
		Number: binary.LittleEndian.Uint32(data[18:]), Size: size,
	}
	from, to := headerSize+segments, headerSize+segments
	for _, n := range lacing {
		if to += int(n); n < 255 {
			p.Packets = append(p.Packets, data[from:to:to])
			from = to
		}
	}
	p.Rest = data[from:to:to]
	return p, nil
}

// Whole gives the length of the whole pages at the beginning of data, and the position that the
// last of them ends at, in samples at 48 kHz.
func Whole(data []byte) (size int, granule uint64) {
	for size < len(data) {
		p, err := Next(data[size:])
		if err != nil {
			break
		}
		size += p.Size
		if p.Granule != noGranule {
			granule = p.Granule
		}
	}
	return size, granule
}

// crcTable is that of the polynomial 0x04c11db7, most significant bit first (RFC 3533 section 6).
var crcTable = func() (t [256]uint32) {
	for i := range t {
		r := uint32(i) << 24
		for range 8 {
			r = r<<1 ^ r>>31*0x04c11db7
		}
		t[i] = r
	}
	return t
}()

// checksum is that of a page whose own field counts as zero.
func checksum(page []byte) uint32 {
	var crc uint32
	for i, b := range page {
		if i >= 22 && i < 26 {
			b = 0
		}
		crc = crc<<8 ^ crcTable[byte(crc>>24)^b]
	}
	return crc
}

// Pair makes one packet of two mono ones of the same length: the first framed so that it says
// where it ends (RFC 6716 appendix B), as RFC 7845 section 3 has them. Only packets of one frame,
// which is what 20 ms are encoded to, can be the first.
func Pair(dst, left, right []byte) ([]byte, error) {
	if len(left) < 1 || left[0]&3 != 0 || len(right) < 1 {
		return dst, errors.New("ogg: the first of a pair must be a packet of one frame")
	}
	n := len(left) - 1
	dst = append(dst, left[0])
	if n < 252 {
		dst = append(dst, byte(n))
	} else { // RFC 6716 section 3.2.1
		dst = append(dst, byte(252+n&3), byte((n-(252+n&3))/4))
	}
	dst = append(dst, left[1:]...)
	return append(dst, right...), nil
}

// Split undoes Pair.
func Split(packet []byte) (left, right []byte, err error) {
	short := errors.New("ogg: the packet is no pair")
	if len(packet) < 3 || packet[0]&3 != 0 {
		return nil, nil, short
	}
	n, at := int(packet[1]), 2
	if n >= 252 {
		n, at = n+4*int(packet[2]), 3
	}
	if at+n >= len(packet) {
		return nil, nil, short
	}
	left = append([]byte{packet[0]}, packet[at:at+n]...)
	return left, packet[at+n:], nil
}
