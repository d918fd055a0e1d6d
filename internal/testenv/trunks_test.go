package testenv_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"sync"
	"testing"

	"github.com/headroom-voice/headroom/internal/api"
	"github.com/headroom-voice/headroom/internal/config"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/internal/testenv"
	"github.com/headroom-voice/headroom/media/sip/digest"
)

// registry is a carrier that registers whoever knows the password, and says that it is there.
type registry struct {
	conn *net.UDPConn
	who  digest.Login

	mu   sync.Mutex
	at   string // the Contact that is registered; "" = nobody
	from *net.UDPAddr
}

func newRegistry(t *testing.T, who digest.Login) *registry {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	r := &registry{conn: conn, who: who}
	done := make(chan struct{})
	go func() { defer close(done); r.run() }()
	t.Cleanup(func() { _ = conn.Close(); <-done })
	return r
}

func (r *registry) run() {
	buf := make([]byte, 65536)
	for {
		n, from, err := r.conn.ReadFromUDP(buf)
		if err != nil {
			return
		}
		req := string(buf[:n])
		method, _, _ := strings.Cut(req, " ")
		var status, extra string
		switch method {
		case "OPTIONS":
			status = "200 OK"
		case "REGISTER":
			status, extra = r.register(req, from)
		default:
			continue
		}
		var b strings.Builder
		fmt.Fprintf(&b, "SIP/2.0 %s\r\n", status)
		for _, h := range []string{"Via", "From", "To", "Call-ID", "CSeq"} {
			fmt.Fprintf(&b, "%s: %s\r\n", h, field(req, h))
		}
		b.WriteString(extra + "Content-Length: 0\r\n\r\n")
		_, _ = r.conn.WriteToUDP([]byte(b.String()), from)
	}
}

func (r *registry) register(req string, from *net.UDPAddr) (status, extra string) {
	cred, err := digest.ParseCredentials(field(req, "Authorization"))
	if err != nil || !digest.NewAccount(r.who, "carrier").Knows(cred, "REGISTER") {
		c := digest.Challenge{Realm: "carrier", Nonce: "once", Algorithm: digest.MD5, Auth: true}
		return "401 Unauthorized", "WWW-Authenticate: " + c.String() + "\r\n"
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.at, r.from = field(req, "Contact"), from; field(req, "Expires") == "0" {
		r.at = ""
	}
	return "200 OK", "Expires: 600\r\n"
}

func (r *registry) registered() (contact string, from *net.UDPAddr) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.at, r.from
}

func field(msg, name string) string {
	for line := range strings.SplitSeq(msg, "\r\n") {
		if k, v, ok := strings.Cut(line, ": "); ok && strings.EqualFold(k, name) {
			return v
		}
	}
	return ""
}

// ask reads an address of the API as a user.
func ask[T any](t *testing.T, env *testenv.Env, user, path string) (out T) {
	t.Helper()
	jar, _ := cookiejar.New(nil)
	client := &http.Client{Jar: jar, Transport: &http.Transport{DisableKeepAlives: true}}
	do := func(method, path, body string) []byte {
		req, err := http.NewRequestWithContext(t.Context(), method, env.URL()+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		data, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s %s: %s %v\n%s", method, path, resp.Status, err, data)
		}
		return data
	}
	do("POST", "/api/v1/session", fmt.Sprintf(`{"user":%q,"password":%q}`, user, testenv.Password))
	if err := json.Unmarshal(do("GET", path, ""), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// A call centre with nothing but an account at a carrier: it registers, the carrier's calls
// come in to the number in To, and everybody can see that.
func TestATrunkThatWantsUsRegisteredGetsItAndItsCallsComeIn(t *testing.T) {
	t.Parallel()
	who := digest.Login{Username: "4930123", Password: "open sesame"}
	carrier := newRegistry(t, who)
	env := testenv.Start(t, testenv.Options{
		Process: func(p *config.Process) { p.SIP.TCP = "" },
		Site: func(s *model.Site) {
			s.Trunks = []model.Trunk{{ID: "carrier", Codecs: []string{"PCMA"}, Outbound: model.TrunkOutbound{
				Targets:  []model.TrunkTarget{{URI: "sip:" + carrier.conn.LocalAddr().String()}},
				Username: who.Username, Password: model.Secret(who.Password), KeepAlive: 5e9,
				Register: model.TrunkRegister{Enabled: true},
			}}}
		},
	})
	testenv.Eventually(t, "registered", func() bool { at, _ := carrier.registered(); return at != "" })
	at, from := carrier.registered()
	if !strings.HasPrefix(at, "<sip:4930123@"+env.SIP().String()) || from.AddrPort() != env.SIP() {
		t.Errorf("registered %s from %s", at, from)
	}
	var trunk api.Trunk
	testenv.Eventually(t, "the API shows it", func() bool {
		list := ask[api.TrunkList](t, env, string(testenv.Supervisor), "/api/v1/trunks").Trunks
		trunk = list[0]
		return trunk.Registration != nil && trunk.Registration.State == "registered" && len(trunk.Servers) == 1 && trunk.Servers[0].State == "up"
	})
	if trunk.ID != "carrier" || trunk.Servers[0].Status != 200 || trunk.Registration.Until == nil || trunk.Registration.Error != "" {
		t.Errorf("%+v", trunk)
	}

	// The carrier calls the name that is registered; the number called stands in To.
	caller, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(env.SIP()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = caller.Close() }()
	invite := strings.Join([]string{"INVITE sip:4930123@" + env.SIP().String() + " SIP/2.0",
		"Via: SIP/2.0/UDP " + caller.LocalAddr().String() + ";branch=z9hG4bKin;rport", "Max-Forwards: 70",
		"From: <sip:+49301@carrier.example>;tag=a", "To: <sip:" + testenv.Number + "@carrier.example>", "Call-ID: in", "CSeq: 1 INVITE",
		"Contact: <sip:x@" + caller.LocalAddr().String() + ">", "Content-Length: 0", "", ""}, "\r\n")
	if _, err := caller.Write([]byte(invite)); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, "the caller waits in the queue", func() bool { return len(env.Service.Calls()) == 1 })
	if c := env.Service.Calls()[0]; c.To != testenv.Number || c.Trunk != "carrier" {
		t.Errorf("%+v", c)
	}
	env.Stop()
	if at, _ := carrier.registered(); at != "" {
		t.Errorf("still registered: %s", at)
	}
}
