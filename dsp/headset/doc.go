// Package headset puts the meters together: frames of one microphone go in, a Reading a
// second and a Report at the end come out.
//
//	a, err := headset.New(headset.Config{SampleRate: 16000, Tap: headset.TapMic})
//	...
//	a.Process(frame, 0) // any number of samples, full scale ±1; allocates nothing
//	for r, ok := a.Reading(); ok; r, ok = a.Reading() { ... }
//	report := a.Report()
//
// Samples that carry a mark (lost, concealed, comfort noise, held, muted) pass the time
// but are never scored. Time is samples seen; how they are cut into frames changes
// nothing; broken samples count as zero.
//
// The same analyzer stands at two taps. At the microphone clipping is counted exactly,
// at whatever ceiling it stands, and an offset is seen. On the wire a codec has rounded
// the tops: there the evidence is samples near full scale inside speech, and how speech
// crowds below a ceiling (peak factor and share of frames near the top).
//
// What makes a finding is in Limits; nothing is judged on less speech than
// Limits.MinActive.
package headset
