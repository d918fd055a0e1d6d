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

// Metrics are the numbers of a whole call leg or file.
type Metrics struct {
	ActiveLevel     dsp.Value   `json:"active_level_dbov"`    // ITU-T P.56 method B, unfiltered
	ActiveLevelHP   dsp.Value   `json:"active_level_hp_dbov"` // the same behind a 100 Hz high-pass; the verdict uses this one
	Activity        dsp.Value   `json:"activity"`             // P.56 activity factor, 0..1
	Level           dsp.Value   `json:"rms_dbov"`             // RMS over everything scored
	NoiseFloor      dsp.Value   `json:"noise_floor_dbov"`
	NoiseFloorA     dsp.Value   `json:"noise_floor_dbov_a"`     // weighted as IEC 61672-1 A, with what lies below 100 Hz
	NoiseClass      noise.Class `json:"noise_class"`            // what the noise sounds like; "" when unknown
	NoiseConfidence float64     `json:"noise_class_confidence"` // 0..1
	SNR             dsp.Value   `json:"snr_db"`                 // speech (high-passed, the noise's energy taken off) - noise floor; true down to 10 dB
	Peak            dsp.Value   `json:"peak_dbov"`
	PeakFactor      dsp.Value   `json:"active_peak_factor_db"` // peak - active level
	ClippedShare    dsp.Value   `json:"clipped_share"`         // clipped samples / scored samples, 0..1
	ClipEvents      int         `json:"clip_events"`           // stretches of samples at a ceiling
	ClipCeiling     dsp.Value   `json:"clip_ceiling_dbov"`     // level of the ceiling the runs stand at
	DC              dsp.Value   `json:"dc_share"`              // offset / full scale, signed

	ClipLongest   int       `json:"clip_longest_samples"` // the longest stretch at a ceiling
	ClipFullScale bool      `json:"clip_full_scale"`      // that ceiling is full scale: the gain setting's, not the capsule's
	PeakCrowding  dsp.Value `json:"peak_crowding"`        // share of 20 ms of speech whose top lies within 3 dB of the highest
	PeakBend      dsp.Value `json:"peak_bend"`            // ln of how sharp the highest peaks are over the next; below 0 they are blunt

	HighLow     dsp.Value `json:"high_low_db"`  // speech at 4.5-7 kHz over 0.3-3.4 kHz
	HighMid     dsp.Value `json:"high_mid_db"`  // speech at 4.5-7 kHz over 2-3.4 kHz
	Rolloff     dsp.Value `json:"rolloff_db"`   // speech at 2.5-3.4 kHz over 1-2 kHz
	Bandwidth   dsp.Value `json:"bandwidth_hz"` // how far up speech reaches
	NarrowBand  bool      `json:"narrow_band"`  // it ends there as at a codec's or a sample rate's wall
	HighsMasked bool      `json:"highs_masked"` // noise hides the highs; the ratios are upper bounds

	HumHz          dsp.Value `json:"hum_hz"`             // of the mains whose comb is heard; None without
	HumLevel       dsp.Value `json:"hum_dbov"`           // of the comb up to 800 Hz
	HumProminence  dsp.Value `json:"hum_prominence_db"`  // of its lines over their neighbourhood
	HumSeconds     float64   `json:"hum_s"`              // in which it was heard
	BuzzHz         dsp.Value `json:"buzz_hz"`            // of the radio's pulses: 216.7 GSM, 100 DECT; None without
	BuzzLevel      dsp.Value `json:"buzz_dbov"`          // while it lasts
	BuzzProminence dsp.Value `json:"buzz_prominence_db"` // in the clearest burst
	BuzzSeconds    float64   `json:"buzz_s"`             // of it
	BuzzBursts     int       `json:"buzz_bursts"`        // stretches of it
	Pumping        dsp.Value `json:"pumping_db"`         // standard deviation of 10 s active levels
	PumpingSteady  dsp.Value `json:"pumping_steady_db"`  // the same without the quarter furthest off
	Pops           dsp.Value `json:"pops_per_minute"`    // puffs of breath, a minute of speech
	Wind           dsp.Value `json:"wind_share"`         // of the time, 0..1
	EchoLoss       dsp.Value `json:"echo_loss_db"`       // far end over its echo; None where none stands out
	EchoLossLeast  dsp.Value `json:"echo_loss_least_db"` // ... and then it is more than this
	EchoDelay      dsp.Value `json:"echo_delay_ms"`
	SpeechToEcho   dsp.Value `json:"speech_to_echo_db"`    // active level of the near voice over that of the echo
	FarOnly        float64   `json:"far_only_s"`           // of talk that the echo was looked for in
	Pace           dsp.Value `json:"syllables_per_second"` // of near speech
	ActiveValid    bool      `json:"active_level_valid"`   // false below about 16 dB SNR, where P.56 counts noise as speech
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
	Near           Party   `json:"near"`
	Far            Party   `json:"far"`
	Duration       float64 `json:"duration_s"`        // without holds
	Overtalk       float64 `json:"overtalk_s"`        // both speak
	OvertalkShare  float64 `json:"overtalk_share"`    // of the time in which anyone speaks, 0..1
	SilenceLongest float64 `json:"silence_longest_s"` // nobody speaks
	SilenceBeyond  float64 `json:"silence_beyond_s"`  // all such stretches without their first 2 s
}

// Party is one side of a Conversation.
type Party struct {
	Talk          float64   `json:"talk_s"`
	Share         float64   `json:"talk_share"` // of all speech, 0..1
	Monologue     float64   `json:"longest_monologue_s"`
	Interruptions int       `json:"interruptions"`         // of the other
	GapMedian     dsp.Value `json:"response_gap_median_s"` // until this party answers
	GapP90        dsp.Value `json:"response_gap_p90_s"`
}
