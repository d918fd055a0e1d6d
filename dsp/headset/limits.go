package headset

// Limit is where a metric turns from good to Watch and from Watch to Bad. Whether
// more or less is worse is the metric's own; each field of Limits says.
type Limit struct {
	Watch float64 `yaml:"watch" json:"watch"`
	Bad   float64 `yaml:"bad" json:"bad"`
}

// Limits is the one table of what counts as a fault. Start from DefaultLimits and
// change what a site wants different. Sources: [Q] Microsoft's Call Quality
// Dashboard streams, [M] measured on real and synthetic speech, [A] assumption.
type Limits struct {
	// Quiet is the active speech level behind the 100 Hz high-pass, dBov; lower is worse. [Q]
	Quiet Limit `yaml:"quiet_dbov" json:"quiet_dbov"`
	// Loud is the same level on its upper side, dBov; higher is worse. [Q], bad [A]
	Loud Limit `yaml:"loud_dbov" json:"loud_dbov"`
	// Noise is the high-passed noise floor, dBov; higher is worse. [Q]
	Noise Limit `yaml:"noise_dbov" json:"noise_dbov"`
	// SNR is speech over noise, dB; lower is worse. It grades noise that is above
	// Noise.Watch anyway; alone it only says that someone speaks softly.
	SNR Limit `yaml:"snr_db" json:"snr_db"`
	// Muffled is how far the high/low ratio may lie under Config.HighLowBaseline, dB; more is
	// worse. [M]
	Muffled Limit `yaml:"muffled_db" json:"muffled_db"`
	// MuffledHighs is what counts as muffled without a baseline: 4.5-7 kHz over 2-3.4 kHz,
	// dB; less is worse. Clear voices have -9 to +5, after Opus a decibel less. [M]
	MuffledHighs Limit `yaml:"muffled_highs_db" json:"muffled_highs_db"`
	// MuffledRolloff is the same for 2.5-3.4 kHz over 1-2 kHz, which a narrow-band source has
	// too. Clear voices have -9 to -1, behind a low-pass at 1.5 kHz -23 to -34. [M]
	MuffledRolloff Limit `yaml:"muffled_rolloff_db" json:"muffled_rolloff_db"`
	// Clipping is the share of samples that stand at a ceiling, 0..1; higher is worse. [M]
	Clipping Limit `yaml:"clipped_share" json:"clipped_share"`
	// PeakFactor is the active peak factor in dB, lower is worse. With TopShare it shows
	// clipping where a codec has rounded the flat tops away. Clean speech has 13.4 to
	// 20.7 [M]; both must be beyond the limit for a finding. Neither is ever bad unless a
	// site says so: behind a codec a limiter looks the same. [M]
	PeakFactor Limit `yaml:"peak_factor_db" json:"peak_factor_db"`
	// TopShare is the share of speech frames (20 ms) whose highest sample lies within
	// 3 dB of the highest of all; higher is worse. Clean speech has 0.02 to 0.12, speech
	// driven 12 dB into a ceiling 0.27 to 0.57, after Opus 0.15 to 0.46. [M]
	TopShare Limit `yaml:"top_share" json:"top_share"`
	// PeakBend is how blunt peaks become as they come near their ceiling (clip.Peaks), at
	// the microphone; lower is worse. Clean speech has -0.4 to 0.6, limited speech -0.8 to
	// 0.2, speech of which 5 % was driven past a soft ceiling -0.87 to -2.8. [M]
	PeakBend Limit `yaml:"peak_bend" json:"peak_bend"`
	// DC is the absolute mean in shares of full scale at the microphone; higher is worse. [A]
	DC Limit `yaml:"dc_share" json:"dc_share"`
	// Hum is how far the mains comb stands out of its neighbourhood, dB; higher is worse.
	// HumLevel must be crossed as well. GSM 03.50 note 2, bad [A]
	Hum Limit `yaml:"hum_prominence_db" json:"hum_prominence_db"`
	// HumLevel is the level of the comb, dBov; higher is worse. [A]
	HumLevel Limit `yaml:"hum_dbov" json:"hum_dbov"`
	// HumSeconds is how much hum is needed for a finding.
	HumSeconds float64 `yaml:"hum_s" json:"hum_s"`
	// Buzz and BuzzLevel are the same for the bursts of a radio, while they last. [A]
	Buzz      Limit `yaml:"buzz_prominence_db" json:"buzz_prominence_db"`
	BuzzLevel Limit `yaml:"buzz_dbov" json:"buzz_dbov"`
	// BuzzSeconds is how much buzz is needed for a finding.
	BuzzSeconds float64 `yaml:"buzz_s" json:"buzz_s"`
	// Pumping is the standard deviation of 10 s active levels, dB; higher is worse. A voice
	// reading at ease has 0.4 to 1.3 [M]; limits [A]
	Pumping Limit `yaml:"pumping_db" json:"pumping_db"`
	// MinPumping is how many stretches of 10 s with speech it is judged from.
	MinPumping float64 `yaml:"min_pumping_stretches" json:"min_pumping_stretches"`
	// Echo is the echo loss from far end to microphone, dB; lower is worse. 3GPP TS 26.132
	// clause 8.7, bad [Q]
	Echo Limit `yaml:"echo_loss_db" json:"echo_loss_db"`
	// Dropouts is how often in five minutes samples go missing; more is worse. [Q]
	Dropouts Limit `yaml:"dropouts_per_5min" json:"dropouts_per_5min"`
	// Crackle is how many clusters of clicks a minute has; more is worse. [A]
	Crackle Limit `yaml:"crackles_per_minute" json:"crackles_per_minute"`
	// DeadSeconds is how long digital silence or a frozen sample lasts before the
	// microphone counts as dead.
	DeadSeconds float64 `yaml:"dead_s" json:"dead_s"`
	// UnansweredSeconds is how long the far end, once it has spoken, may wait for the
	// first word of the near end before the microphone counts as dead.
	UnansweredSeconds float64 `yaml:"unanswered_s" json:"unanswered_s"`
	// MinActive is the active speech in seconds below which level, noise and clipping
	// are not judged.
	MinActive float64 `yaml:"min_active_s" json:"min_active_s"`
	// MinActivePeak is the same for the peak factor.
	MinActivePeak float64 `yaml:"min_active_peak_s" json:"min_active_peak_s"`
}

// DefaultLimits gives the table as shipped.
func DefaultLimits() Limits {
	return Limits{
		Quiet:             Limit{Watch: -30, Bad: -36},
		Loud:              Limit{Watch: -18, Bad: -15},
		Noise:             Limit{Watch: -50, Bad: -41},
		SNR:               Limit{Watch: 25, Bad: 15},
		Muffled:           Limit{Watch: 8, Bad: 12},
		MuffledHighs:      Limit{Watch: -13, Bad: -15},
		MuffledRolloff:    Limit{Watch: -12, Bad: -14},
		Clipping:          Limit{Watch: 0.0001, Bad: 0.001},
		PeakFactor:        Limit{Watch: 14.5, Bad: 0},
		TopShare:          Limit{Watch: 0.2, Bad: 1},
		PeakBend:          Limit{Watch: -0.4, Bad: -0.9},
		DC:                Limit{Watch: 0.005, Bad: 0.01},
		Hum:               Limit{Watch: 10, Bad: 15},
		HumLevel:          Limit{Watch: -62, Bad: -50},
		HumSeconds:        8,
		Buzz:              Limit{Watch: 10, Bad: 15},
		BuzzLevel:         Limit{Watch: -62, Bad: -50},
		BuzzSeconds:       1,
		Pumping:           Limit{Watch: 2, Bad: 4},
		MinPumping:        6,
		Echo:              Limit{Watch: 46, Bad: 30},
		Dropouts:          Limit{Watch: 1, Bad: 5},
		Crackle:           Limit{Watch: 1, Bad: 6},
		DeadSeconds:       4,
		UnansweredSeconds: 30,
		MinActive:         5,
		MinActivePeak:     10,
	}
}
