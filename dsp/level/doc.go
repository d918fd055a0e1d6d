// Package level measures how loud someone speaks: the active speech level of ITU-T
// P.56 method B, which counts the time a person speaks and not the pauses, together
// with RMS, peak and offset.
//
// Levels are dBov: 0 dBov is a power of 1.0, a full-scale sine reads -3.01. The
// figures agree with the ITU-T G.191 tool (actlevel) within its own spread.
//
//	m, err := level.New(16000)
//	...
//	m.Process(frame) // any number of samples, full scale ±1
//	fmt.Printf("%.1f dBov\n", m.Result().Active)
//
// A Pair measures a signal and its filtered self in one go, to the same figures.
package level
