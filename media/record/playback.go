package record

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/headroom-voice/headroom/media/record/ogg"
	"github.com/headroom-voice/headroom/media/record/seal"
)

// Playback is a recording in the clear, as a WAV or Ogg file that can be read from anywhere. It
// is opened a chunk at a time and never stored. It is not safe for concurrent use.
type Playback struct {
	info     Info
	file     *seal.Reader
	head     []byte // of a WAV file
	duration time.Duration
	size     int64 // of the audio, without head
	at       int64
}

// Open opens a recording that is over, goes on or was cut off: of the latter two it is what was
// there by now.
func Open(path string, keys *seal.Keyring) (*Playback, error) {
	f, err := seal.Open(path, keys)
	if err != nil {
		return nil, err
	}
	p, err := newPlayback(f)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), f.Close())
	}
	return p, nil
}

func newPlayback(f *seal.Reader) (*Playback, error) {
	p := &Playback{file: f, size: f.Size()}
	if f.Meta() == nil {
		return nil, fmt.Errorf("%w: it was cut off before it began", seal.ErrDamaged)
	}
	if err := json.Unmarshal(f.Meta(), &p.info); err != nil {
		return nil, fmt.Errorf("%w: what it is of cannot be read", seal.ErrDamaged)
	}
	switch p.info.Format {
	case WAV:
		if p.info.Rate <= 0 {
			return nil, fmt.Errorf("%w: a sample rate of %d Hz", seal.ErrDamaged, p.info.Rate)
		}
		p.size -= p.size % wavFrame
		p.head = wavHeader(p.info.Rate, p.size)
		p.duration = time.Duration(p.size/wavFrame) * time.Second / time.Duration(p.info.Rate)
	case Opus:
		granule, err := lastGranule(f)
		if err != nil {
			return nil, err
		}
		p.duration = time.Duration(max(int64(granule)-opusPreSkip, 0)) * time.Second / opusRate
	default:
		return nil, fmt.Errorf("%w: a format %q", seal.ErrDamaged, p.info.Format)
	}
	return p, nil
}

// lastGranule finds where the stream ends, in its last pages.
func lastGranule(f *seal.Reader) (uint64, error) {
	tail := make([]byte, min(f.Size(), 2*ogg.MaxPage))
	if _, err := f.ReadAt(tail, f.Size()-int64(len(tail))); err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	for at := range tail {
		if p, err := ogg.Next(tail[at:]); err == nil {
			_, granule := ogg.Whole(tail[at:])
			return max(granule, p.Granule&^(1<<63)), nil
		}
	}
	return 0, nil
}

// Info says what the recording is of.
func (p *Playback) Info() Info { return p.info }

// Duration is how long it plays.
func (p *Playback) Duration() time.Duration { return p.duration }

// Whole says whether it was written to its end.
func (p *Playback) Whole() bool {
	_, ended := p.file.Ended()
	return ended
}

// Key is what it is sealed for.
func (p *Playback) Key() seal.KeyID { return p.file.KeyID() }

// ContentType is that of HTTP.
func (p *Playback) ContentType() string {
	if p.info.Format == Opus {
		return "audio/ogg; codecs=opus"
	}
	return "audio/wav"
}

// Name is a file's name for it.
func (p *Playback) Name() string {
	if p.info.Format == Opus {
		return p.info.ID + ".ogg"
	}
	return p.info.ID + ".wav"
}

// Size is that of the file in the clear, in bytes.
func (p *Playback) Size() int64 { return int64(len(p.head)) + p.size }

// Verify opens every chunk. The error wraps seal.ErrDamaged.
func (p *Playback) Verify() error { return p.file.Verify() }

// Read is part of io.Reader.
func (p *Playback) Read(b []byte) (int, error) {
	if p.at >= p.Size() {
		return 0, io.EOF
	}
	if p.at < int64(len(p.head)) {
		n := copy(b, p.head[p.at:])
		p.at += int64(n)
		return n, nil
	}
	b = b[:min(int64(len(b)), p.Size()-p.at)]
	n, err := p.file.ReadAt(b, p.at-int64(len(p.head)))
	p.at += int64(n)
	if n > 0 && errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}

// Seek is part of io.Seeker.
func (p *Playback) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += p.at
	case io.SeekEnd:
		offset += p.Size()
	}
	if offset < 0 {
		return 0, errors.New("record: seek before the beginning")
	}
	p.at = offset
	return offset, nil
}

// Close closes the file.
func (p *Playback) Close() error { return p.file.Close() }
