package phone

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/headroom-voice/headroom/agentclient/protocol"
	"github.com/headroom-voice/headroom/internal/call"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/prompt"
	"github.com/headroom-voice/headroom/media/sip"
	"github.com/headroom-voice/headroom/media/sip/locate"
	"github.com/headroom-voice/headroom/media/sip/registrar"
)

// Config is what may be shortened for tests; zero values take the defaults.
type Config struct {
	Qualify  time.Duration // between two OPTIONS to a phone; 30 s
	Patience time.Duration // for a phone's first reply of any kind; 4 s
	Silence  time.Duration // without a packet in a call, after which the phone is asked whether it is there; 3 s
}

// Client places calls to phones (sip.Client).
type Client interface {
	Dial(ctx context.Context, to sip.Outgoing) (*sip.Call, error)
	Ask(ctx context.Context, r sip.Request) (*sip.Reply, error)
	Reach(b registrar.Binding) locate.Target
}

// Registrar knows where phones are (registrar.Registrar).
type Registrar interface {
	Bindings(user string) []registrar.Binding
	Users() []string
}

// States keeps what users last said by phone (internal/store).
type States interface {
	PhoneStates(ctx context.Context) ([]model.PhoneState, error)
	SavePhoneState(ctx context.Context, p model.PhoneState) error
}

// Board is the switchboard (call.Switchboard).
type Board interface {
	SignInPhone(ctx context.Context, user model.User, info model.HeadsetInfo, link call.Link) (*call.Agent, protocol.Welcome, error)
	Session(id model.AgentID) *call.Agent
}

// Deps are the parts that lines work with.
type Deps struct {
	Board     Board
	Client    Client
	Registrar Registrar
	States    States
	Play      func(leg media.Leg, src prompt.Source) (stop func()) // prompt.Pacer.Play
	Emergency func(number string) bool                             // says that a dialled number calls for help
	Log       *slog.Logger
}

// Lines are the users with phones. Its methods may be called from any goroutine.
type Lines struct {
	cfg  Config
	deps Deps

	mu    sync.Mutex
	work  context.Context // of Run; nil before
	over  bool
	users map[string]model.User
	codes model.FeatureCodes
	said  map[model.AgentID]model.PhoneState // before there is a line
	lines map[string]*line
	busy  sync.WaitGroup // lines, and the work beside them
}

// New makes lines of nobody; it starts nothing.
func New(cfg Config, deps Deps) *Lines {
	cfg.Qualify = cmp.Or(cfg.Qualify, 30*time.Second)
	cfg.Patience = cmp.Or(cfg.Patience, 4*time.Second)
	cfg.Silence = cmp.Or(cfg.Silence, 3*time.Second)
	return &Lines{cfg: cfg, deps: deps, users: map[string]model.User{}, codes: model.DefaultFeatureCodes(),
		said: map[model.AgentID]model.PhoneState{}, lines: map[string]*line{}}
}

// Load reads what users last said by phone. It is called once, before Run.
func (l *Lines) Load(ctx context.Context) error {
	states, err := l.deps.States.PhoneStates(ctx)
	for _, p := range states {
		l.said[p.User] = p
	}
	return err
}

// SiteChanged takes over who has a phone, and the feature codes.
func (l *Lines) SiteChanged(site model.Site) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.codes = site.Phones.FeatureCodes
	if l.codes == (model.FeatureCodes{}) {
		l.codes = model.DefaultFeatureCodes()
	}
	clear(l.users)
	for _, u := range site.Users {
		if u.HasPhone() {
			l.users[string(u.ID)] = u
		}
	}
	for name, line := range l.lines {
		user, there := l.users[name]
		line.box.post(func() { line.known(user, there) })
	}
}

// Run takes part in the call centre until ctx ends; then it ends what rings and returns when
// its lines have ended. It runs once.
func (l *Lines) Run(ctx context.Context) error {
	l.mu.Lock()
	l.work = ctx
	l.mu.Unlock()
	for _, user := range l.deps.Registrar.Users() {
		l.Changed(user)
	}
	<-ctx.Done()
	l.mu.Lock()
	l.over = true
	l.mu.Unlock()
	l.busy.Wait()
	return nil
}

// Changed says that a user's registrations did. It does not block.
func (l *Lines) Changed(user string) {
	if line := l.line(user); line != nil {
		line.box.post(line.registered)
	}
}

// line finds a user's line or begins it; nil for who has no phone, and when nothing runs.
func (l *Lines) line(user string) *line {
	l.mu.Lock()
	defer l.mu.Unlock()
	if line := l.lines[user]; line != nil {
		return line
	}
	u, there := l.users[user]
	if !there || l.work == nil || l.over || l.work.Err() != nil {
		return nil
	}
	line := newLine(l, u, l.said[u.ID])
	l.lines[user] = line
	l.busy.Go(func() { line.run(l.work) })
	return line
}

// beside runs what takes its time for a line. It ends with Run, or after limit.
func (l *Lines) beside(limit time.Duration, work func(ctx context.Context)) {
	l.busy.Go(func() {
		ctx, cancel := context.WithTimeout(l.work, limit)
		defer cancel()
		work(ctx)
	})
}

// ErrNoPhone means that no phone of the user is registered.
var ErrNoPhone = errors.New("phone: none of the user's is registered")

// SetState makes a user ready or gives a break, as if by feature code: it begins a session if
// there is none. What stands in the way is a *Refusal, or ErrNoPhone.
func (l *Lines) SetState(ctx context.Context, user model.AgentID, state model.AgentState, reason string) error {
	line := l.line(string(user))
	if line == nil {
		return ErrNoPhone
	}
	done := make(chan error, 1)
	if !line.box.post(func() { line.wish(state, reason, func(err error) { done <- err }) }) {
		return ErrNoPhone
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Refusal is why a session did not do what was asked, in words for people.
type Refusal struct{ Code, Text string }

func (r *Refusal) Error() string { return r.Text }

// Registration is one registered phone as it is shown.
type Registration struct {
	Contact   string // host of its address, without the user
	Source    string // address and port that its REGISTER came from
	Transport string
	UserAgent string
	Since     time.Time
	Expires   time.Time
	Reachable bool // its last OPTIONS or INVITE was answered, or none was sent yet
}

// Registrations are a user's phones, the most preferred first.
func (l *Lines) Registrations(user model.AgentID) []Registration {
	l.mu.Lock()
	line := l.lines[string(user)]
	l.mu.Unlock()
	var dead []stamp
	if line != nil {
		dead = *line.dead.Load()
	}
	var out []Registration
	for _, b := range l.deps.Registrar.Bindings(string(user)) {
		out = append(out, Registration{Contact: hostOf(b.Contact), Source: b.Source.String(), Transport: b.Transport, UserAgent: b.UserAgent,
			Since: b.Since, Expires: b.Expires, Reachable: !slices.Contains(dead, stampOf(b))})
	}
	return out
}
