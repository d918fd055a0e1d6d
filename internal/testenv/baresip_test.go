package testenv_test

import (
	"testing"
	"time"

	"github.com/headroom-voice/headroom/agentclient"
	"github.com/headroom-voice/headroom/agentclient/audio/device/pulsetest"
	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/internal/testenv"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/mediatest"
)

func TestABaresipCallerHearsMusicThenTheAgentAndHangsUp(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		transport string
		codec     media.Codec
	}{{"udp", media.PCMU}, {"tcp", media.PCMA}} {
		t.Run(c.transport+" "+c.codec.String(), func(t *testing.T) {
			env := testenv.Start(t, testenv.Options{})
			caller := env.Baresip(testenv.BaresipConfig{Transport: c.transport, Codec: c.codec, Hz: 440, DBov: -18})
			hearsMusic(t, caller.Heard())

			// Not Env.Agent: the call is there before anybody could see this one ready.
			agent := testenv.NewAgent(t, "agent", testenv.AgentOptions{Server: env.URL(), Mic: mediatest.Tone(testenv.MicRate, 1000, -20, testenv.MicRate)})
			testenv.Await[agentclient.CallStarted](agent, 1)
			testenv.Hears(t, "the agent", 440, -18, testenv.EarRate, agent.Ear.Last)
			testenv.Hears(t, "baresip", 1000, -20, pulsetest.Rate, caller.Heard().Last)

			caller.Hangup()
			testenv.Await[agentclient.CallEnded](agent, 1)
			record := testenv.OpenRecord(t, env.Process)
			testenv.Eventually(t, "the record says that the caller hung up", func() bool {
				call := testenv.OnlyCall(t, record).Call
				return call.EndedAt != nil && call.Cause == model.CauseCallerHungUp
			})
		})
	}
}

// hearsMusic waits for two seconds of the music while waiting: -26 dBov on average.
func hearsMusic(t *testing.T, heard *pulsetest.Recording) {
	t.Helper()
	level := dsp.SilenceDBov
	testenv.Eventually(t, "baresip hears the music while waiting", func() bool {
		pcm := heard.Last(2 * time.Second)
		var power float64
		for _, v := range pcm {
			power += float64(v) * float64(v) / float64(len(pcm))
		}
		level = dsp.PowerDBov(power)
		return len(pcm) == 2*pulsetest.Rate && level > -29 && level < -23
	})
	t.Logf("music while waiting at %.1f dBov", level)
}
