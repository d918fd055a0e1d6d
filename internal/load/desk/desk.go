//go:build linux

package desk

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/coder/websocket"

	"github.com/headroom-voice/headroom/agentclient/protocol"
	"github.com/headroom-voice/headroom/dsp/headset"
	"github.com/headroom-voice/headroom/internal/load/stream"
	"github.com/headroom-voice/headroom/media"
)

const (
	timeout    = 10 * time.Second
	pingEvery  = 20 * time.Second
	comeBack   = 500 * time.Millisecond // after the first failure, doubling
	comeLatest = 5 * time.Second
)

// ErrRefused means that another attempt would be refused, too.
var ErrRefused = errors.New("desk: refused")

// Config is one desk.
type Config struct {
	URL      string // of the service: http://host:port
	User     string
	Password string
	Local    netip.Addr    // of the media socket
	Codecs   []media.Codec // offered; what is said is the first
	Readings bool          // send a reading of the microphone every second of a call, as the real client does

	// What a desk tells, on its own goroutine. May be nil.
	OnReady   func(d *Desk)
	OnCall    func(d *Desk, c protocol.Call)
	OnEnded   func(d *Desk, e protocol.Ended)
	OnTrouble func(d *Desk, err error)
}

// Desk is one agent. New makes one, Run works it.
type Desk struct {
	cfg    Config
	loop   *stream.Loop
	client *http.Client
	script *stream.Script
	stream uint16

	// The goroutine of a session alone.
	conn    *websocket.Conn
	line    *line
	ids     int
	call    string
	since   time.Time
	waiting string // id of the offer of media that is not answered
}

// New makes a desk that says script, whose marks bear the number stream. The payload type is
// the one that the service answers with.
func New(cfg Config, loop *stream.Loop, script stream.Script, number uint16) *Desk {
	jar, _ := cookiejar.New(nil) // fails for no options
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 1
	return &Desk{cfg: cfg, loop: loop, script: &script, stream: number, client: &http.Client{Jar: jar, Transport: transport, Timeout: timeout}}
}

// User is who signs in.
func (d *Desk) User() string { return d.cfg.User }

// Number is the one in its marks.
func (d *Desk) Number() uint16 { return d.stream }

// End is the media connection's; nil while there is none. For the callbacks of Config only.
func (d *Desk) End() *stream.End {
	if d.line == nil {
		return nil
	}
	return d.line.end
}

// Run signs in and answers calls until ctx ends, and then signs out. What breaks is begun anew
// after a while; the error is ErrRefused, or nil.
func (d *Desk) Run(ctx context.Context) error {
	defer d.client.CloseIdleConnections()
	wait := comeBack
	for {
		began := time.Now()
		err := d.session(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, ErrRefused) {
			return err
		}
		if d.cfg.OnTrouble != nil {
			d.cfg.OnTrouble(d, err)
		}
		if time.Since(began) > comeLatest {
			wait = comeBack
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
		wait = min(2*wait, comeLatest)
	}
}

func (d *Desk) signIn(ctx context.Context) error {
	body, err := json.Marshal(map[string]string{"user": d.cfg.User, "password": d.cfg.Password})
	if err != nil {
		return fmt.Errorf("desk: sign in: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(d.cfg.URL, "/")+"/api/v1/session", bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := d.client.Do(req)
	if err != nil {
		return fmt.Errorf("desk: sign in: %w", err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // so that the connection is used again
	switch {
	case resp.StatusCode == http.StatusUnauthorized, resp.StatusCode == http.StatusForbidden:
		return fmt.Errorf("%w: %s may not sign in: %s; is it a user of the site, with this password?", ErrRefused, d.cfg.User, resp.Status)
	case resp.StatusCode/100 != 2:
		return fmt.Errorf("desk: sign in: %s", resp.Status)
	}
	return nil
}

// session is one sign-in, to its end.
func (d *Desk) session(ctx context.Context) error {
	if err := d.signIn(ctx); err != nil {
		return err
	}
	dialling, cancel := context.WithTimeout(ctx, timeout)
	conn, resp, err := websocket.Dial(dialling, strings.TrimSuffix(d.cfg.URL, "/")+"/api/v1/agent",
		&websocket.DialOptions{HTTPClient: d.client, Subprotocols: []string{protocol.Subprotocol}})
	cancel()
	if resp != nil && resp.Body != nil {
		defer resp.Body.Close()
	}
	if err != nil {
		return fmt.Errorf("desk: connect: %w", err)
	}
	defer func() { _ = conn.CloseNow() }()
	conn.SetReadLimit(protocol.MaxFrame)
	d.conn, d.line, d.call, d.ids, d.waiting = conn, nil, "", 0, ""
	if err := d.say(ctx, "", protocol.Hello{Version: protocol.Version, Client: "headroom-load", Headset: protocol.Headset{Model: "Load", Serial: d.cfg.User}}); err != nil {
		return err
	}
	return d.work(ctx)
}

// say sends a message.
func (d *Desk) say(ctx context.Context, id string, m protocol.Message) error {
	frame, err := protocol.Encode(id, m)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if err := d.conn.Write(ctx, websocket.MessageText, frame); err != nil {
		return fmt.Errorf("desk: write: %w", err)
	}
	return nil
}

func (d *Desk) id() string {
	d.ids++
	return strconv.Itoa(d.ids)
}

// heard is a message that came.
type heard struct {
	id  string
	m   protocol.Message
	err error
}

// mediaState says that the media connection is up, or what became of it.
type mediaState struct{ err error }

// work hears messages until the link or ctx ends.
func (d *Desk) work(ctx context.Context) error {
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	messages, media := make(chan heard), make(chan mediaState)
	var helpers helpers
	defer func() {
		end()
		_ = d.conn.CloseNow()
		helpers.wait(messages, media)
		d.hangUp()
		if d.line != nil {
			d.line.close()
			d.line = nil
		}
	}()
	helpers.Go(func() { d.listen(life, messages) })
	second := time.NewTicker(time.Second)
	defer second.Stop()
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return d.goodbye(life)
		case h := <-messages:
			if h.err != nil {
				return h.err
			}
			err = d.take(life, h, &helpers, media)
		case m := <-media:
			if err = m.err; err == nil {
				err = d.say(life, d.id(), protocol.SetState{State: "ready"})
				if d.cfg.OnReady != nil {
					d.cfg.OnReady(d)
				}
			}
		case <-second.C:
			if d.cfg.Readings && d.call != "" {
				err = d.say(life, "", protocol.MicReading{CallID: d.call, Reading: reading(time.Since(d.since))})
			}
		case <-ping.C:
			helpers.Go(func() { // the answer is taken in by listen
				limited, cancel := context.WithTimeout(life, timeout)
				defer cancel()
				_ = d.conn.Ping(limited)
			})
		}
		if err != nil {
			return err
		}
	}
}

// listen hands on what comes.
func (d *Desk) listen(ctx context.Context, to chan<- heard) {
	for {
		_, frame, err := d.conn.Read(ctx)
		var h heard
		if err != nil {
			h.err = fmt.Errorf("desk: read: %w", err)
		} else if h.id, h.m, err = protocol.Decode(frame); errors.Is(err, protocol.ErrUnknownType) {
			continue
		} else if err != nil {
			h.err = fmt.Errorf("desk: %w", err)
		}
		select {
		case to <- h:
		case <-ctx.Done():
			return
		}
		if h.err != nil {
			return
		}
	}
}

// take does what a message asks for.
func (d *Desk) take(ctx context.Context, h heard, helpers *helpers, done chan<- mediaState) error {
	switch m := h.m.(type) {
	case protocol.Welcome:
		return d.offerMedia(ctx)
	case protocol.SDPAnswer:
		if h.id != d.waiting || d.line == nil {
			return nil
		}
		line := d.line
		helpers.Go(func() {
			err := line.connect(ctx, m.SDP)
			select {
			case done <- mediaState{err}:
			case <-ctx.Done():
				return
			}
			if err == nil {
				err = line.keep(ctx)
				select {
				case done <- mediaState{err}:
				case <-ctx.Done():
				}
			}
		})
	case protocol.Offer:
		return d.say(ctx, d.id(), protocol.Accept{CallID: m.Call.ID})
	case protocol.Connected:
		d.talk(m.Call)
	case protocol.Ended:
		d.hangUp()
		if d.cfg.OnEnded != nil {
			d.cfg.OnEnded(d, m)
		}
	case protocol.Error:
		switch {
		case protocol.Fatal(m.Code), h.id == "" && m.Code == protocol.CodeNotNow:
			return fmt.Errorf("%w: %s (%s)", ErrRefused, m.Message, m.Code)
		case m.Code == protocol.CodeStale: // the call has gone elsewhere
		default:
			return fmt.Errorf("desk: %s: %s", m.Code, m.Message)
		}
	}
	return nil
}

func (d *Desk) offerMedia(ctx context.Context) error {
	l, err := newLine(d.loop, d.cfg.Local)
	if err != nil {
		return err
	}
	d.line = l
	text, err := l.offer(d.cfg.Codecs)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	d.waiting = d.id()
	return d.say(ctx, d.waiting, protocol.SDPOffer{SDP: text})
}

func (d *Desk) talk(c protocol.Call) {
	d.call, d.since = c.ID, time.Now()
	if d.line == nil {
		return
	}
	if pt, ok := d.line.remote.types[d.script.Codec]; ok {
		d.script.PayloadType = pt
	}
	d.line.end.Talk(d.script, d.stream)
	if d.cfg.OnCall != nil {
		d.cfg.OnCall(d, c)
	}
}

func (d *Desk) hangUp() {
	d.call = ""
	if d.line != nil {
		d.line.end.Hush()
	}
}

// goodbye signs out, as far as the service still listens.
func (d *Desk) goodbye(ctx context.Context) error {
	_ = d.say(ctx, d.id(), protocol.SignOut{})
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodDelete, strings.TrimSuffix(d.cfg.URL, "/")+"/api/v1/session", nil)
	if err != nil {
		return nil //nolint:nilerr // there is nobody to tell any more
	}
	if resp, err := d.client.Do(req); err == nil {
		_ = resp.Body.Close()
	}
	return nil
}

// reading is a second at a good microphone.
func reading(at time.Duration) headset.Reading {
	return headset.Reading{At: at.Seconds(), Level: -27.1, ActiveLevel: -24.4, NoiseFloor: -61.8, Peak: -9.3, Speech: 0.62, Scored: 1}
}
