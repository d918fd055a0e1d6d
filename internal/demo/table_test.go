package demo

import (
	"testing"

	"github.com/headroom-voice/headroom/dsp/headset"
	"github.com/headroom-voice/headroom/internal/api"
	"github.com/headroom-voice/headroom/internal/model"
)

func TestReasonsFitOneLineAndSayWhoseTheyAre(t *testing.T) {
	got := reasons([]api.VerdictFinding{
		{Kind: headset.Clipping, Blame: model.BlameHeadset},
		{Kind: headset.DCOffset, Blame: model.BlameHeadset},
		{Kind: headset.Loud, Blame: model.BlameSetting},
	})
	if want := "headset: clipping, dc offset; setting: loud"; got != want {
		t.Errorf("%q, wanted %q", got, want)
	}
	if got := reasons(nil); got != "" {
		t.Errorf("no findings are %q", got)
	}
}
