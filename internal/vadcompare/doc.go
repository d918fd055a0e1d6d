// Command vadcompare measures the speech detector of dsp/vad against others on the same
// recordings and writes docs/vad.md. Run it by `make vad-compare`.
//
// It needs the voices (Debian's asterisk-core-sounds-{en,es,fr,it,ru}-g722, which ffmpeg
// decodes, and pocketsphinx-testdata) and music (asterisk-moh-opsound-wav). Of the others'
// detectors, those on npm are installed into build/vadcompare at the versions that
// outside.go names and run under node; WebRTC's own is compiled with g++ from Debian's
// libwebrtc-audio-processing-dev, where that is installed. One that cannot be had is left
// out of the tables, and the page says so.
package main
