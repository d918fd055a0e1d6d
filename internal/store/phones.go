package store

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/headroom-voice/headroom/internal/model"
)

// phonesLimit bounds what is read of all phones at once.
const phonesLimit = 100_000

// PhoneBindings are the registrations of all phones, expired ones among them.
func (s *Store) PhoneBindings(ctx context.Context) ([]model.PhoneBinding, error) {
	out, err := list(ctx, s.read, `SELECT user_id, contact, q, sip_call_id, cseq, transport, source, user_agent, registered_at, expires_at, seal, instance
		FROM phone_bindings ORDER BY user_id, registered_at, contact LIMIT $1`, []any{phonesLimit}, scanPhoneBinding)
	if err != nil {
		return nil, fmt.Errorf("store: phones: %w", err)
	}
	return out, nil
}

func scanPhoneBinding(r row) (b model.PhoneBinding, err error) {
	var source string
	if err := r.Scan(&b.User, &b.Contact, &b.Q, &b.CallID, &b.CSeq, &b.Transport, &source, &b.UserAgent, instant{&b.Since}, instant{&b.Expires}, &b.Seal, &b.Instance); err != nil {
		return b, err
	}
	b.Source, err = netip.ParseAddrPort(source)
	return b, err
}

// SavePhoneBindings replaces the registrations of a user's phones.
func (s *Store) SavePhoneBindings(ctx context.Context, user model.AgentID, bindings []model.PhoneBinding) error {
	return s.change(ctx, "phones of", string(user), func(t *tx) error {
		if _, err := t.exec("DELETE FROM phone_bindings WHERE user_id = $1", user); err != nil {
			return err
		}
		for _, b := range bindings {
			if _, err := t.exec(`INSERT INTO phone_bindings (user_id, contact, q, sip_call_id, cseq, transport, source, user_agent, registered_at, expires_at, seal, instance)
				VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`, user, b.Contact, b.Q, b.CallID, int64(b.CSeq), b.Transport, b.Source.String(), b.UserAgent,
				b.Since, b.Expires, b.Seal, b.Instance); err != nil {
				return err
			}
		}
		return nil
	})
}

// PhoneStates are the last words of users by phone.
func (s *Store) PhoneStates(ctx context.Context) ([]model.PhoneState, error) {
	out, err := list(ctx, s.read, "SELECT user_id, state, reason FROM phone_states ORDER BY user_id LIMIT $1", []any{phonesLimit},
		func(r row) (p model.PhoneState, err error) { return p, r.Scan(&p.User, &p.State, &p.Reason) })
	if err != nil {
		return nil, fmt.Errorf("store: states of phones: %w", err)
	}
	return out, nil
}

// SavePhoneState keeps a user's last word by phone.
func (s *Store) SavePhoneState(ctx context.Context, p model.PhoneState) error {
	return s.change(ctx, "state of the phone of", string(p.User), func(t *tx) error {
		_, err := t.exec(`INSERT INTO phone_states (user_id, state, reason) VALUES ($1, $2, $3)
			ON CONFLICT (user_id) DO UPDATE SET state = excluded.state, reason = excluded.reason`, p.User, p.State, p.Reason)
		return err
	})
}
