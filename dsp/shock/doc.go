// Package shock protects ears that wear a headset from what comes suddenly or does not stop:
// bangs, bursts of noise, shouts into a microphone, the tones of fax machines and modems,
// alarms, feedback. Speech, music, keypad and ringing tones pass as they are, to the last bit.
//
// What it follows: ITU-T P.360 (07/2006) and ETSI EG 202 518 limit what a headset may give in
// the worst case, 118 dB(A), to prevent injury. Startle begins lower. Guideline G616 of the
// Australian industry (ACIF 2004, Communications Alliance 2013) has 102 dB SPL at the eardrum
// as the most that equipment with protection against acoustic shock gives, and as little as
// 85 dB(A) over a day counts under Directive 2003/10/EC (article 3). None of them knows digital
// levels, so a headset is assumed: speech at -26 dBov is heard at 79 dB SPL, the preferred
// listening level of ITU-T P.830, and the volume may stand up to 12 dB higher. docs/ears.md
// has the sums.
//
// A sound is a burst when its power over 5 ms exceeds the talker's level by more than
// speech's does, or its power over some 50 ms; and, whatever the talker, when it exceeds the
// absolute limits below. It is a tone when one undamped sinusoid explains all there is to hear,
// long enough and evenly enough that no voice does it: x[n]+x[n-2] = 2·cos(w)·x[n-1] holds for
// a steady sine whatever its level and phase, and a least-squares fit of it to 10 ms gives both
// frequency and what is left.
package shock
