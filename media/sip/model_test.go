package sip_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/sip"
)

// modelTime is for how long peers are made up; HEADROOM_SIP_MODEL has it be longer.
const modelTime = 4 * time.Second

// move is what a peer without manners, or somebody on our side, does next.
type move struct {
	what   string // "request", "respond", "ours" or "wait"
	method string
	body   string
	seq    int  // added to the last sequence number
	astray bool // to a dialog that is not there
	tag    string
	status string
	extra  string
	fits   bool // extra is left for what belongs there
	ours   string
}

const modelSDP = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP "

var moves = rapid.Custom(func(t *rapid.T) move {
	return move{
		what: rapid.SampledFrom([]string{"request", "request", "request", "respond", "respond", "respond", "ours", "ours", "wait"}).Draw(t, "what"),
		method: rapid.SampledFrom([]string{"INVITE", "INVITE", "ACK", "ACK", "ACK", "BYE", "CANCEL", "UPDATE", "UPDATE", "INFO", "PRACK",
			"REFER", "NOTIFY", "OPTIONS", "MESSAGE", "DANCE"}).Draw(t, "method"),
		body: rapid.SampledFrom([]string{"", "", modelSDP + "0 8\r\n", modelSDP + "8\r\n", modelSDP + "0\r\na=sendonly\r\n", modelSDP + "0\r\na=inactive",
			modelSDP + "18\r\n", "junk", "SIP/2.0 200 OK\r\n", "SIP/2.0 486 Busy"}).Draw(t, "body"),
		seq:    rapid.SampledFrom([]int{1, 1, 1, 1, 0, -1, 7}).Draw(t, "seq"),
		astray: rapid.IntRange(0, 19).Draw(t, "astray") == 0,
		tag:    rapid.SampledFrom([]string{"a", "a", "a", "b", "c"}).Draw(t, "tag"),
		status: rapid.SampledFrom([]string{"100 Trying", "180 Ringing", "183 Session Progress", "200 OK", "200 OK", "200 OK", "202 Accepted", "302 Moved",
			"401 Unauthorized", "407 Proxy Authentication Required", "408 Request Timeout", "422 Session Interval Too Small",
			"481 Call/Transaction Does Not Exist", "487 Request Terminated", "488 Not Acceptable Here", "491 Request Pending",
			"500 Server Internal Error", "503 Service Unavailable", "603 Decline"}).Draw(t, "status"),
		extra: rapid.SampledFrom([]string{"", "", "Require: 100rel\r\nRSeq: 1\r\n", "Require: 100rel\r\nRSeq: 2\r\n", "Supported: 100rel, timer\r\n",
			"Session-Expires: 1;refresher=uac\r\nSupported: timer\r\n", "Session-Expires: 2;refresher=uas\r\nSupported: timer\r\n", "Allow: UPDATE, INVITE\r\n",
			"RAck: 1 1 INVITE\r\n", "Refer-To: <sip:1@127.0.0.1>\r\n", "Refer-To: <sip:1@127.0.0.1?Replaces=a%3Bto-tag%3Db%3Bfrom-tag%3Dc>\r\n",
			"Event: refer\r\nSubscription-State: terminated\r\n", "Event: refer\r\nSubscription-State: active\r\n", "Replaces: a;to-tag=b;from-tag=c\r\n",
			"Min-SE: 2\r\n", "Retry-After: 0\r\n", "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\", stale=true\r\n",
			"Proxy-Authenticate: Digest realm=\"r\", nonce=\"m\"\r\n", "Refer-Sub: false\r\n"}).Draw(t, "extra"),
		fits: rapid.IntRange(0, 3).Draw(t, "fits") > 0,
		ours: rapid.SampledFrom([]string{"ring", "answer", "answer", "answer", "reject", "hangup", "hold", "resume", "recode", "refer", "accept", "refuse", "progress", "done"}).Draw(t, "ours"),
	}
})

// script is how a peer behaves.
type script struct {
	opens  int    // with a call as it should be: 0 not at all, 1 up to the ringing, 2 up to the answer
	says   string // in the opening
	polite bool   // it accepts whatever is asked of it, besides its moves
	moves  []move
}

var scripts = rapid.Custom(func(t *rapid.T) script {
	return script{
		opens:  rapid.SampledFrom([]int{2, 1, 2, 0}).Draw(t, "opens"),
		says:   rapid.SampledFrom([]string{"Supported: 100rel, timer\r\nSession-Expires: 2\r\nAllow: UPDATE\r\n", "Session-Expires: 2;refresher=uac\r\nSupported: timer\r\n", ""}).Draw(t, "says"),
		polite: rapid.Bool().Draw(t, "polite"),
		moves:  rapid.SliceOfN(moves, 5, 30).Draw(t, "moves"),
	}
})

// rival plays moves over a socket of its own, as caller or as callee.
type rival struct {
	conn   *net.UDPConn
	to     netip.AddrPort
	callee bool
	polite bool

	mu     sync.Mutex
	id     string
	remote string // our side's tag
	asked  string // the last request that came
	taken  bool   // its INVITE was
	rseq   string // of the last reliable 18x
	said   int    // reliable 18x of its own
	opened bool   // what comes is within the call
	seq    int
	branch int
}

func newRival(t *testing.T, to netip.AddrPort, callee bool, n int) *rival {
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: loopback.AsSlice()})
	if err != nil {
		t.Fatal(err)
	}
	return &rival{conn: conn, to: to, callee: callee, id: fmt.Sprintf("model-%d-%d", time.Now().UnixNano(), n)}
}

// listen notes what our side says, until the socket is closed.
func (r *rival) listen() {
	buf := make([]byte, 65536)
	for {
		n, from, err := r.conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		m := string(buf[:n])
		r.mu.Lock()
		response := strings.HasPrefix(m, "SIP/2.0")
		if !response {
			r.asked = m
		}
		if n := header(m, "RSeq"); n != "" {
			r.rseq = n
		}
		if response && strings.HasPrefix(m, "SIP/2.0 200") && strings.HasSuffix(header(m, "CSeq"), " INVITE") {
			r.taken = true
		}
		if _, tag, ok := strings.Cut(header(m, map[bool]string{true: "From", false: "To"}[r.callee]), "tag="); ok && response != r.callee {
			r.remote = tag
		}
		if r.callee {
			r.id, r.to = header(m, "Call-ID"), from
		}
		if polite := (move{what: "respond", status: "200 OK", tag: "a"}); r.polite && r.opened && !response && !strings.HasPrefix(m, "ACK") {
			if strings.HasPrefix(m, "INVITE") {
				polite.body = modelSDP + "0\r\n"
			}
			r.send(polite)
		}
		r.mu.Unlock()
	}
}

func (r *rival) play(m move) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.send(m)
}

// until waits a little for the other side to have said something.
func (r *rival) until(said func() bool) {
	for range 100 {
		r.mu.Lock()
		ok := said()
		r.mu.Unlock()
		if ok {
			return
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// send says what a move is about; r.mu is held.
func (r *rival) send(m move) {
	self := r.conn.LocalAddr().String()
	var b strings.Builder
	switch {
	case m.what == "request":
		if m.method != "ACK" && m.method != "CANCEL" {
			r.seq += m.seq
			r.branch++
		}
		r.seq = max(r.seq, 1)
		tag, remote := m.tag, ";tag="+r.remote
		if !r.callee {
			tag = "caller"
		}
		if r.remote == "" || m.method == "CANCEL" {
			remote = ""
		}
		if m.astray {
			remote = ";tag=nobody"
		}
		fmt.Fprintf(&b, "%s sip:100@%s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%s%d;rport\r\nMax-Forwards: 70\r\n", m.method, r.to, self, r.id, r.branch)
		fmt.Fprintf(&b, "From: <sip:x@h>;tag=%s\r\nTo: <sip:100@h>%s\r\nCall-ID: %s\r\nCSeq: %d %s\r\nContact: <sip:x@%s>\r\n", tag, remote, r.id, r.seq, m.method, self)
	case m.what == "respond" && r.asked != "" && !strings.HasPrefix(r.asked, "ACK"):
		fmt.Fprintf(&b, "SIP/2.0 %s\r\n", m.status)
		for _, h := range []string{"Via", "From", "To", "Call-ID", "CSeq"} {
			v := header(r.asked, h)
			if h == "To" && !strings.Contains(v, "tag=") {
				v += ";tag=" + m.tag
			}
			fmt.Fprintf(&b, "%s: %s\r\n", h, v)
		}
		fmt.Fprintf(&b, "Contact: <sip:x@%s>\r\n", self)
	default:
		return
	}
	if m.fits {
		m.extra = r.fitting(m)
	}
	b.WriteString(m.extra)
	if m.body != "" {
		b.WriteString("Content-Type: application/sdp\r\n")
	}
	fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(m.body), m.body)
	_, _ = r.conn.WriteToUDPAddrPort([]byte(b.String()), r.to)
}

// fitting is what a well-made message of this kind has besides.
func (r *rival) fitting(m move) string {
	switch {
	case m.what == "request" && m.method == "REFER":
		return "Refer-To: <sip:1@127.0.0.1>\r\n"
	case m.what == "request" && m.method == "PRACK":
		return "RAck: " + r.rseq + " 1 INVITE\r\n"
	case m.what == "request" && m.method == "NOTIFY":
		return "Event: refer\r\nSubscription-State: active\r\n"
	case m.what == "respond" && strings.HasPrefix(m.status, "18"):
		r.said++
		return fmt.Sprintf("Require: 100rel\r\nRSeq: %d\r\n", r.said)
	case m.what == "respond" && strings.HasPrefix(m.status, "422"):
		return "Min-SE: 3\r\n"
	case m.what == "respond" && strings.HasPrefix(m.status, "401"):
		return "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\"\r\n"
	}
	return ""
}

// ourSide keeps the calls and transfers of all rivals by Call-ID.
type ourSide struct {
	mu     sync.Mutex
	calls  []*sip.Call
	causes map[string]int
	wishes map[string]*sip.Transfer
	wg     sync.WaitGroup
}

func (o *ourSide) Incoming(c *sip.Call) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.calls = append(o.calls, c)
}

func (o *ourSide) Transfer(w *sip.Transfer) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.wishes[w.Call().ID()] = w
}

func (o *ourSide) has(id string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.ContainsFunc(o.calls, func(c *sip.Call) bool { return c.ID() == id })
}

// act does something to the calls of one rival, beside it.
func (o *ourSide) act(what, id string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	wish := o.wishes[id]
	for _, c := range o.calls {
		if c.ID() != id {
			continue
		}
		o.wg.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			switch what {
			case "ring":
				_ = c.Ring()
			case "answer":
				_, _ = c.Answer(ctx)
			case "reject":
				_ = c.Reject(486, 0)
			case "hangup":
				_ = c.Hangup(ctx)
			case "hold":
				_ = c.Hold(ctx)
			case "resume":
				_ = c.Resume(ctx)
			case "recode":
				_ = c.Recode(ctx, media.PCMA)
			case "refer":
				_ = c.Refer(ctx, sip.Referral{Target: "sip:1@127.0.0.1"})
			}
			if wish == nil {
				return
			}
			switch what {
			case "accept":
				_ = wish.Accept()
			case "refuse":
				_ = wish.Refuse(603)
			case "progress":
				_ = wish.Progress(180)
			case "done":
				_ = wish.Progress(200)
			}
		})
	}
}

// TestWhateverPeersDoNothingIsLeftBehind has made-up peers say anything at any time, as
// callers and as callees. When their time is over so are their calls, each with one cause,
// and no dialog and no port is left; TestMain sees that no goroutine is.
func TestWhateverPeersDoNothingIsLeftBehind(t *testing.T) {
	t.Parallel()
	quick := func(c *sip.Config) {
		c.Ports = newPorts(t, 100)
		c.T1, c.T2, c.MinSE, c.SessionExpires = 5*time.Millisecond, 20*time.Millisecond, time.Second, 2*time.Second
		c.MediaTimeout, c.HoldTimeout, c.RingTimeout = 1200*time.Millisecond, 1300*time.Millisecond, 500*time.Millisecond
	}
	ours := &ourSide{wishes: make(map[string]*sip.Transfer), causes: make(map[string]int)}
	s := start(t, ours, quick)
	var ports = newPorts(t, 100)
	client := newClient(t, quick, func(c *sip.Config) { c.Ports = ports })
	budget := modelTime
	if d, err := time.ParseDuration(os.Getenv("HEADROOM_SIP_MODEL")); err == nil {
		budget = d
	}
	until, played := time.Now().Add(budget), 0
	rapid.Check(t, func(rt *rapid.T) {
		plays := rapid.SliceOfN(scripts, 40, 40).Draw(rt, "plays")
		if time.Now().After(until) {
			return
		}
		played += len(plays)
		var peers sync.WaitGroup
		for n, script := range plays {
			r := newRival(t, s.udp, n%2 == 1, n)
			r.polite = script.polite
			peers.Go(func() { r.listen() })
			peers.Go(func() {
				defer func() { _ = r.conn.Close() }()
				perform(r, script, ours, client)
			})
		}
		peers.Wait()
		ours.settled(rt)
		eventually(t, "every dialog's end", func() bool { return s.Stats().Dialogs == 0 })
		eventually(t, "every port's return", func() bool { return s.ports.InUse() == 0 && ports.InUse() == 0 })
	})
	t.Logf("%d peers, of whose calls %v", played, ours.causes)
}

// perform plays a script to its end.
func perform(r *rival, play script, ours *ourSide, client *sip.Client) {
	if r.callee {
		ours.wg.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
			defer cancel()
			call, err := client.Dial(ctx, sip.Outgoing{Target: "sip:100@" + r.conn.LocalAddr().String(), Login: me, Transfer: ours.Transfer,
				LateOffer: len(play.moves)%3 == 0, Patience: 300 * time.Millisecond})
			if err == nil {
				ours.Incoming(call)
			}
		})
	} else {
		r.play(move{what: "request", method: "INVITE", body: modelSDP + "0 8\r\n", seq: 1, extra: play.says})
	}
	if r.callee {
		r.until(func() bool { return r.asked != "" })
	}
	switch {
	case play.opens == 1 && r.callee:
		r.play(move{what: "respond", status: "183 Session Progress", tag: "a", body: modelSDP + "0\r\n", fits: true})
	case play.opens == 1:
		r.until(func() bool { return ours.has(r.id) })
		ours.act("ring", r.id)
	case play.opens == 2 && r.callee:
		r.play(move{what: "respond", status: "200 OK", tag: "a", body: modelSDP + "0\r\n", extra: play.says})
	case play.opens == 2:
		r.until(func() bool { return ours.has(r.id) })
		ours.act("answer", r.id)
		r.until(func() bool { return r.taken })
		r.play(move{what: "request", method: "ACK"})
	}
	r.mu.Lock()
	r.opened = play.opens == 2
	r.mu.Unlock()
	for _, m := range play.moves {
		time.Sleep(2 * time.Millisecond) // a peer's pace, nobody waits for it
		switch m.what {
		case "ours":
			r.mu.Lock()
			id := r.id
			r.mu.Unlock()
			ours.act(m.ours, id)
		case "wait":
			time.Sleep(20 * time.Millisecond)
		default:
			r.play(m)
		}
	}
}

// settled waits until all that was asked of our side is done, and checks how the calls ended.
func (o *ourSide) settled(rt *rapid.T) {
	o.wg.Wait()
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, c := range o.calls {
		select {
		case <-c.Done():
		case <-time.After(2 * patience):
			rt.Fatalf("call %s has no end", c.ID())
		}
		if c.Ended() == "" {
			rt.Fatalf("call %s ended without a cause", c.ID())
		}
		o.causes[c.Ended()]++
	}
	o.calls = nil
	clear(o.wishes)
}
