//go:build linux

package talk

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/pion/srtp/v3"

	"github.com/headroom-voice/headroom/internal/load/mark"
	"github.com/headroom-voice/headroom/internal/load/ng"
	"github.com/headroom-voice/headroom/internal/load/stream"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/rtp"
	"github.com/headroom-voice/headroom/media/sip/sdes"
)

// Relay has callers and agents talk through rtpengine: the callers in PCMU and plain RTP, the
// agents in SRTP with keys of the description (SDES), and in PCMU too or in Opus.
type Relay struct {
	loop      *stream.Loop
	engine    *ng.Client
	local     netip.Addr
	codec     media.Codec // of the agents
	said, say stream.Script
	calls     []string
	pairs     []*Pair
}

// relayOpus is the payload type that rtpengine gives Opus.
const relayOpus = 96

// NewRelay is for one that runs at the ng address. Loop must run.
func NewRelay(ctx context.Context, loop *stream.Loop, address string, agents media.Codec) (*Relay, error) {
	r := &Relay{loop: loop, local: netip.AddrFrom4([4]byte{127, 0, 0, 1}), codec: agents}
	packets, err := mark.Speech(callerVoice, media.PCMU)
	if err != nil {
		return nil, err
	}
	r.said = stream.Script{Codec: media.PCMU, Packets: packets}
	if packets, err = mark.Speech(agentVoice, agents); err != nil {
		return nil, err
	}
	r.say = stream.Script{Codec: agents, Packets: packets}
	if r.engine, err = ng.Dial(ctx, address); err != nil {
		return nil, err
	}
	if _, err := r.engine.Ask(ctx, "ping", ng.Dict{}); err != nil {
		return nil, errors.Join(err, r.engine.Close())
	}
	return r, nil
}

// Pairs are those who talk.
func (r *Relay) Pairs() []*Pair { return r.pairs }

// Call brings up one more.
func (r *Relay) Call(ctx context.Context) error {
	n := len(r.calls)
	id, tag := rand.Text(), rand.Text()[:8]
	caller, err := r.loop.Open(r.local, nil)
	if err != nil {
		return err
	}
	agent, err := r.loop.Open(r.local, nil)
	if err != nil {
		return err
	}
	offer := ng.Dict{
		"call-id": id, "from-tag": tag, "sdp": plainSDP(caller.Local()), "ICE": "remove", "transport-protocol": "RTP/SAVP",
		"flags": []string{"trust-address"}, "replace": []string{"origin"}, "rtcp-mux": []string{"demux"},
		"SDES": []string{"no-AES_CM_128_HMAC_SHA1_32", "no-AES_256_CM_HMAC_SHA1_80", "no-AES_256_CM_HMAC_SHA1_32", "no-F8_128_HMAC_SHA1_80", "no-F8_128_HMAC_SHA1_32"},
	}
	if r.codec == media.Opus {
		offer["codec"] = ng.Dict{"mask": []string{"PCMU"}, "transcode": []string{"opus"}}
	}
	offered, err := r.describe(ctx, "offer", offer)
	if err != nil {
		return err
	}
	r.calls = append(r.calls, id)
	answer, err := r.accept(agent, offered)
	if err != nil {
		return err
	}
	answered, err := r.describe(ctx, "answer", ng.Dict{"call-id": id, "from-tag": tag, "to-tag": tag + "-agent", "sdp": answer,
		"ICE": "remove", "transport-protocol": "RTP/AVP", "flags": []string{"trust-address"}, "replace": []string{"origin"}})
	if err != nil {
		return err
	}
	at, _, err := audio(answered)
	if err != nil {
		return err
	}
	if err := caller.Connect(at); err != nil {
		return err
	}
	caller.Expect(firstAgent + n)
	agent.Expect(n)
	caller.Talk(&r.said, uint16(n))
	agent.Talk(&r.say, uint16(firstAgent+n))
	r.pairs = append(r.pairs, &Pair{Call: id, Caller: caller, Agent: agent, Since: time.Now()})
	return nil
}

func (r *Relay) describe(ctx context.Context, command string, d ng.Dict) (string, error) {
	answer, err := r.engine.Ask(ctx, command, d)
	if err != nil {
		return "", err
	}
	text, ok := answer["sdp"].(string)
	if !ok {
		return "", fmt.Errorf("talk: rtpengine's answer to %s has no description", command)
	}
	return text, nil
}

func plainSDP(at netip.AddrPort) string {
	return fmt.Sprintf("v=0\r\no=- 1 1 IN IP4 %[1]s\r\ns=-\r\nc=IN IP4 %[1]s\r\nt=0 0\r\nm=audio %[2]d RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=ptime:20\r\n", at.Addr(), at.Port())
}

// accept is the agent's side: it takes the offered keys, and answers with its own.
func (r *Relay) accept(agent *stream.End, offered string) (string, error) {
	at, lines, err := audio(offered)
	if err != nil {
		return "", err
	}
	var chosen sdes.Crypto
	var profile srtp.ProtectionProfile
	for _, line := range lines {
		value, found := strings.CutPrefix(line, "a=crypto:")
		if !found {
			continue
		}
		c, err := sdes.Parse(value)
		if err != nil {
			continue
		}
		switch suite := c.Key.Suite(); {
		case suite == rtp.AEADAES128GCM: // what WebRTC uses
			chosen, profile = c, srtp.ProtectionProfileAeadAes128Gcm
		case suite == rtp.AESCM128HMACSHA1Tag80 && chosen.Tag == 0:
			chosen, profile = c, srtp.ProtectionProfileAes128CmHmacSha1_80
		}
	}
	if chosen.Tag == 0 {
		return "", fmt.Errorf("talk: rtpengine offers no suite that is spoken here: %q", lines)
	}
	suite := chosen.Key.Suite()
	own, err := rtp.RandomKey(suite, nil)
	if err != nil {
		return "", err
	}
	k := suite.KeyLen()
	theirs, ours := chosen.Key.Material(), own.Material()
	if err := agent.Secure(stream.Keys{Key: ours[:k], Salt: ours[k:], Profile: profile}, stream.Keys{Key: theirs[:k], Salt: theirs[k:], Profile: profile}); err != nil {
		return "", err
	}
	format, rtpmap := 0, "a=rtpmap:0 PCMU/8000\r\n"
	if r.codec == media.Opus {
		format, rtpmap = relayOpus, fmt.Sprintf("a=rtpmap:%d opus/48000/2\r\n", relayOpus)
		for _, line := range lines {
			var pt int
			if n, _ := fmt.Sscanf(line, "a=rtpmap:%d opus/48000", &pt); n == 1 {
				format, rtpmap = pt, line+"\r\n"
			}
		}
		r.say.PayloadType = uint8(format)
	}
	local := agent.Local()
	return fmt.Sprintf("v=0\r\no=- 1 1 IN IP4 %[1]s\r\ns=-\r\nc=IN IP4 %[1]s\r\nt=0 0\r\nm=audio %[2]d RTP/SAVP %[3]d\r\n%[4]sa=crypto:%[5]d %[6]s inline:%[7]s\r\na=ptime:20\r\n",
		local.Addr(), local.Port(), format, rtpmap, chosen.Tag, suite, base64.StdEncoding.EncodeToString(ours)), agent.Connect(at)
}

// audio finds where a description wants its audio, and gives its lines.
func audio(text string) (at netip.AddrPort, lines []string, err error) {
	var host, port string
	for line := range strings.SplitSeq(text, "\r\n") {
		lines = append(lines, line)
		if f := strings.Fields(line); len(f) >= 3 && f[0] == "c=IN" {
			host = f[2]
		} else if len(f) >= 2 && f[0] == "m=audio" {
			port = f[1]
		}
	}
	if at, err = netip.ParseAddrPort(host + ":" + port); err != nil {
		return at, nil, fmt.Errorf("talk: rtpengine's description has no audio: %w", err)
	}
	return at, lines, nil
}

// Close ends every call.
func (r *Relay) Close(ctx context.Context) error {
	var problems []error
	for _, p := range r.pairs {
		p.Caller.Close()
		p.Agent.Close()
	}
	for _, id := range r.calls {
		if _, err := r.engine.Ask(ctx, "delete", ng.Dict{"call-id": id, "delete-delay": 0}); err != nil {
			problems = append(problems, err)
		}
	}
	r.calls, r.pairs = nil, nil
	return errors.Join(append(problems, r.engine.Close())...)
}
