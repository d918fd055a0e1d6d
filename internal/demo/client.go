package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"time"

	"github.com/headroom-voice/headroom/internal/api"
	"github.com/headroom-voice/headroom/internal/model"
)

// onlooker watches the service through its public API, signed in like anybody else.
type onlooker struct {
	base string
	http *http.Client
	done map[model.CallID][]offer // offers of calls that have ended: they change no more
	flag map[model.HeadsetID]time.Time
}

func newOnlooker(base string) (*onlooker, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	return &onlooker{
		base: base,
		http: &http.Client{Jar: jar, Timeout: 5 * time.Second},
		done: map[model.CallID][]offer{},
		flag: map[model.HeadsetID]time.Time{},
	}, nil
}

func (o *onlooker) ready(ctx context.Context) bool {
	return o.do(ctx, http.MethodGet, "/readyz", nil, nil) == nil
}

func (o *onlooker) signIn(ctx context.Context, user model.AgentID, password string) error {
	return o.do(ctx, http.MethodPost, "/api/v1/session", api.Credentials{User: string(user), Password: password}, nil)
}

// look takes one sight of everything.
func (o *onlooker) look(ctx context.Context) (sight, error) {
	s := sight{at: time.Now(), flagged: o.flag}
	var agents api.Agents
	var calls api.Calls
	var headsets api.Headsets
	for path, into := range map[string]any{"/api/v1/agents": &agents, "/api/v1/calls?limit=100": &calls, "/api/v1/headsets": &headsets} {
		if err := o.do(ctx, http.MethodGet, path, nil, into); err != nil {
			return sight{}, err
		}
	}
	s.agents, s.calls, s.headsets = agents.Agents, calls.Calls, headsets.Headsets
	for _, h := range s.headsets {
		if _, known := o.flag[h.ID]; !known && h.Verdict.State.Flagged() && h.Verdict.At != nil {
			o.flag[h.ID] = *h.Verdict.At
		}
	}
	for _, c := range s.calls {
		offers, err := o.offersOf(ctx, c)
		if err != nil {
			return sight{}, err
		}
		s.offers = append(s.offers, offers...)
	}
	return s, nil
}

func (o *onlooker) offersOf(ctx context.Context, c api.Call) ([]offer, error) {
	if offers, ok := o.done[c.ID]; ok {
		return offers, nil
	}
	var story api.CallStory
	if err := o.do(ctx, http.MethodGet, "/api/v1/calls/"+string(c.ID), nil, &story); err != nil {
		return nil, err
	}
	offers := []offer{}
	for _, e := range story.Events {
		if e.Kind == "offered" {
			offers = append(offers, offer{at: e.At, headset: model.HeadsetID(e.Detail["headset"]), lastResort: e.Detail["last_resort"] == "true"})
		}
	}
	if c.EndedAt != nil {
		o.done[c.ID] = offers
	}
	return offers, nil
}

func (o *onlooker) do(ctx context.Context, method, path string, body, into any) error {
	var send io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return err
		}
		send = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, o.base+path, send)
	if err != nil {
		return err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := o.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 8<<20))
	if err != nil {
		return err
	}
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s: %s: %.300s", method, path, resp.Status, b)
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	return nil
}
