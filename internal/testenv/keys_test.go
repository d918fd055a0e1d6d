package testenv_test

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/agentclient"
	"github.com/headroom-voice/headroom/agentclient/audio/device/pulsetest"
	"github.com/headroom-voice/headroom/dsp/dtmf"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/internal/testenv"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/prompt"
	"github.com/headroom-voice/headroom/media/rtp"
	"github.com/headroom-voice/headroom/media/sip"
)

// keyCaller is a caller on a trunk with a keypad, who says 700 Hz.
func keyCaller(t *testing.T, env *testenv.Env) *sip.Call {
	t.Helper()
	ports, err := rtp.NewPorts(netip.MustParseAddr("127.0.0.1"), 24700, 24799, 0)
	if err != nil {
		t.Fatal(err)
	}
	client, err := sip.NewClient(sip.Config{UDP: "127.0.0.1:0", Ports: ports}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	pacer := prompt.NewPacer()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 2)
	go func() { ended <- client.Run(ctx) }()
	go func() { ended <- pacer.Run(ctx) }()
	dialling, enough := context.WithTimeout(t.Context(), testenv.Patience)
	defer enough()
	call, err := client.Dial(dialling, sip.Outgoing{Target: "sip:" + testenv.Number + "@" + env.SIP().String()})
	t.Cleanup(func() { stop(); _, _ = <-ended, <-ended })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pacer.Play(call.Leg(), testenv.Tone(700, -18)))
	return call
}

// presses waits for keys at the far end of a call.
func presses(t *testing.T, call *sip.Call, want string) {
	t.Helper()
	for i, w := range want {
		select {
		case got := <-call.Digits():
			if got != w {
				t.Errorf("key %d: %q, want %q", i, got, w)
			}
		case <-time.After(testenv.Patience):
			t.Fatalf("key %d, %q, did not come", i, w)
		}
	}
}

// tones are the keys in what was heard.
func tones(pcm []float32) string {
	d, err := dtmf.New(testenv.CallerRate)
	if err != nil {
		return err.Error()
	}
	var b strings.Builder
	for _, digit := range d.Flush(d.Process(nil, pcm)) {
		b.WriteByte(digit.Key)
	}
	return b.String()
}

func TestKeysGoFromTheAgentToTheCallerAndFromTheCallerToWhomTheyArePassedOnTo(t *testing.T) {
	t.Parallel()
	env, carrier, agent := dialling(t, testenv.Options{})
	caller := keyCaller(t, env)
	id := testenv.Await[agentclient.CallStarted](agent, 1).Call.ID
	testenv.Hears(t, "the agent", 700, -18, testenv.EarRate, agent.Ear.Last)
	agent.SendDigits(id, "15#")
	presses(t, caller, "15#")

	agent.Secret(id, true)
	record := testenv.OpenRecord(t, env.Process)
	kinds := func() (out []string) {
		for _, e := range testenv.OnlyCall(t, record).Events {
			if e.Kind == "dtmf" || e.Kind == "dtmf_sent" || strings.HasPrefix(e.Kind, "secret") {
				out = append(out, e.Kind+" "+e.Detail["count"]+e.Detail["secret"])
			}
		}
		return out
	}
	testenv.Eventually(t, "the secret began", func() bool { return slices.Contains(kinds(), "secret_began ") })
	if err := caller.SendDigits("4111"); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, "the secret keys came", func() bool { return slices.Contains(kinds(), "dtmf true") })
	agent.Secret(id, false)

	agent.Transfer(id, friend)
	callee := carrier.Next() // who takes no telephone-events
	callee.Takes(media.PCMU)
	callee.Answers(nil)
	testenv.Hears(t, "the callee", 700, -18, testenv.CallerRate, callee.Last)
	if err := caller.SendDigits("907"); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, "the callee hears the keys as tones", func() bool { return tones(callee.Last(10*time.Second)) == "907" })
	testenv.Hears(t, "the callee, afterwards,", 700, -18, testenv.CallerRate, callee.Last)
	callee.HangsUp()
	within(t, "the caller hears of the end", caller.Done())
	if story, _ := ended(t, env, 2); story.Call.Cause != model.CauseCalleeHungUp {
		t.Errorf("%s", story.Call.Cause)
	}
	want := []string{"dtmf_sent 3", "secret_began ", "dtmf true", "secret_ended ", "dtmf 3"}
	if got := kinds(); !slices.Equal(got, want) {
		t.Errorf("story %q, want %q", got, want)
	}
}

func TestTheKeysOfADeskPhoneGoToTheCaller(t *testing.T) {
	t.Parallel()
	env := testenv.Start(t, testenv.Options{Site: testenv.WithPhones})
	phone := atDesk(t, env, testenv.DeskPhoneConfig{User: "agent", Hz: 1000, DBov: -20, Ear: pulsetest.Start(t, "desk"), Headset: "desk"})
	caller := keyCaller(t, env)
	phone.Says("Incoming call", 1)
	phone.Press("/accept")
	is(t, env, "agent", model.OnCall)
	testenv.Hears(t, "the agent", 700, -18, pulsetest.Rate, phone.Heard().Last)
	for _, key := range "27#" {
		phone.Press("/sndcode " + string(key))
		presses(t, caller, string(key))
	}
	phone.Press("/hangup")
	within(t, "the caller hears of the end", caller.Done())
}
