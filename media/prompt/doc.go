// Package prompt plays what no party says: music on hold, tones, recordings, a spoken place in a
// queue. One Pacer keeps time for all of them, and for the conferences of media/bridge, because a
// timer per call costs more than the sound does.
//
// Nothing clicks: what is played fades in and out, and a Program, which is one leg's music and
// announcements, lets the music make room before somebody speaks. The English voice in voice/ was
// synthesised by make.sh there, with espeak-ng; it is the project's own and ships under its licence.
package prompt
