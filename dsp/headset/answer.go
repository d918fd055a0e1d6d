package headset

import (
	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/vad"
)

// What counts as an answer of the near end.
const (
	farSpoken   = 2.0   // seconds that the other party must have said to expect one
	echoBlocks  = 25    // speech within 0.5 s of the far end's may be its echo ...
	echoUnderDB = 6.0   // ... unless it is no softer than this below
	faintDBov   = -52.0 // a talker's blocks are louder: 25 dB under what is too quiet, and a peak
	fallDB      = 0.4   // a block by which the far end's level is forgotten
	answered    = 10    // blocks of such speech that make an answer
	turnBlocks  = 50    // a far turn of this length ...
	pauseBlocks = 100   // ... and this long a pause ask for an answer
	asked       = 5     // times without one, in UnansweredSeconds twice over: suspicious
)

// answer watches whether the near end ever answers.
type answer struct {
	waited  uint64  // near blocks since the far end had spoken for farSpoken
	words   int     // blocks of near speech that answer; from answered on it has
	echoed  int     // blocks of near speech that may be the far end in the room
	faint   int     // ... and that are too soft for a talker
	quiet   int     // near blocks since the far end spoke
	farDBov float64 // its highest level of late

	turn    int    // blocks of the far end's turn
	asked   int    // turns since the last near speech that ended in a pause
	since   uint64 // near blocks since near speech
	longest uint64 // such stretch in which the far end asked often
}

// newAnswer begins where nobody has spoken yet: the first words are no echo.
func newAnswer() answer { return answer{quiet: pauseBlocks, farDBov: dsp.SilenceDBov} }

// next takes a scored block of the near end.
func (w *answer) next(near vad.Frame, f farBlock) {
	w.farDBov = max(w.farDBov-fallDB, dsp.SilenceDBov)
	if f.speaks {
		w.quiet, w.farDBov = 0, max(w.farDBov, f.dBov)
		w.turn++
	} else if w.quiet++; w.quiet == pauseBlocks {
		if w.turn >= turnBlocks {
			w.asked++
		}
		w.turn = 0
	}
	w.since++
	if near.Speech {
		w.heard(near)
	}
	if f.speechTo >= farSpoken {
		w.waited++
	}
	if w.asked >= asked {
		w.longest = max(w.longest, w.since)
	}
}

func (w *answer) heard(near vad.Frame) {
	switch {
	case near.LevelDBov < faintDBov:
		w.faint++
	case w.quiet < echoBlocks && near.LevelDBov < w.farDBov-echoUnderDB:
		w.echoed++
	default:
		w.words++
		w.since, w.asked = 0, 0
	}
}

// never says that there was no answer. Speech in the shadow of the far end's is none only
// where an echo is proven: a soft voice may speak at the same time.
func (w *answer) never(echo bool) bool {
	return w.words < answered && (w.echoed < answered || echo)
}
