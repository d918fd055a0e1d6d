// Command accuracy is the fault bench: it makes calls of known faults from real voices,
// passes them through codecs and lossy networks as the service would, lets dsp/headset
// judge them, and scores what was found against what was put in. `make accuracy` writes
// docs/accuracy.md, which also states the rules of truth.
//
//	go run ./internal/accuracy -quick                     # two minutes
//	go run ./internal/accuracy -quick -only clipping -v   # a line a case
//	go run ./internal/accuracy -case noise/pink/just/it/0@mic -wav out.wav
//
// A scene is one made recording (kind/variant/severity/voice/number); a case is a scene
// heard on one path (scene@mic, scene@opus24, …). Everything random follows from the
// scene's name.
package main
