// Package plot draws a recording as a picture for a ticket: what was found, the waveform
// with the faults marked in it, the spectrogram and the level over time, as SVG or PNG.
//
//	rec := plot.NewRecorder(16000, false)
//	rec.Add(samples, nil)        // as they come, any number
//	rec.Reading(r); rec.Event(e) // as the meter gives them
//	err := plot.Picture{Title: "call.wav", Recorder: rec}.Write(w, plot.PNG)
//
// The length of a recording is not known in advance, and an hour has more samples than
// memory should hold. So a Recorder keeps columns: when it has some thousands it joins
// them two by two and goes on with columns twice as long. A day takes as much memory as a
// minute, about 2 MiB.
//
// The drawing is in draw.go, once, on a canvas of five methods; svg.go and png.go are the
// two canvases. A plotting library was weighed (gonum.org/v1/plot: nine more modules,
// fonts and PDF in the program, some 6 MB) and left: the panels here share one time axis
// and stand under text, and that is most of the code in either case. What is needed to put
// letters and slanted lines into pixels comes from golang.org/x/image.
package plot
