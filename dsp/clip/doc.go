// Package clip finds hard clipping in PCM that no codec has touched: samples that stand
// at a ceiling, wherever the ceiling lies. A microphone that clips before its gain is
// turned down, or a capsule that gives up, has its ceiling below full scale.
//
// What shows a ceiling is a flat run: three or more equal samples with a sharp corner on
// each side, the highest of their second. A loud clean voice, a tone or a keypad reaches
// the same height again and again too, but rounds off; coarse quantisation (G.711, 8
// bit) makes flat tops too, but only small corners. Once three flat runs stand at one
// height, every sample at that height in a second that goes no higher is counted,
// exactly, also those from before the ceiling was known.
//
// After Opus nothing is flat any more: what remains there is the active peak factor, and
// samples near full scale (Hot).
package clip
