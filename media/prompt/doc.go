// Package prompt plays what no party says: music on hold, tones. One Pacer keeps time
// for all of them, because a timer per call costs more than the sound does.
package prompt
