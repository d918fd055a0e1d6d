package store

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/headroom-voice/headroom/internal/model"
)

// siteLimit bounds each list of a site.
const siteLimit = 20_000

// Changes says what ApplySite did, in words such as "queue sales" or "user agent-101".
type Changes struct {
	Added   []string `json:"added"`
	Changed []string `json:"changed"`
	Removed []string `json:"removed"`
}

// Empty reports whether the site was already as it should be.
func (c Changes) Empty() bool { return len(c.Added)+len(c.Changed)+len(c.Removed) == 0 }

// siteRow is one object of the site as it is kept.
type siteRow struct {
	kind, id, body string
	position       int
	removed        bool // users only
}

// ApplySite makes the stored site equal to site, all or nothing. What is the same stays
// untouched, so applying twice changes nothing the second time. A user keeps the password
// through every change; one who is no longer in the site loses it, and with it sign-in,
// while calls and reports keep the name. A user who comes back needs a new password.
func (s *Store) ApplySite(ctx context.Context, site model.Site) (Changes, error) {
	fail := func(err error) (Changes, error) { return Changes{}, fmt.Errorf("store: apply site: %w", err) }
	items, users, err := siteRows(site)
	if err != nil {
		return fail(err)
	}
	now := s.now()
	var changes Changes
	err = s.writer.do(ctx, func(t *tx) error {
		changes = Changes{Added: []string{}, Changed: []string{}, Removed: []string{}}
		if s.dialect == postgres { // two nodes may apply at once
			if _, err := t.exec("LOCK TABLE site_items, users IN SHARE ROW EXCLUSIVE MODE"); err != nil {
				return err
			}
		}
		if err := applyItems(t, items, &changes); err != nil {
			return err
		}
		return applyUsers(t, users, now, &changes)
	})
	if err != nil {
		return fail(err)
	}
	return changes, nil
}

// siteRows encodes a site, and refuses one whose names are not unique: config says where,
// this is the last guard.
func siteRows(site model.Site) (items, users []siteRow, err error) {
	if max(len(site.Trunks), len(site.Queues), len(site.Users)) > siteLimit {
		return nil, nil, fmt.Errorf("more than %d trunks, queues or users", siteLimit)
	}
	seen := map[string]bool{}
	row := func(kind, id string, position int, v any) siteRow {
		body, encodeErr := toJSON(v)
		key := kind + " " + id
		switch {
		case encodeErr != nil:
			err = errors.Join(err, fmt.Errorf("%s: %w", key, encodeErr))
		case id == "":
			err = errors.Join(err, fmt.Errorf("%s number %d has no name", kind, position+1))
		case seen[key]:
			err = errors.Join(err, fmt.Errorf("%s is there twice", key))
		}
		seen[key] = true
		return siteRow{kind: kind, id: id, body: body, position: position}
	}
	for i, t := range site.Trunks {
		items = append(items, row("trunk", string(t.ID), i, t))
	}
	for i, q := range site.Queues {
		items = append(items, row("queue", string(q.ID), i, q))
	}
	items = append(items, row("rules", "headset", 0, site.Headset))
	if !reflect.ValueOf(site.Dialling).IsZero() {
		items = append(items, row("rules", "dialling", 0, site.Dialling))
	}
	if site.Supervision != (model.SupervisionRules{}) {
		items = append(items, row("rules", "supervision", 0, site.Supervision))
	}
	if site.Ears != (model.EarRules{}) {
		items = append(items, row("rules", "ears", 0, site.Ears))
	}
	if site.Phones != (model.PhoneRules{}) {
		items = append(items, row("phones", "rules", 0, site.Phones))
	}
	for i, u := range site.Users {
		users = append(users, row("user", string(u.ID), i, u))
	}
	return items, users, err
}

// rules says that a row is of the site as a whole.
func (r siteRow) rules() bool { return r.kind == "rules" || r.kind == "phones" }

// name is what people read of a row in Changes.
func (r siteRow) name() string {
	switch r.kind {
	case "rules":
		return r.id + " rules"
	case "phones":
		return "phone rules"
	}
	return r.kind + " " + r.id
}

func scanSiteRow(r row) (siteRow, error) {
	var out siteRow
	var removed *int64
	err := r.Scan(&out.kind, &out.id, &out.position, &out.body, &removed)
	out.removed = removed != nil
	return out, err
}

// applyItems brings trunks, queues and rules up to date.
func applyItems(t *tx, want []siteRow, changes *Changes) error {
	have, err := list(t.ctx, t.tx, "SELECT kind, id, position, body, NULL FROM site_items ORDER BY kind, position", nil, scanSiteRow)
	if err != nil {
		return err
	}
	gone := map[string]siteRow{}
	for _, h := range have {
		gone[h.name()] = h
	}
	fresh := !slices.ContainsFunc(have, func(h siteRow) bool { return !h.rules() })
	for _, w := range want {
		h, there := gone[w.name()]
		delete(gone, w.name())
		if there && h == w {
			continue
		}
		if _, err := t.exec(`INSERT INTO site_items (kind, id, position, body) VALUES ($1, $2, $3, $4)
			ON CONFLICT (kind, id) DO UPDATE SET position = excluded.position, body = excluded.body`, w.kind, w.id, w.position, w.body); err != nil {
			return err
		}
		switch {
		case !there && w.rules(): // there always are some; of a new site nobody wants to hear of them
			if !fresh {
				changes.Changed = append(changes.Changed, w.name())
			}
		case !there:
			changes.Added = append(changes.Added, w.name())
		case h.body != w.body:
			changes.Changed = append(changes.Changed, w.name())
		}
	}
	for _, h := range have {
		if _, left := gone[h.name()]; !left {
			continue
		}
		if _, err := t.exec("DELETE FROM site_items WHERE kind = $1 AND id = $2", h.kind, h.id); err != nil {
			return err
		}
		changes.Removed = append(changes.Removed, h.name())
	}
	return nil
}

// applyUsers brings the users up to date; those who go keep their row.
func applyUsers(t *tx, want []siteRow, now time.Time, changes *Changes) error {
	have, err := list(t.ctx, t.tx, "SELECT 'user', id, position, body, removed_at FROM users ORDER BY position", nil, scanSiteRow)
	if err != nil {
		return err
	}
	gone := map[string]siteRow{}
	for _, h := range have {
		gone[h.id] = h
	}
	for _, w := range want {
		h, there := gone[w.id]
		delete(gone, w.id)
		if there && h == w {
			continue
		}
		if _, err := t.exec(`INSERT INTO users (id, position, body) VALUES ($1, $2, $3)
			ON CONFLICT (id) DO UPDATE SET position = excluded.position, body = excluded.body, removed_at = NULL`, w.id, w.position, w.body); err != nil {
			return err
		}
		switch {
		case !there || h.removed:
			changes.Added = append(changes.Added, w.name())
		case h.body != w.body:
			changes.Changed = append(changes.Changed, w.name())
		}
	}
	for _, h := range have {
		if _, left := gone[h.id]; !left || h.removed {
			continue
		}
		if _, err := t.exec("UPDATE users SET removed_at = $2, password_hash = '' WHERE id = $1", h.id, now); err != nil {
			return err
		}
		changes.Removed = append(changes.Removed, h.name())
	}
	return nil
}

// Site gives the site as it was last applied; before the first time it is empty with the
// default headset rules. Its lists are never nil.
func (s *Store) Site(ctx context.Context) (model.Site, error) {
	site := model.Site{Trunks: []model.Trunk{}, Queues: []model.Queue{}, Users: []model.User{}}
	// One statement, so that a site applied meanwhile is seen whole or not at all.
	rows, err := list(ctx, s.read, `SELECT kind, id, position, body, NULL AS removed FROM site_items
		UNION ALL SELECT 'user', id, position, body, NULL FROM users WHERE removed_at IS NULL
		ORDER BY 1, 3 LIMIT $1`, []any{3 * siteLimit}, scanSiteRow)
	for _, r := range rows {
		switch r.kind {
		case "trunk":
			err = errors.Join(err, appendJSON(&site.Trunks, r.body))
		case "queue":
			err = errors.Join(err, appendJSON(&site.Queues, r.body))
		case "user":
			err = errors.Join(err, appendJSON(&site.Users, r.body))
		case "phones":
			err = errors.Join(err, document{&site.Phones}.Scan(r.body))
		case "rules":
			rules := map[string]any{"headset": &site.Headset, "dialling": &site.Dialling, "supervision": &site.Supervision, "ears": &site.Ears}
			if to, known := rules[r.id]; known {
				err = errors.Join(err, document{to}.Scan(r.body))
			}
		}
	}
	if err != nil {
		return model.Site{}, fmt.Errorf("store: site: %w", err)
	}
	return site, nil
}

// appendJSON decodes one more element of a list.
func appendJSON[T any](to *[]T, body string) error {
	var v T
	if err := (document{&v}).Scan(body); err != nil {
		return err
	}
	*to = append(*to, v)
	return nil
}

// User gives a user of the site and the password hash, which is empty when no password
// has been set. A removed user is ErrNotFound, and so is one who never was.
func (s *Store) User(ctx context.Context, id model.AgentID) (user model.User, passwordHash string, err error) {
	err = named(s.read.QueryRowContext(ctx, "SELECT body, password_hash FROM users WHERE id = $1 AND removed_at IS NULL",
		bind([]any{id})...).Scan(document{&user}, &passwordHash))
	if err != nil {
		return model.User{}, "", fmt.Errorf("store: user %q: %w", id, err)
	}
	return user, passwordHash, nil
}

// SetPasswordHash replaces a user's password hash.
func (s *Store) SetPasswordHash(ctx context.Context, id model.AgentID, hash string) error {
	err := s.writer.do(ctx, func(t *tx) error {
		return mustTouch(t.exec("UPDATE users SET password_hash = $2 WHERE id = $1 AND removed_at IS NULL", id, hash))
	})
	if err != nil {
		return fmt.Errorf("store: password of %q: %w", id, err)
	}
	return nil
}

// mustTouch turns a statement that touched no row into ErrNotFound.
func mustTouch(rows int64, err error) error {
	if err == nil && rows == 0 {
		return ErrNotFound
	}
	return err
}
