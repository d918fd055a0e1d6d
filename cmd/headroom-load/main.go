package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/headroom-voice/headroom/internal/load"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/sip/digest"
)

// version is set at link time for releases.
var version = "dev"

type cli struct {
	Target    string           `required:"" placeholder:"sip:NUMBER@HOST:PORT" help:"Whom to call."`
	Calls     int              `default:"1" help:"Lines, each with one call at a time."`
	Rate      float64          `default:"5" help:"Lines started per second."`
	Duration  time.Duration    `default:"30s" help:"How long a call lasts after its answer, unless the far end hangs up."`
	Timeout   time.Duration    `default:"10s" help:"How long to wait for the first reply to a call."`
	Speech    string           `type:"existingfile" placeholder:"FILE.wav" help:"What the callers say, over and over. Default: a recording of our own."`
	Codec     string           `enum:"PCMU,PCMA" default:"PCMU" help:"Codec to offer: PCMU or PCMA."`
	Ptime     int              `enum:"10,20,30,40,60" default:"20" help:"Packet time to ask for, in ms."`
	Transport string           `enum:"udp,tcp" default:"udp" help:"SIP over udp or tcp, unless the target says ;transport=."`
	User      string           `placeholder:"NAME" help:"Name to answer with when the target asks for a password (digest)."`
	Password  string           `env:"HEADROOM_LOAD_PASSWORD" placeholder:"SECRET" help:"Its password. From the environment, it is not seen in the list of processes."`
	Loop      bool             `help:"Call again after a pause, until interrupted."`
	Pause     time.Duration    `default:"2s" help:"The pause before calling again."`
	Local     netip.Addr       `placeholder:"ADDRESS" help:"Local address of SIP and RTP. Default: the one that this machine reaches the target from."`
	JSON      bool             `name:"json" help:"Print one JSON object at the end instead of a line a call."`
	Version   kong.VersionFlag `help:"Print the version."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run carries one command line out. The status is 0 if a call was answered or the run was
// interrupted, 1 if none was, 2 for a wrong command line.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) > 0 && args[0] == "media" {
		return runMedia(ctx, args[1:], stdout, stderr)
	}
	var c cli
	parser, err := kong.New(&c, kong.Name("headroom-load"), kong.Vars{"version": version},
		kong.Description("Place real SIP calls with speech, and measure what is heard. With agents too: headroom-load media --help."), kong.Writers(stdout, stderr))
	if err == nil {
		_, err = parser.Parse(args)
	}
	if err != nil {
		fmt.Fprintf(stderr, "headroom-load: %v\n", err)
		return 2
	}
	speech, err := load.Speech(c.Speech)
	if err != nil {
		fmt.Fprintf(stderr, "headroom-load: %v\n", err)
		return 1
	}
	if !c.Local.IsValid() {
		c.Local = towards(ctx, c.Target)
	}
	plan := load.Plan{
		Target: c.Target, Lines: c.Calls, Rate: c.Rate, Duration: c.Duration, Loop: c.Loop, Pause: c.Pause,
		Source: speech, Codec: media.PCMU, PTime: time.Duration(c.Ptime) * time.Millisecond,
		Patience: c.Timeout, Transport: c.Transport, Local: c.Local,
		Login: digest.Login{Username: c.User, Password: c.Password},
	}
	if c.Codec == "PCMA" {
		plan.Codec = media.PCMA
	}
	summary := load.Summary{Calls: []load.Result{}}
	err = load.Run(ctx, plan, func(r load.Result) {
		summary.Count(r)
		if c.JSON {
			summary.Calls = append(summary.Calls, r)
			return
		}
		fmt.Fprintln(stdout, r)
	})
	if err != nil {
		fmt.Fprintf(stderr, "headroom-load: %v\n", err)
		return 1
	}
	if c.JSON {
		out := json.NewEncoder(stdout)
		out.SetIndent("", "  ")
		if err := out.Encode(summary); err != nil {
			fmt.Fprintf(stderr, "headroom-load: %v\n", err)
			return 1
		}
	}
	if summary.Answered == 0 && ctx.Err() == nil {
		return 1
	}
	return 0
}

// towards is the address from which this machine reaches a SIP target. It is invalid, which
// is loopback, where there is no such way; the call then says what is wrong.
func towards(ctx context.Context, target string) netip.Addr {
	_, host, _ := strings.Cut(target, "@")
	if host, _, _ = strings.Cut(host, ";"); host == "" {
		return netip.Addr{}
	}
	if _, _, err := net.SplitHostPort(host); err != nil {
		host = net.JoinHostPort(strings.Trim(host, "[]"), "5060")
	}
	c, err := (&net.Dialer{}).DialContext(ctx, "udp", host) // sends nothing
	if err != nil {
		return netip.Addr{}
	}
	defer c.Close()
	at, ok := c.LocalAddr().(*net.UDPAddr)
	if !ok {
		return netip.Addr{}
	}
	return at.AddrPort().Addr().Unmap()
}
