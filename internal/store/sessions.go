package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"
)

// Sessions keeps sign-in sessions; it is an scs.CtxStore. Only a hash of each token is
// stored, so that a copy of the database opens nobody's session.
type Sessions struct{ store *Store }

// Sessions gives the session store.
func (s *Store) Sessions() *Sessions { return &Sessions{store: s} }

// FindCtx gives a session's data; found is false for a token that is unknown or expired.
func (s *Sessions) FindCtx(ctx context.Context, token string) (data []byte, found bool, err error) {
	err = named(s.store.read.QueryRowContext(ctx, "SELECT data FROM sessions WHERE token_hash = $1 AND expires_at > $2",
		bind([]any{hashToken(token), s.store.now()})...).Scan(&data))
	if errors.Is(err, ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("store: find session: %w", err)
	}
	return data, true, nil
}

// CommitCtx stores a session until it expires, and clears away those that have.
func (s *Sessions) CommitCtx(ctx context.Context, token string, data []byte, expiry time.Time) error {
	hash, now := hashToken(token), s.store.now()
	data = append([]byte{}, data...) // the change may outlive this call
	err := s.store.writer.do(ctx, func(t *tx) error {
		if _, err := t.exec("DELETE FROM sessions WHERE expires_at <= $1", now); err != nil {
			return err
		}
		_, err := t.exec(`INSERT INTO sessions (token_hash, data, expires_at) VALUES ($1, $2, $3)
			ON CONFLICT (token_hash) DO UPDATE SET data = excluded.data, expires_at = excluded.expires_at`, hash, data, expiry)
		return err
	})
	if err != nil {
		return fmt.Errorf("store: commit session: %w", err)
	}
	return nil
}

// DeleteCtx ends a session; one that is unknown is no error.
func (s *Sessions) DeleteCtx(ctx context.Context, token string) error {
	hash := hashToken(token)
	err := s.store.writer.do(ctx, func(t *tx) error {
		_, err := t.exec("DELETE FROM sessions WHERE token_hash = $1", hash)
		return err
	})
	if err != nil {
		return fmt.Errorf("store: delete session: %w", err)
	}
	return nil
}

// Find is FindCtx without a deadline.
func (s *Sessions) Find(token string) (data []byte, found bool, err error) {
	return s.FindCtx(context.Background(), token)
}

// Commit is CommitCtx without a deadline.
func (s *Sessions) Commit(token string, data []byte, expiry time.Time) error {
	return s.CommitCtx(context.Background(), token, data, expiry)
}

// Delete is DeleteCtx without a deadline.
func (s *Sessions) Delete(token string) error { return s.DeleteCtx(context.Background(), token) }

func hashToken(token string) []byte {
	h := sha256.Sum256([]byte(token))
	return h[:]
}
