package api

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/headroom-voice/headroom/internal/model"
)

// ask sends one request straight to the handler, without a network, for tests on fake time.
func ask(h *house, method, path, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(h.t.Context(), method, path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "RemoteAddr" {
			r.RemoteAddr = header[i+1]
		} else {
			r.Header.Set(header[i], header[i+1])
		}
	}
	w := httptest.NewRecorder()
	h.server.Handler().ServeHTTP(w, r)
	return w
}

// sessionCookie gives the session cookie an answer set.
func sessionCookie(t *testing.T, w *httptest.ResponseRecorder) *http.Cookie {
	t.Helper()
	for _, c := range w.Result().Cookies() {
		if c.Name == cookieName {
			return c
		}
	}
	t.Fatalf("no session cookie in %d %s", w.Code, w.Body)
	return nil
}

const right, wrong = `{"user":"supervisor","password":"pw"}`, `{"user":"supervisor","password":"guess"}`

func signedIn4Test(t *testing.T, h *house) string {
	t.Helper()
	return cookieName + "=" + sessionCookie(t, ask(h, "POST", pathSession, right)).Value
}

func TestSigningInTellsWhoYouAreAndSigningOutEndsIt(t *testing.T) {
	h := open(t)
	v := h.as("supervisor")
	me := read[Session](v, "/api/v1/session")
	if me.User != "supervisor" || me.Title != "The supervisor" || len(me.Roles) != 1 || me.Roles[0] != model.RoleSupervisor {
		t.Errorf("%+v", me)
	}
	if res := v.do("DELETE", "/api/v1/session", ""); res.status != http.StatusNoContent {
		t.Fatalf("sign out: %d %s", res.status, res.body)
	}
	if res := v.get("/api/v1/session"); res.status != http.StatusUnauthorized {
		t.Errorf("after signing out: %d", res.status)
	}
	if len(h.shelf.items) != 0 {
		t.Error("the session is still stored")
	}
}

func TestTheCookieCannotBeReadByScriptsOrSentByOtherSites(t *testing.T) {
	c := sessionCookie(t, ask(build(t), "POST", pathSession, right))
	if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Secure || c.MaxAge != 24*3600 {
		t.Errorf("over plain HTTP: %+v", c)
	}
	for name, change := range map[string]func(*Config, *Deps){
		"behind a proxy": func(c *Config, _ *Deps) { c.SecureCookie = true },
		"with TLS":       func(c *Config, _ *Deps) { c.TLS = &tls.Config{MinVersion: tls.VersionTLS13} },
	} {
		w := ask(build(t, change), "POST", pathSession, right)
		if !sessionCookie(t, w).Secure || w.Header().Get("Strict-Transport-Security") == "" {
			t.Errorf("%s: the cookie must travel over HTTPS only", name)
		}
	}
}

func TestAPlantedSessionIsNotTakenOver(t *testing.T) {
	h := build(t)
	planted := signedIn4Test(t, h)
	w := ask(h, "POST", pathSession, `{"user":"it","password":"pw"}`, "Cookie", planted)
	if c := sessionCookie(t, w); cookieName+"="+c.Value == planted {
		t.Error("the token stayed the same")
	}
	if w := ask(h, "GET", pathSession, "", "Cookie", planted); w.Code != http.StatusUnauthorized {
		t.Errorf("the planted token still works: %d", w.Code)
	}
	// Nor is a token of a stranger's choice ever used.
	w = ask(h, "POST", pathSession, right, "Cookie", cookieName+"=chosen")
	if c := sessionCookie(t, w); c.Value == "chosen" {
		t.Error("the chosen token was used")
	}
}

func TestAStrangerCannotTellAWrongPasswordFromAnUnknownUser(t *testing.T) {
	h := build(t)
	h.record.setHash("nobody", "")
	bodies := map[string]bool{}
	for _, user := range []string{"supervisor", "who", "nobody"} {
		w := ask(h, "POST", pathSession, fmt.Sprintf(`{"user":%q,"password":"guess"}`, user))
		if w.Code != http.StatusUnauthorized {
			t.Errorf("%s: %d", user, w.Code)
		}
		body := strings.Replace(w.Body.String(), w.Header().Get("X-Request-Id"), "", 1)
		bodies[body] = true
		if len(w.Result().Cookies()) != 0 {
			t.Errorf("%s got a cookie", user)
		}
	}
	if len(bodies) != 1 {
		t.Errorf("the answers differ: %v", bodies)
	}
	if w := ask(h, "POST", pathSession, `{"user":"nobody","password":""}`); w.Code != http.StatusUnprocessableEntity {
		t.Errorf("an empty password: %d", w.Code)
	}
}

func TestGuessingPasswordsIsSlowedDownPerNameAndAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t)
		from := func(addr, body string) *httptest.ResponseRecorder {
			return ask(h, "POST", pathSession, body, "RemoteAddr", addr+":5000")
		}
		for range pairBurst {
			if w := from("192.0.2.1", wrong); w.Code != http.StatusUnauthorized {
				t.Fatalf("%d", w.Code)
			}
		}
		w := from("192.0.2.1", right)
		if w.Code != http.StatusTooManyRequests {
			t.Fatalf("guess %d: %d, even the right one must wait", pairBurst+1, w.Code)
		}
		wait, err := strconv.Atoi(w.Header().Get("Retry-After"))
		if err != nil || wait < 1 || wait > 10 {
			t.Errorf("Retry-After %q", w.Header().Get("Retry-After"))
		}
		if w := from("192.0.2.2", right); w.Code != http.StatusOK {
			t.Errorf("the person at another desk is locked out: %d", w.Code)
		}
		if w := from("192.0.2.1", `{"user":"it","password":"pw"}`); w.Code != http.StatusOK {
			t.Errorf("somebody else at that address is locked out: %d", w.Code)
		}
		time.Sleep(time.Duration(wait) * time.Second)
		if w := from("192.0.2.1", right); w.Code != http.StatusOK {
			t.Errorf("after waiting as told: %d", w.Code)
		}
	})
}

func TestOneNameIsNotGuessedFromManyAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t)
		refused := 0
		for i := range 2 * userBurst {
			if w := ask(h, "POST", pathSession, wrong, "RemoteAddr", fmt.Sprintf("198.51.100.%d:1", i)); w.Code == http.StatusTooManyRequests {
				refused++
			}
		}
		if refused != userBurst {
			t.Errorf("%d of %d guesses refused, wanted %d", refused, 2*userBurst, userBurst)
		}
	})
}

func TestOneAddressDoesNotTryManyNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t)
		codes := map[int]int{}
		for i := range 2 * addressBurst {
			// An IPv6 customer has a whole /64 to try from.
			w := ask(h, "POST", pathSession, fmt.Sprintf(`{"user":"u%d","password":"x"}`, i), "RemoteAddr", fmt.Sprintf("[2001:db8::%x]:1", i+1))
			codes[w.Code]++
		}
		if codes[http.StatusUnauthorized] != addressBurst {
			t.Errorf("%v", codes)
		}
	})
}

func TestAWholeShiftSignsInFromOneAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t)
		for i := range 2 * addressBurst {
			if w := ask(h, "POST", pathSession, right); w.Code != http.StatusOK {
				t.Fatalf("sign-in %d: %d", i, w.Code)
			}
		}
	})
}

func TestASessionEndsWhenUnusedAndAtItsTimeWhateverHappens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t)
		me := func(cookie string) int { return ask(h, "GET", pathSession, "", "Cookie", cookie).Code }

		idle := signedIn4Test(t, h)
		time.Sleep(2*time.Hour + time.Second)
		if c := me(idle); c != http.StatusUnauthorized {
			t.Errorf("unused for two hours: %d", c)
		}

		used := signedIn4Test(t, h)
		for i := range 23 {
			time.Sleep(time.Hour)
			if c := me(used); c != http.StatusOK {
				t.Fatalf("in use for %d h: %d", i+1, c)
			}
		}
		time.Sleep(time.Hour + time.Second)
		if c := me(used); c != http.StatusUnauthorized {
			t.Errorf("after a day: %d", c)
		}
	})
}

func TestANewPasswordEndsTheOldSessions(t *testing.T) {
	h := build(t)
	c := signedIn4Test(t, h)
	h.record.setHash("supervisor", "plain:new")
	if w := ask(h, "GET", pathSession, "", "Cookie", c); w.Code != http.StatusUnauthorized {
		t.Errorf("%d", w.Code)
	}
}

func TestASessionBeingRenewedStaysSignedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t)
		c := signedIn4Test(t, h)
		_, token, _ := strings.Cut(c, "=")
		time.Sleep(10 * time.Minute) // a renewal is due
		if w := ask(h, "DELETE", pathSession, "", "Cookie", c); w.Code != http.StatusNoContent {
			t.Fatalf("%d", w.Code)
		}
		// The other request had looked before; it renews after.
		if err := h.server.sessions.renew(t.Context(), token); err == nil || len(h.shelf.items) != 0 {
			t.Errorf("the session came back to life: %v", err)
		}
	})
}

func TestAPageOfAnotherSiteChangesNothing(t *testing.T) {
	h := build(t, func(c *Config, _ *Deps) { c.TrustedOrigins = []string{"https://wall.example"} })
	c := signedIn4Test(t, h)
	for name, header := range map[string][]string{
		"new browser": {"Sec-Fetch-Site", "cross-site"},
		"old browser": {"Origin", "https://evil.example"},
		"sandbox":     {"Origin", "null"},
	} {
		for _, method := range []string{"DELETE", "POST"} {
			body := ""
			if method == "POST" {
				body = right
			}
			if w := ask(h, method, pathSession, body, append(header, "Cookie", c)...); w.Code != http.StatusForbidden {
				t.Errorf("%s, %s: %d", name, method, w.Code)
			}
		}
	}
	if w := ask(h, "GET", pathSession, "", "Cookie", c); w.Code != http.StatusOK {
		t.Errorf("the session is gone: %d", w.Code)
	}
	if w := ask(h, "DELETE", pathSession, "", "Cookie", c, "Origin", "https://wall.example", "Sec-Fetch-Site", "cross-site"); w.Code != http.StatusNoContent {
		t.Errorf("a trusted page: %d", w.Code)
	}
}

func TestWhenNobodyCanBeLookedUpNobodyIsLetIn(t *testing.T) {
	h := build(t)
	c := signedIn4Test(t, h)
	h.record.breakDown(errSecret)
	if w := ask(h, "GET", "/api/v1/headsets", "", "Cookie", c); w.Code != http.StatusServiceUnavailable || strings.Contains(w.Body.String(), "secret") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := ask(h, "POST", pathSession, right); w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "secret") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if !strings.Contains(h.log.String(), "/var/secret") {
		t.Error("the log must say why")
	}
}

func TestAProxyIsBelievedOnlyWhenTrusted(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	for _, c := range []struct{ peer, forwarded, want string }{
		{"203.0.113.9:1", "198.51.100.1", "203.0.113.9"},
		{"10.0.0.2:1", "198.51.100.1", "198.51.100.1"},
		{"10.0.0.2:1", "1.1.1.1, 198.51.100.1, 10.0.0.3", "198.51.100.1"},
		{"10.0.0.2:1", "spoofed, 198.51.100.1", "198.51.100.1"},
		{"10.0.0.2:1", "junk", "10.0.0.2"},
		{"10.0.0.2:1", "", "10.0.0.2"},
		{"[::ffff:10.0.0.2]:1", "2001:db8:1:2:3::4", "2001:db8:1:2::/64"},
		{"nonsense", "198.51.100.1", "unknown"},
	} {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
		r.RemoteAddr = c.peer
		r.Header.Set("X-Forwarded-For", c.forwarded)
		if got := clientAddress(r, proxies); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

func TestTheLimiterRemembersABoundedNumberOfNames(t *testing.T) {
	l := newLimiter(2, time.Second, 3)
	now := nine(0)
	for _, k := range []string{"a", "b", "c"} {
		l.take(k, now)
	}
	if _, ok := l.take("d", now); ok || len(l.buckets) != 3 {
		t.Error("a flood of names must not push out the memory of others")
	}
	if _, ok := l.take("d", now.Add(time.Second)); !ok {
		t.Error("names whose time is over must make room")
	}
}
