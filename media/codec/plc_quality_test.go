package codec_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/headroom-voice/headroom/dsp/resample"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/codec"
	"github.com/headroom-voice/headroom/media/mediatest"
	"github.com/headroom-voice/headroom/testdata"
)

// narrow gives every recording of speech at 8 kHz, as G.711 carries it, one after the other.
func narrow(t *testing.T) (payloads [][]byte) {
	t.Helper()
	for _, name := range testdata.Names() {
		pcm, rate, err := testdata.Samples(name)
		if err != nil {
			t.Fatal(err)
		}
		r, err := resample.New(rate, 8000)
		if err != nil {
			t.Fatal(err)
		}
		enc, err := codec.NewEncoder(media.PCMU, 8000)
		if err != nil {
			t.Fatal(err)
		}
		for pcm = r.Process(nil, pcm); len(pcm) >= 160; pcm = pcm[160:] {
			payload := make([]byte, 160)
			if _, err := enc.Encode(pcm[:160], payload); err != nil {
				t.Fatal(err)
			}
			payloads = append(payloads, payload)
		}
	}
	return payloads
}

// concealed is the speech with its lost frames filled in by our decoder.
func concealed(t *testing.T, payloads [][]byte, lost []bool) []float32 {
	t.Helper()
	dec, err := codec.NewDecoder(media.PCMU, 8000)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]float32, 160*len(payloads))
	for i, p := range payloads {
		frame := out[160*i : 160*i+160]
		if lost[i] {
			dec.Conceal(frame)
		} else if _, err := dec.Decode(p, frame); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// theirs is the same by spandsp; nil without it.
func theirs(t *testing.T, clean []float32, lost []bool) []float32 {
	t.Helper()
	program := filepath.Join(t.TempDir(), "oracle")
	if out, err := exec.CommandContext(t.Context(), "cc", "-O1", "-o", program, "testdata/plc_oracle.c", "-lspandsp", "-lm").CombinedOutput(); err != nil {
		t.Logf("there is no spandsp to compare with (Debian: libspandsp-dev): %v\n%s", err, out)
		return nil
	}
	var in []byte
	for i, l := range lost {
		flag := byte(0)
		if l {
			flag = 1
		}
		in = append(append(in, flag), samples16(clean[160*i:160*i+160])...)
	}
	cmd := exec.CommandContext(t.Context(), program)
	cmd.Stdin = bytes.NewReader(in)
	raw, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	out := make([]float32, len(raw)/2)
	for i := range out {
		out[i] = float32(int16(binary.LittleEndian.Uint16(raw[2*i:]))) / 32768
	}
	return out
}

// spectralDistance is how far, in dB, the powers in bands of 250 Hz are from those of the voice,
// in the mean over the frames that were lost in speech. Unlike a ratio of signal to noise it does
// not care for the phase, which the ear hardly hears. Powers count from -70 dBov on.
func spectralDistance(clean, heard []float32, lost []bool) float64 {
	const size, bands, perBand = 160, 14, 5 // DFT lines 50 Hz apart, 50 to 3500 Hz
	var table [size]struct{ s, c float64 }
	for i := range table {
		table[i].s, table[i].c = math.Sincos(2 * math.Pi * float64(i) / size)
	}
	powers := func(frame []float32) (out [bands]float64) {
		for line := range bands * perBand {
			var re, im float64
			for i, x := range frame {
				w := &table[(line+1)*i%size]
				re, im = re+float64(x)*w.c, im+float64(x)*w.s
			}
			out[line/perBand] += 2 * (re*re + im*im) / (size * size)
		}
		return out
	}
	var sum float64
	n := 0
	for k, l := range lost {
		frame := clean[size*k : size*k+size]
		if !l || power(frame) < -50 {
			continue
		}
		a, b := powers(frame), powers(heard[size*k:size*k+size])
		for band := range a {
			sum += math.Abs(10 * math.Log10((a[band]+1e-7)/(b[band]+1e-7)))
			n++
		}
	}
	return sum / float64(n)
}

// TestConcealmentIsAboutAsGoodAsSpandsps compares, frame by frame of speech that was lost or that
// follows a loss, with the voice that was sent. What a player without concealment makes of it,
// silence, and another implementation of the same Appendix stand beside it.
func TestConcealmentIsAboutAsGoodAsSpandsps(t *testing.T) {
	payloads := narrow(t)
	clean := concealed(t, payloads, make([]bool, len(payloads)))
	for _, percent := range []int{1, 3, 5, 10} {
		random := rand.New(rand.NewPCG(7, uint64(percent)))
		lost := make([]bool, len(payloads))
		for i := range lost {
			lost[i] = random.IntN(100) < percent
		}
		touched := func(k int) bool { return lost[k] || k > 0 && lost[k-1] }
		silent := append([]float32(nil), clean...)
		for i, l := range lost {
			if l {
				clear(silent[160*i : 160*i+160])
			}
		}
		ours := concealed(t, payloads, lost)
		mine, frames := mediatest.SegmentalSNR(clean, ours, 8000, touched)
		all, _ := mediatest.SegmentalSNR(clean, ours, 8000, nil)
		none, _ := mediatest.SegmentalSNR(clean, silent, 8000, touched)
		colour := spectralDistance(clean, ours, lost)
		if frames < 10*percent {
			t.Fatalf("%d %%: only %d frames compared", percent, frames)
		}
		other := theirs(t, clean, lost)
		if other == nil {
			t.Logf("%2d %% lost, %4d frames touched: SNR %.1f dB, with silence %.1f; of all frames %.1f; spectrum off by %.1f dB, with silence %.1f",
				percent, frames, mine, none, all, colour, spectralDistance(clean, silent, lost))
		} else {
			spandsp, _ := mediatest.SegmentalSNR(clean, other, 8000, touched)
			off := spectralDistance(clean, other, lost)
			t.Logf("%2d %% lost, %4d frames touched: SNR %.1f dB, spandsp %.1f, silence %.1f; of all frames %.1f; spectrum off by %.1f dB, spandsp %.1f, silence %.1f",
				percent, frames, mine, spandsp, none, all, colour, off, spectralDistance(clean, silent, lost))
			// spandsp fades twice as fast as the Appendix says, which the ratio rewards and the
			// spectrum does not.
			if mine < spandsp-1.5 || colour > off+0.6 {
				t.Errorf("%d %%: %.1f dB and %.1f dB off, spandsp makes %.1f and %.1f of it", percent, mine, colour, spandsp, off)
			}
		}
	}
}
