package demo

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/headroom-voice/headroom/internal/config"
	"github.com/headroom-voice/headroom/internal/model"
)

// Options say how the demo runs.
type Options struct {
	Bin   string        // folder of headroom, headroom-agent and headroom-load
	Web   string        // address for the pages; taken if free, else any free port
	Once  bool          // end as soon as everything came true
	Limit time.Duration // with Once: give up after this
	Show  func(Sight)   // called about once a second; may be nil
	Say   io.Writer     // one line for each step; io.Discard for none
}

// Sight is what a screen needs of one moment.
type Sight struct {
	Web      string // address of the pages
	Password string // of the user "admin"
	Started  time.Time
	Quiet    bool // the rush is over; one caller at a time now
	sight
	Outcome Outcome
}

const (
	number     = "1000"
	admin      = "admin"
	rushLines  = 4 // callers at once until the verdicts are in
	lookEvery  = time.Second
	readyLimit = 30 * time.Second
)

// stage is the demo while it runs.
type stage struct {
	opt      Options
	people   []wearer
	dir      string
	proc     config.Process
	password string
	secrets  map[model.AgentID]string
	ps       *processes
	callers  []*process
	eye      *onlooker
	started  time.Time
}

// Run starts everything, watches, and ends every process before it returns. Without Once
// it goes on until ctx ends, which is then no error. The Outcome is the last one seen.
func Run(ctx context.Context, opt Options) (out Outcome, err error) {
	dir, err := os.MkdirTemp("", "headroom-demo-")
	if err != nil {
		return Outcome{}, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	st := &stage{opt: opt, people: cast(), dir: dir, ps: newProcesses(opt.Bin, dir), started: time.Now(), secrets: map[model.AgentID]string{}}
	defer st.ps.stopAll()

	if opt.Once {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, opt.Limit)
		defer cancel()
	}
	if err := st.prepare(ctx); err != nil {
		return Outcome{}, err
	}
	if err := st.open(ctx); err != nil {
		return Outcome{}, err
	}
	return st.watch(ctx)
}

// prepare writes the voices, the two configuration files and the passwords.
func (st *stage) prepare(ctx context.Context) error {
	st.say("making four headsets: healthy, clipping, noisy, and a healthy one on a soft-spoken person")
	if err := writeVoices(st.dir, st.people); err != nil {
		return err
	}
	if err := st.writeConfig(); err != nil {
		return err
	}
	if err := st.ps.run(ctx, "", "headroom", "apply", "--config", st.path("headroom.yaml"), st.path("site.yaml")); err != nil {
		return err
	}
	st.password = rand.Text()
	st.secrets[admin] = st.password
	for _, p := range st.people {
		st.secrets[p.user] = rand.Text()
		if err := os.WriteFile(st.path(string(p.user)+".password"), []byte(st.secrets[p.user]+"\n"), 0o600); err != nil {
			return err
		}
	}
	for user, secret := range st.secrets {
		if err := st.ps.run(ctx, secret+"\n", "headroom", "user", "passwd", "--config", st.path("headroom.yaml"), string(user)); err != nil {
			return err
		}
	}
	return nil
}

func (st *stage) writeConfig() error {
	p, err := st.process()
	if err != nil {
		return err
	}
	st.proc = p
	if err := os.WriteFile(st.path("headroom.yaml"), processFile(p), 0o600); err != nil {
		return err
	}
	return os.WriteFile(st.path("site.yaml"), config.Marshal(st.site()), 0o600)
}

// processFile is headroom.yaml with what differs from the defaults.
func processFile(p config.Process) []byte {
	return fmt.Appendf(nil, "http:\n  listen: %q\nsip:\n  udp: %q\n  tcp: %q\nwebrtc:\n  listen: %q\ndata: %q\nshutdown:\n  drain: 0s\n",
		p.HTTP.Listen, p.SIP.UDP, p.SIP.TCP, p.WebRTC.Listen, p.Data)
}

func (st *stage) site() model.Site {
	queue := model.Queue{
		ID: "service", Title: "Customer service", Numbers: []string{number},
		OfferTimeout: 10 * time.Second, WrapUp: 2 * time.Second, ServiceLevel: 20 * time.Second,
		HeadsetPolicy: model.PolicyLastResort,
	}
	site := model.Site{
		Trunks: []model.Trunk{{ID: "carrier", Sources: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, Codecs: []string{"PCMA", "PCMU"}}},
		Queues: []model.Queue{queue},
		Users:  []model.User{{ID: admin, Title: "Demo admin", Roles: []model.Role{model.RoleAdmin}}},
		// Calls of the demo are short, so it judges on less speech than a real site would.
		Headset: model.HeadsetRules{MinActiveSpeech: 5 * time.Second, Window: 6, ReplaceAfter: 2},
	}
	for _, p := range st.people {
		site.Users = append(site.Users, model.User{ID: p.user, Title: p.title, Roles: []model.Role{model.RoleAgent}, Queues: []model.QueueID{queue.ID}})
	}
	return site
}

// open starts the service, waits until it is ready, and brings in agents and callers.
func (st *stage) open(ctx context.Context) error {
	if _, err := st.ps.start("service", "headroom", "serve", "--config", st.path("headroom.yaml")); err != nil {
		return err
	}
	eye, err := newOnlooker(st.web())
	if err != nil {
		return err
	}
	st.eye = eye
	if err := st.waitReady(ctx); err != nil {
		return err
	}
	if err := eye.signIn(ctx, admin, st.password); err != nil {
		return err
	}
	st.say("pages: %s   sign in as %s, password %s", st.web(), admin, st.password)
	for _, p := range st.people {
		_, err := st.ps.start("agent-"+string(p.user), "headroom-agent", "--server", st.web(),
			"--user", string(p.user), "--password-file", st.path(string(p.user)+".password"), "--headless", "--auto-answer",
			"--mic", voiceFile(st.dir, p), "--ear", st.path(string(p.user)+"-heard.wav"),
			"--headset-model", p.model, "--headset-serial", p.serial)
		if err != nil {
			return err
		}
	}
	for i := range rushLines {
		if err := st.addCaller(i); err != nil {
			return err
		}
	}
	st.say("four agents signed in over WebRTC, %d callers dial %s over SIP", rushLines, number)
	return nil
}

func (st *stage) addCaller(i int) error {
	p, err := st.ps.start("caller-"+strconv.Itoa(i+1), "headroom-load", "--target", "sip:"+number+"@"+st.proc.SIP.UDP,
		"--calls", "1", "--duration", "14s", "--loop", "--speech", callerFile(st.dir))
	if err != nil {
		return err
	}
	st.callers = append(st.callers, p)
	return nil
}

func (st *stage) waitReady(ctx context.Context) error {
	limit := time.NewTimer(readyLimit)
	defer limit.Stop()
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	for !st.eye.ready(ctx) {
		select {
		case <-look.C:
		case err := <-st.ps.failed:
			return err
		case <-limit.C:
			return fmt.Errorf("the service is not ready after %s; its last words:\n%s", readyLimit, tail(st.path("service.log")))
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// watch looks once a second. When every headset has its verdict the rush ends, so that
// there is always somebody free and routing can be seen for what it is.
func (st *stage) watch(ctx context.Context) (Outcome, error) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	var out Outcome
	quiet := false
	for {
		select {
		case <-tick.C:
		case err := <-st.ps.failed:
			return out, err
		case <-ctx.Done():
			if st.opt.Once {
				return out, fmt.Errorf("gave up after %s: %w", st.opt.Limit, out.Err())
			}
			return out, nil
		}
		s, err := st.eye.look(ctx)
		if err != nil {
			if ctx.Err() != nil {
				continue
			}
			return out, fmt.Errorf("look at the service: %w", err)
		}
		out = s.judge(st.people)
		if !quiet && s.settled(st.people) {
			quiet = true
			st.say("every headset has its verdict; now one caller at a time")
			st.ps.stop(st.callers[1:]...)
		}
		if st.opt.Show != nil {
			st.opt.Show(Sight{Web: st.web(), Password: st.password, Started: st.started, Quiet: quiet, sight: s, Outcome: out})
		}
		if st.opt.Once && len(out.Missing) == 0 {
			return out, nil
		}
	}
}

// process is the service's configuration: embedded defaults on ports that are free here.
func (st *stage) process() (config.Process, error) {
	p := config.Default()
	p.Data = st.path("data")
	var err error
	if p.HTTP.Listen, err = freeTCP(st.opt.Web); err != nil {
		return p, err
	}
	if p.SIP.UDP, err = freeUDP(); err != nil {
		return p, err
	}
	p.SIP.TCP = p.SIP.UDP
	if p.WebRTC.Listen, err = freeUDP(); err != nil {
		return p, err
	}
	return p, nil
}

// freeTCP gives want if nobody has it, else a port of loopback that nobody has.
func freeTCP(want string) (string, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(context.Background(), "tcp", want)
	if err != nil {
		l, err = lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	}
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

func freeUDP() (string, error) {
	var lc net.ListenConfig
	c, err := lc.ListenPacket(context.Background(), "udp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return c.LocalAddr().String(), c.Close()
}

func (st *stage) web() string { return "http://" + st.proc.HTTP.Listen }

func (st *stage) path(name string) string { return filepath.Join(st.dir, name) }

func (st *stage) say(format string, args ...any) {
	fmt.Fprintf(st.opt.Say, "demo: "+format+"\n", args...)
}
