package service

import (
	"context"
	"errors"
	"fmt"

	"github.com/headroom-voice/headroom/agentclient/protocol"
	"github.com/headroom-voice/headroom/internal/api"
	"github.com/headroom-voice/headroom/internal/call"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/internal/phone"
	"github.com/headroom-voice/headroom/internal/store"
	"github.com/headroom-voice/headroom/media/sip"
	"github.com/headroom-voice/headroom/media/sip/digest"
	"github.com/headroom-voice/headroom/media/sip/registrar"
)

// newRegistrar makes what knows where users' phones are, as it was when the last run ended.
func (s *Service) newRegistrar(ctx context.Context) (err error) {
	s.registrar, err = registrar.New(registrar.Config{
		Store: kept{s.store}, Log: s.log.With("component", "registrar"),
		Changed: func(user string) { s.phones.Changed(user) },
	})
	if err != nil {
		return err
	}
	return s.registrar.Load(ctx)
}

// newPhones makes agents of users at phones.
func (s *Service) newPhones(ctx context.Context) error {
	s.phones = phone.New(s.cfg.Phones, phone.Deps{
		Board: s.board, Client: s.sip.Client(), Registrar: s.registrar, States: s.store, Play: s.pacer.Play, Emergency: s.toll.Emergency, Log: s.log.With("component", "phone"),
	})
	s.takeUpPhones(ctx, s.site)
	if err := s.phones.Load(ctx); err != nil {
		return fmt.Errorf("phones: %w", err)
	}
	return nil
}

// takeUpPhones puts a site's users' phones into force; the SIP server has them already.
func (s *Service) takeUpPhones(ctx context.Context, site model.Site) {
	s.phones.SiteChanged(site)
	logins := make(map[string]digest.Login)
	for _, p := range sipPhones(site) {
		logins[p.User] = p.Login
	}
	s.registrar.Keep(ctx, func(user string) (digest.Login, bool) {
		l, there := logins[user]
		return l, there
	})
}

// sipPhones are a site's phones as the SIP server knows them.
func sipPhones(site model.Site) []sip.Phone {
	var out []sip.Phone
	for _, u := range site.Users {
		if u.HasPhone() {
			out = append(out, sip.Phone{User: string(u.ID), Codecs: phone.Codecs(u.Phone.Codecs), MediaKeys: phone.Keys(u.Phone.MediaKeys),
				Login: digest.Login{Username: u.PhoneUsername(), Password: string(u.Phone.Password)}})
		}
	}
	return out
}

// kept is the store as the registrar sees it.
type kept struct{ store *store.Store }

// Bindings is part of registrar.Store.
func (k kept) Bindings(ctx context.Context) ([]registrar.Binding, error) {
	rows, err := k.store.PhoneBindings(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]registrar.Binding, 0, len(rows))
	for _, b := range rows {
		out = append(out, registrar.Binding{User: string(b.User), Contact: b.Contact, Q: b.Q, CallID: b.CallID, CSeq: b.CSeq,
			Transport: b.Transport, Source: b.Source, UserAgent: b.UserAgent, Since: b.Since, Expires: b.Expires, Seal: b.Seal, Instance: b.Instance})
	}
	return out, nil
}

// SaveBindings is part of registrar.Store.
func (k kept) SaveBindings(ctx context.Context, user string, bindings []registrar.Binding) error {
	rows := make([]model.PhoneBinding, 0, len(bindings))
	for _, b := range bindings {
		rows = append(rows, model.PhoneBinding{User: model.AgentID(b.User), Contact: b.Contact, Q: b.Q, CallID: b.CallID, CSeq: b.CSeq,
			Transport: b.Transport, Source: b.Source, UserAgent: b.UserAgent, Since: b.Since, Expires: b.Expires, Seal: b.Seal, Instance: b.Instance})
	}
	return k.store.SavePhoneBindings(ctx, model.AgentID(user), rows)
}

// desks is what the API may ask of agents.
type desks struct{ s *Service }

// SetState is part of api.Desks. Who is signed in is asked there; a phone that is registered,
// and whose user is signed out, signs in.
func (d desks) SetState(ctx context.Context, id model.AgentID, state model.AgentState, reason string) error {
	session := d.s.board.Session(id)
	if session == nil {
		err := d.s.phones.SetState(ctx, id, state, reason)
		var refused *phone.Refusal
		switch {
		case errors.Is(err, phone.ErrNoPhone):
			return api.ErrNotHere
		case errors.As(err, &refused):
			return &api.Conflict{Text: refused.Text}
		}
		return err
	}
	reply, err := session.Handle(ctx, "", protocol.SetState{State: string(state), Reason: reason})
	if refused, is := reply.(protocol.Error); is {
		return &api.Conflict{Text: refused.Message}
	}
	if errors.Is(err, call.ErrEnded) {
		return &api.Conflict{Text: "The session ended just now. Sign in again, or ask again for a phone."}
	}
	return err
}

// Phones is part of api.Desks.
func (d desks) Phones(id model.AgentID) []api.AgentPhone {
	var out []api.AgentPhone
	for _, r := range d.s.phones.Registrations(id) {
		out = append(out, api.AgentPhone{Host: r.Contact, Source: r.Source, Transport: r.Transport, UserAgent: r.UserAgent,
			Since: r.Since, Expires: r.Expires, Reachable: r.Reachable})
	}
	return out
}
