package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// What agents dial, and what the callee is to see of them.
const (
	dialledNumber = "020 7946 0101"
	worldNumber   = "+442079460101"
	shownNumber   = "+442079460100"
	closedNumber  = "0909 879 0000" // at a premium
	helpNumber    = "999"
)

// diallers are agents who take no calls.
var diallers = []string{"dialler-1", "dialler-2"}

// agentProgram is headroom-agent.
var agentProgram string

const byAgents = "calls that agents place"

// outbound are calls that an agent places by hand, through the carrier's trunk, to SIPp.
func outbound() []row {
	trying := []step{await("INVITE", header("INVITE sip:\\"+worldNumber+"@"), header("From:.*sip:\\"+shownNumber+"@")), respond(100, "Trying", ""), pause(200)}
	ring := append(slices.Clone(trying), respond(180, "Ringing", ""), pause(300))
	answer := []step{respond(200, "OK", sdp(1, pcmuOnly)), await("ACK")}
	over := []step{await("BYE"), respond(200, "OK", "")}
	list := func(parts ...[]step) string { return play(number, slices.Concat(parts...)...) }
	refuse := func(status int, reason string) string {
		return list(ring, []step{respond(status, reason, ""), await("ACK")})
	}
	talks := func(d *dialler) error {
		return errors.Join(d.says("call with "+worldNumber), d.do("hangup"), d.says("call ended: agent_hung_up"))
	}
	return []row{
		agentRow("rings, answers, and is hung up on", list(ring, answer, over), func(d *dialler) error {
			return errors.Join(d.says("call to "+worldNumber+": ringing"), talks(d))
		}),
		agentRow("lets itself be heard (183), then answers", list(trying, []step{respond(183, "Session Progress", sdp(1, pcmuOnly)), pause(500)}, answer, over), func(d *dialler) error {
			return errors.Join(d.says("call to "+worldNumber+": early_media"), talks(d))
		}),
		agentRow("answers without ringing", list(trying, answer, over), talks),
		agentRow("is busy: 486", refuse(486, "Busy Here"), failed("busy")),
		agentRow("does not want to: 603", refuse(603, "Decline"), failed("")),
		agentRow("does not know the number: 404", refuse(404, "Not Found"), failed("")),
		agentRow("is hung up on while it rings: CANCEL", list(trying, []step{respond(180, "Ringing", ""), await("CANCEL"), respond(200, "OK", ""),
			raw(cancelled), await("ACK")}), func(d *dialler) error {
			return errors.Join(d.says("call to "+worldNumber+": ringing"), d.do("hangup"), d.says("call ended: "))
		}),
		{area: byAgents, name: "hears nothing of a call to a class that is closed", peer: "a UDP socket", try: closedClass},
		{area: byAgents, name: "takes an emergency call past the limit of its trunk, and no other", peer: "SIPp", try: func(ctx context.Context, s *system, dir string) error {
			return pastTheLimit(ctx, s, dir, play(number, slices.Concat([]step{await("INVITE"), respond(180, "Ringing", ""), pause(300)}, answer, over)...))
		}},
	}
}

// cancelled refuses an INVITE that was given up: its CSeq is not the CANCEL's.
const cancelled = `<send><![CDATA[
SIP/2.0 487 Request Terminated
[last_Via:]
[last_From:]
[last_To:];tag=[pid]peer[call_number]
[last_Call-ID:]
CSeq: 1 INVITE
Content-Length: 0

]]></send>`

// failed waits for a call that comes to nothing.
func failed(cause string) func(*dialler) error {
	return func(d *dialler) error {
		return errors.Join(d.says("call to "+worldNumber+": failed"), d.says("call ended: "+cause))
	}
}

// agentRow is a call that an agent dials while SIPp plays the carrier.
func agentRow(name, scenario string, see func(*dialler) error) row {
	return row{area: byAgents, name: name, peer: "SIPp", try: func(ctx context.Context, s *system, dir string) error {
		d, err := s.dialler(ctx, diallers[0], dir)
		if err != nil {
			return err
		}
		played, err := s.carrier(ctx, dir, scenario)
		if err == nil {
			err = errors.Join(d.do("dial "+dialledNumber), see(d))
			err = errors.Join(err, <-played)
		}
		return errors.Join(err, d.stop())
	}}
}

// carrier has SIPp wait for a call out.
func (s *system) carrier(ctx context.Context, dir, scenario string, options ...string) (played <-chan error, err error) {
	done := make(chan error, 1)
	go func() {
		done <- playSIPp(ctx, filepath.Join(dir, "carrier"), scenario, append([]string{"-i", "127.0.0.1", "-p", strconv.Itoa(s.callee), "-t", "u1"}, options...)...)
	}()
	return done, listening(ctx, s.callee)
}

// closedClass dials a number that costs extra; nothing may come to the carrier of it.
func closedClass(ctx context.Context, s *system, dir string) error {
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: s.callee})
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	d, err := s.dialler(ctx, diallers[0], dir)
	if err != nil {
		return err
	}
	err = errors.Join(d.do("dial "+closedNumber), d.says("refused: numbers of the class premium are not open to you"), d.stop())
	_ = conn.SetReadDeadline(time.Now().Add(500 * time.Millisecond))
	buf := make([]byte, 1500)
	if n, readErr := conn.Read(buf); readErr == nil {
		err = errors.Join(err, fmt.Errorf("the carrier got %q", buf[:n]))
	}
	var metrics string
	if e := s.get(ctx, "/metrics", &metrics); e != nil {
		return errors.Join(err, e)
	}
	if value(metrics, `headroom_dial_refusals_total{reason="class_closed"}`) == "no" {
		err = errors.Join(err, errors.New("the refusal was not counted"))
	}
	return err
}

// pastTheLimit fills the trunk, which has room for one call, and dials beyond.
func pastTheLimit(ctx context.Context, s *system, dir, scenario string) (err error) {
	played, err := s.carrier(ctx, dir, scenario, "-m", "2")
	if err != nil {
		return err
	}
	first, err := s.dialler(ctx, diallers[0], dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, first.stop()) }()
	second, err := s.dialler(ctx, diallers[1], dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, second.stop()) }()
	if err := errors.Join(
		first.do("dial "+dialledNumber), first.says("call with "+worldNumber),
		second.do("dial "+dialledNumber), second.says("call to "+worldNumber+": failed"),
		second.do("dial "+helpNumber), second.says("call with "+helpNumber),
		second.do("hangup"), first.do("hangup"), first.says("call ended: agent_hung_up"), second.says("call ended: agent_hung_up"),
	); err != nil {
		return err
	}
	return <-played
}

// dialler is an agent's client that takes commands.
type dialler struct {
	ctx      context.Context
	name     string
	cmd      *exec.Cmd
	commands io.WriteCloser
	said     string // file
}

// dialler signs an agent in and waits until calls can be placed.
func (s *system) dialler(ctx context.Context, name, dir string) (*dialler, error) {
	d := &dialler{ctx: ctx, name: name, said: filepath.Join(dir, name+".log")}
	out, err := os.Create(d.said)
	if err != nil {
		return nil, err
	}
	defer func() { _ = out.Close() }()
	d.cmd = exec.Command(agentProgram, "--server", s.url(""), "--user", name, "--password-file", filepath.Join(s.dir, "password"), "--headless", "--commands", //nolint:noctx // ended by stop, in order
		"--mic", filepath.Join("testdata", "speech", "agent-1.wav"), "--ear", "none", "--headset-model", "Interop", "--headset-serial", name)
	d.cmd.Stdout, d.cmd.Stderr = out, out
	if d.commands, err = d.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := d.cmd.Start(); err != nil {
		return nil, err
	}
	if err := d.says("media connected"); err != nil {
		return nil, errors.Join(err, d.stop())
	}
	return d, nil
}

func (d *dialler) do(command string) error {
	if d.ctx.Err() != nil {
		return d.ctx.Err()
	}
	_, err := io.WriteString(d.commands, command+"\n")
	return err
}

// says waits until the client has said something.
func (d *dialler) says(text string) error {
	var said []byte
	err := eventually(d.ctx, d.name+" says "+text, func() (yes bool, err error) {
		said, err = os.ReadFile(d.said)
		return strings.Contains(string(said), text), err
	})
	if err != nil {
		return fmt.Errorf("%w; it said:\n%s", err, said)
	}
	return nil
}

// stop signs out.
func (d *dialler) stop() error {
	_ = d.commands.Close()
	_ = d.cmd.Process.Signal(syscall.SIGTERM)
	late := time.AfterFunc(patience, func() { _ = d.cmd.Process.Kill() })
	defer late.Stop()
	if err := d.cmd.Wait(); err != nil {
		return fmt.Errorf("%s: %w", d.name, err)
	}
	return nil
}
