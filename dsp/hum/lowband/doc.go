// Package lowband gives what lies below about 900 Hz at a rate of about 2 kHz, for the
// meters of hum, breath and offset: one decimator, however many readers.
//
//	d, err := lowband.New(16000)
//	low := make([]float32, 0, d.Cap(320))
//	...
//	low = d.Process(low[:0], block) // 320 samples in, 40 out
//
// The filter is a triangle over two output periods, the cheapest that keeps voices out
// of the lowest octaves: what would fold onto 50 Hz is 62 dB down, onto 500 Hz 20 dB.
// It lets 100 Hz pass at -0.07 dB and 800 Hz at -4.8 dB; Gain tells exactly.
package lowband
