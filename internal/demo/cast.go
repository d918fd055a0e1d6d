package demo

import (
	"fmt"
	"path/filepath"

	"github.com/headroom-voice/headroom/dsp/dsptest"
	"github.com/headroom-voice/headroom/dsp/headset"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/media/wavfile"
	"github.com/headroom-voice/headroom/testdata"
)

// wearer is one agent of the demo: what they are called, what they wear and what the
// headset does to their voice.
type wearer struct {
	user   model.AgentID
	title  string
	model  string
	serial string
	speech string // file in testdata/speech
	fault  func(pcm []float32) []float32
	flaw   headset.Kind // what the headset ought to be flagged for; "" when it is sound
}

func (w wearer) headset() model.HeadsetID {
	return model.HeadsetInfo{Model: w.model, Serial: w.serial}.ID()
}

// The levels below are what the demo's rooms and people are like; the meters are not told.
const (
	demoModel      = "Demo H1"
	callerSpeech   = "caller-1"
	roomNoiseDBov  = -68 // a quiet office behind a sound headset
	faultNoiseDBov = -36 // a broken capsule's hiss
	overdriveDB    = 16
	clipCeiling    = 0.7 // of full scale: the fault of a worn capsule, not of a level setting
	softSpokenDB   = -10
)

func cast() []wearer {
	return []wearer{
		{user: "healthy", title: "Agent 1 (healthy headset)", model: demoModel, serial: "1001", speech: "agent-1",
			fault: func(pcm []float32) []float32 { return dsptest.AddNoise(pcm, roomNoiseDBov, 1) }},
		{user: "clipped", title: "Agent 2 (clipping headset)", model: demoModel, serial: "1002", speech: "agent-2", flaw: headset.Clipping,
			fault: func(pcm []float32) []float32 {
				return dsptest.Overdrive(dsptest.AddNoise(pcm, roomNoiseDBov-overdriveDB, 2), overdriveDB, clipCeiling)
			}},
		{user: "noisy", title: "Agent 3 (noisy headset)", model: demoModel, serial: "1003", speech: "agent-1", flaw: headset.Noise,
			fault: func(pcm []float32) []float32 { return dsptest.AddNoise(pcm, faultNoiseDBov, 3) }},
		{user: "soft", title: "Agent 4 (soft-spoken)", model: demoModel, serial: "1004", speech: "agent-2",
			fault: func(pcm []float32) []float32 {
				return dsptest.AddNoise(dsptest.Gain(pcm, softSpokenDB), roomNoiseDBov, 4)
			}},
	}
}

// writeVoices puts each wearer's microphone signal, and the caller's voice, into dir.
func writeVoices(dir string, people []wearer) error {
	for _, p := range people {
		pcm, rate, err := testdata.Samples(p.speech)
		if err != nil {
			return err
		}
		if err := wavfile.Write(voiceFile(dir, p), rate, p.fault(pcm)); err != nil {
			return fmt.Errorf("voice of %s: %w", p.user, err)
		}
	}
	pcm, rate, err := testdata.Samples(callerSpeech)
	if err != nil {
		return err
	}
	return wavfile.Write(callerFile(dir), rate, pcm)
}

func voiceFile(dir string, p wearer) string { return filepath.Join(dir, string(p.user)+".wav") }
func callerFile(dir string) string          { return filepath.Join(dir, "caller.wav") }
