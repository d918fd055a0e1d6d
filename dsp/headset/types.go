package headset

import (
	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/noise"
)

// Tap says where the samples were taken.
type Tap string

// The two taps. A fault seen at the microphone belongs to the headset, the fit or
// the room; one seen only on the wire belongs to the network or a processor.
const (
	TapMic  Tap = "mic"  // raw PCM in the desktop client, before any codec
	TapWire Tap = "wire" // decoded by the service
)

// Kind names a fault. The names are the same in every file, page and message.
type Kind string

// The faults a report can hold.
const (
	Dead     Kind = "dead"
	Quiet    Kind = "quiet"
	Loud     Kind = "loud"
	Clipping Kind = "clipping"
	Noise    Kind = "noise"
	Hum      Kind = "hum"
	Buzz     Kind = "buzz"
	Dropout  Kind = "dropout"
	Crackle  Kind = "crackle"
	Muffled  Kind = "muffled"
	Echo     Kind = "echo"
	DCOffset Kind = "dc_offset"
	Pumping  Kind = "pumping"
)

// Severity grades a finding.
type Severity string

// The severities.
const (
	Watch Severity = "watch"
	Bad   Severity = "bad"
)

// Reading is what one second of audio measured. Fields that could not be measured
// in that second are dsp.None.
type Reading struct {
	At          float64   `json:"at_s"`              // seconds since the first sample, at the end of the second
	Level       dsp.Value `json:"level_dbov"`        // RMS of the scored samples
	ActiveLevel dsp.Value `json:"active_level_dbov"` // P.56 active speech level over the last 10 s
	NoiseFloor  dsp.Value `json:"noise_floor_dbov"`  // high-passed noise floor over the last 10 s
	Peak        dsp.Value `json:"peak_dbov"`         // largest absolute sample of the second
	Clipped     dsp.Value `json:"clipped_share"`     // clipped samples / scored samples, 0..1
	Speech      float64   `json:"speech_share"`      // share of the second in which someone spoke, 0..1
	Scored      float64   `json:"scored_share"`      // share of the second that carried no mark, 0..1
}

// Metrics are the numbers of a whole call leg or file. What could not be measured is
// dsp.None. The doc tags are what the service's OpenAPI document says.
type Metrics struct {
	// Level
	ActiveLevel   dsp.Value `json:"active_level_dbov" doc:"Active speech level, ITU-T P.56 method B, unfiltered, dBov"`
	ActiveLevelHP dsp.Value `json:"active_level_hp_dbov" doc:"The same behind a 100 Hz high-pass, dBov; the verdict uses this one"`
	ActiveValid   bool      `json:"active_level_valid" doc:"False below about 16 dB SNR, where P.56 counts noise as speech"`
	Activity      dsp.Value `json:"activity" doc:"P.56 activity factor, 0..1"`
	Level         dsp.Value `json:"rms_dbov" doc:"RMS over everything scored, dBov"`
	Peak          dsp.Value `json:"peak_dbov" doc:"Largest absolute sample, dBov"`
	PeakFactor    dsp.Value `json:"active_peak_factor_db" doc:"Peak over active level, dB"`
	Pumping       dsp.Value `json:"pumping_db" doc:"Standard deviation of the active levels of 10 s, dB"`
	PumpingSteady dsp.Value `json:"pumping_steady_db" doc:"The same without the quarter furthest off, dB"`
	DC            dsp.Value `json:"dc_share" doc:"Offset over full scale, signed"`

	// Noise
	NoiseFloor      dsp.Value   `json:"noise_floor_dbov" doc:"Noise floor over 100 Hz, dBov"`
	NoiseFloorA     dsp.Value   `json:"noise_floor_dbov_a" doc:"Noise floor weighted as IEC 61672-1 A, dBov"`
	NoiseClass      noise.Class `json:"noise_class" doc:"What the noise sounds like: hiss, hum, buzz, babble, room, music, or empty when unknown"`
	NoiseConfidence float64     `json:"noise_class_confidence" doc:"How sure that is, 0..1"`
	SNR             dsp.Value   `json:"snr_db" doc:"Speech (high-passed, the noise's energy taken off) over noise floor, dB; true down to 10 dB"`
	HumHz           dsp.Value   `json:"hum_hz" doc:"Frequency of the mains whose comb is heard; null without hum"`
	HumLevel        dsp.Value   `json:"hum_dbov" doc:"Level of the mains comb up to 800 Hz, dBov"`
	HumProminence   dsp.Value   `json:"hum_prominence_db" doc:"Lines of the mains comb over their neighbourhood, dB"`
	HumSeconds      float64     `json:"hum_s" doc:"Seconds in which hum was heard"`
	BuzzHz          dsp.Value   `json:"buzz_hz" doc:"Pulses a second of the radio that is heard: 216.7 GSM, 100 DECT; null without buzz"`
	BuzzLevel       dsp.Value   `json:"buzz_dbov" doc:"Level of the buzz while it lasts, dBov"`
	BuzzProminence  dsp.Value   `json:"buzz_prominence_db" doc:"Lines of the clearest burst over their neighbourhood, dB"`
	BuzzSeconds     float64     `json:"buzz_s" doc:"Seconds of buzz"`
	BuzzBursts      int         `json:"buzz_bursts" doc:"Stretches of buzz"`

	// Clipping
	ClippedShare  dsp.Value `json:"clipped_share" doc:"Clipped samples over scored samples, 0..1"`
	ClipEvents    int       `json:"clip_events" doc:"Stretches of samples at a ceiling"`
	ClipLongest   int       `json:"clip_longest_samples" doc:"Samples of the longest stretch at a ceiling"`
	ClipCeiling   dsp.Value `json:"clip_ceiling_dbov" doc:"Level of the ceiling, dBov; null where nothing clips"`
	ClipFullScale bool      `json:"clip_full_scale" doc:"The ceiling is full scale: the gain setting's, not the capsule's"`
	PeakCrowding  dsp.Value `json:"peak_crowding" doc:"Share of speech (20 ms at a time) whose top lies within 3 dB of the highest, 0..1"`
	PeakBend      dsp.Value `json:"peak_bend" doc:"How sharp the highest peaks are against the next, natural logarithm; below 0 they are blunt"`

	// Glitches
	DropoutRate    dsp.Value `json:"dropouts_per_5min" doc:"Drop-outs, buffers played twice and blocks missing, in five minutes"`
	DropoutLongest dsp.Value `json:"dropout_longest_ms" doc:"The longest of the drop-outs, ms; null without"`
	Repeats        int       `json:"repeated_buffers" doc:"Buffers played twice"`
	Slips          int       `json:"sample_slips" doc:"Jumps where samples are missing"`
	CrackleRate    dsp.Value `json:"crackles_per_minute" doc:"Clusters of clicks in a minute"`

	// Band
	HighLow     dsp.Value `json:"high_low_db" doc:"Speech at 4.5 to 7 kHz over 0.3 to 3.4 kHz, dB"`
	HighMid     dsp.Value `json:"high_mid_db" doc:"Speech at 4.5 to 7 kHz over 2 to 3.4 kHz, dB"`
	Rolloff     dsp.Value `json:"rolloff_db" doc:"Speech at 2.5 to 3.4 kHz over 1 to 2 kHz, dB"`
	Bandwidth   dsp.Value `json:"bandwidth_hz" doc:"How far up speech reaches, Hz"`
	NarrowBand  bool      `json:"narrow_band" doc:"Speech ends there as at the wall of a codec or a sample rate"`
	HighsMasked bool      `json:"highs_masked" doc:"Noise hides the highs; the three ratios are upper bounds"`

	// Breath: where the boom stands, not a fault
	Pops dsp.Value `json:"pops_per_minute" doc:"Puffs of breath in a minute of speech"`
	Wind dsp.Value `json:"wind_share" doc:"Share of the time with wind on the microphone, 0..1"`
	Fit  string    `json:"fit_hint" doc:"What to do about them, in a sentence; empty where nothing is: a hint, never a fault"`

	// Echo
	EchoLoss      dsp.Value `json:"echo_loss_db" doc:"Far end over its echo, dB; null where no echo stands out"`
	EchoLossLeast dsp.Value `json:"echo_loss_least_db" doc:"Where no echo stands out: the loss is more than this, dB"`
	EchoDelay     dsp.Value `json:"echo_delay_ms" doc:"How long after the far end its echo comes, ms"`
	SpeechToEcho  dsp.Value `json:"speech_to_echo_db" doc:"Near speech over the echo, dB"`
	FarOnly       float64   `json:"far_only_s" doc:"Seconds of far-end talk alone, in which echo was looked for"`

	Pace dsp.Value `json:"syllables_per_second" doc:"Pace of near speech"`
}

// Finding is one fault with the number that shows it.
type Finding struct {
	Kind     Kind      `json:"kind"`
	Severity Severity  `json:"severity"`
	Value    dsp.Value `json:"value"` // the metric, in the unit of its limit
	Limit    dsp.Value `json:"limit"` // the limit it crossed
	Text     string    `json:"text"`  // a sentence with what to do
}

// Event is a moment at which a fault showed.
type Event struct {
	Kind   Kind    `json:"kind"`
	At     float64 `json:"at_s"`     // seconds since the first sample
	Length float64 `json:"length_s"` // seconds; clipping is told a second at a time
}

// Report is what a whole call leg or file measured.
type Report struct {
	Tap          Tap       `json:"tap"`
	Codec        Codec     `json:"codec,omitempty"` // what carried the last samples to the wire tap, if known
	SampleRate   int       `json:"sample_rate"`     // Hz
	Duration     float64   `json:"duration_s"`      // all samples, scored or not
	ActiveSpeech float64   `json:"active_speech_s"` // scored speech
	Metrics      Metrics   `json:"metrics"`
	Findings     []Finding `json:"findings"` // never nil

	Conversation *Conversation `json:"conversation"` // nil without a far end
}

// Conversation is how the two parties talk with each other: shown, never a fault. The
// words are those of package talk.
type Conversation struct {
	Near           Party   `json:"near" doc:"Who wears the headset"`
	Far            Party   `json:"far" doc:"The other party"`
	Duration       float64 `json:"duration_s" doc:"Seconds of conversation, without holds"`
	Overtalk       float64 `json:"overtalk_s" doc:"Seconds in which both speak"`
	OvertalkShare  float64 `json:"overtalk_share" doc:"The same as a share of the time in which anyone speaks, 0..1"`
	SilenceLongest float64 `json:"silence_longest_s" doc:"Longest time in which nobody speaks, seconds"`
	SilenceBeyond  float64 `json:"silence_beyond_s" doc:"Seconds of silence beyond the first 2 s of each stretch"`
}

// Party is one side of a Conversation.
type Party struct {
	Talk          float64   `json:"talk_s" doc:"Seconds of speech"`
	Share         float64   `json:"talk_share" doc:"Share of all speech, 0..1"`
	Monologue     float64   `json:"longest_monologue_s" doc:"Longest time without a turn of the other, seconds"`
	Interruptions int       `json:"interruptions" doc:"How often this party interrupted the other"`
	GapMedian     dsp.Value `json:"response_gap_median_s" doc:"Seconds until this party answers: the median"`
	GapP90        dsp.Value `json:"response_gap_p90_s" doc:"The same: nine of ten answers come within"`
}
