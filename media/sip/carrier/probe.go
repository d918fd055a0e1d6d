package carrier

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/headroom-voice/headroom/media/sip"
	"github.com/headroom-voice/headroom/media/sip/locate"
)

// Probe tries one trunk, step by step and when it is told to, in the words and with the
// credentials that a Carrier would use. It keeps nothing alive and runs nothing. It belongs
// to one goroutine.
type Probe struct {
	c *Carrier
	t Trunk
	r *registrar
}

// NewProbe checks the trunk; nothing is sent.
func NewProbe(cfg Config, t Trunk) (*Probe, error) {
	t, err := t.withDefaults()
	if err != nil {
		return nil, err
	}
	c := New(cfg)
	c.trunks = []Trunk{t}
	return &Probe{c: c, t: t, r: newRegistrar(c, &loop{trunk: t})}, nil
}

// Trunk is the trunk with its defaults.
func (p *Probe) Trunk() Trunk { return p.t }

// Options asks one address of a target, as a keep-alive does, and waits Trunk.FirstReply for
// the answer. The error is sip.ErrNoReply or sip.ErrUnreachable.
func (p *Probe) Options(ctx context.Context, target string, to locate.Target) (*sip.Reply, error) {
	ctx, cancel := context.WithTimeout(ctx, p.t.FirstReply)
	defer cancel()
	return p.c.options(ctx, target, to)
}

// ProbedRegistration is what came of a REGISTER.
type ProbedRegistration struct {
	Granted time.Duration // for so long; after Unregister zero
	Took    time.Duration // all requests together
	Status  int           // of the last reply; 0 = there was none
	Proven  bool          // the last request answered the registrar's challenge
	Contact string        // what was registered
}

// ErrRegistrar means that the registrar has judged the request, so that its other addresses
// are not worth asking; they would count another wrong password.
var ErrRegistrar = errors.New("carrier: the registrar says no")

// Register registers at one address of Trunk.Register.Registrar. An error wraps ErrRegistrar,
// sip.ErrNoReply or sip.ErrUnreachable, or is a server's trouble (5xx).
func (p *Probe) Register(ctx context.Context, to locate.Target) (ProbedRegistration, error) {
	return p.register(ctx, to, p.r.expires)
}

// Unregister takes back what Register did at the same address.
func (p *Probe) Unregister(ctx context.Context, to locate.Target) (ProbedRegistration, error) {
	return p.register(ctx, to, 0)
}

func (p *Probe) register(ctx context.Context, to locate.Target, expires time.Duration) (ProbedRegistration, error) {
	var out ProbedRegistration
	p.r.heard = func(r *sip.Reply) {
		out.Status = 0
		if r != nil {
			out.Status, out.Contact = r.Status, r.Contact
		}
	}
	start := time.Now()
	granted, err := p.r.registerAt(ctx, to, expires)
	out.Granted, out.Took, out.Proven = granted, time.Since(start), p.r.login.header != ""
	var refused *refusedError
	if errors.As(err, &refused) && !refused.elsewhere() {
		err = judgedError{err}
	}
	return out, err
}

type judgedError struct{ error }

func (e judgedError) Unwrap() error        { return e.error }
func (e judgedError) Is(target error) bool { return target == ErrRegistrar }
func (e judgedError) Error() string        { return strings.TrimPrefix(e.error.Error(), "sip: ") }

// Dial is Carrier.Dial by this trunk, whatever its priority.
func (p *Probe) Dial(ctx context.Context, o Order) (*sip.Call, error) {
	o.Trunks = []string{p.t.ID}
	return p.c.Dial(ctx, o)
}
