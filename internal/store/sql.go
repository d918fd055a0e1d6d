package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	driver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// tx is the transaction a change runs in.
type tx struct {
	ctx      context.Context
	tx       *sql.Tx
	prepared *prepared // nil = none
}

// exec runs a statement and gives the number of rows it touched.
func (t *tx) exec(statement string, args ...any) (int64, error) {
	var res sql.Result
	var err error
	if parsed := t.prepared.find(statement); parsed != nil {
		s := t.tx.StmtContext(t.ctx, parsed)
		defer func() { _ = s.Close() }() // of this transaction; what is kept stays open
		res, err = s.ExecContext(t.ctx, bind(args)...)
	} else {
		res, err = t.tx.ExecContext(t.ctx, statement, bind(args)...)
	}
	if err != nil {
		return 0, named(err)
	}
	return res.RowsAffected()
}

// one runs a query for one row; no row is ErrNotFound.
func (t *tx) one(query string, args []any, into ...any) error {
	return named(t.tx.QueryRowContext(t.ctx, query, bind(args)...).Scan(into...))
}

// querier is a connection pool or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// list runs a query and gives its rows as scan reads them; never nil.
func list[T any](ctx context.Context, q querier, query string, args []any, scan func(row) (T, error)) ([]T, error) {
	rows, err := q.QueryContext(ctx, query, bind(args)...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // what went wrong is in rows.Err
	out := []T{}
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}

// row is what a scan function reads from: *sql.Rows or *sql.Row.
type row interface{ Scan(into ...any) error }

// bind turns arguments into what both drivers take: times become microseconds, and text
// becomes text that both databases hold. PostgreSQL refuses a NUL byte and invalid UTF-8,
// and a caller's display name may carry either; a call must not go unrecorded for that.
func bind(args []any) []any {
	out := make([]any, len(args))
	for i, a := range args {
		switch v := a.(type) {
		case time.Time:
			out[i] = v.UnixMicro()
		case *time.Time:
			if v != nil {
				out[i] = v.UnixMicro()
			}
		default:
			if rv := reflect.ValueOf(a); rv.Kind() == reflect.String {
				out[i] = strings.ReplaceAll(strings.ToValidUTF8(rv.String(), "\uFFFD"), "\x00", "\uFFFD")
			} else {
				out[i] = a
			}
		}
	}
	return out
}

// instant scans a time kept as microseconds.
type instant struct{ to *time.Time }

// Scan implements sql.Scanner.
func (i instant) Scan(src any) error {
	us, ok := src.(int64)
	if !ok {
		return fmt.Errorf("a time is kept as an integer, found %T", src)
	}
	*i.to = time.UnixMicro(us).UTC()
	return nil
}

// maybeInstant scans a time that may be absent.
type maybeInstant struct{ to **time.Time }

// Scan implements sql.Scanner.
func (i maybeInstant) Scan(src any) error {
	*i.to = nil
	if src == nil {
		return nil
	}
	var t time.Time
	if err := (instant{&t}).Scan(src); err != nil {
		return err
	}
	*i.to = &t
	return nil
}

// document scans a value kept as JSON.
type document struct{ to any }

// Scan implements sql.Scanner.
func (d document) Scan(src any) error {
	switch v := src.(type) {
	case string:
		return json.Unmarshal([]byte(v), d.to)
	case []byte:
		return json.Unmarshal(v, d.to)
	default:
		return fmt.Errorf("a document is kept as text, found %T", src)
	}
}

// toJSON encodes a value for a document column.
func toJSON(v any) (string, error) {
	b, err := json.Marshal(v)
	return string(b), err
}

// digest tells rows apart that are not the same row sent twice.
func digest(parts ...string) int64 {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return int64(binary.BigEndian.Uint64(h.Sum(nil)))
}

// named gives the sentinel for what the databases say in their own ways: no such row, or
// a reference to one that is not there.
func named(err error) error {
	if err == nil {
		return nil
	}
	var pg *pgconn.PgError
	var lite *driver.Error
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return ErrNotFound
	case errors.As(err, &pg) && pg.Code == "23503": // foreign_key_violation
		return fmt.Errorf("what it belongs to: %w", ErrNotFound)
	case errors.As(err, &lite) && lite.Code() == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
		return fmt.Errorf("what it belongs to: %w", ErrNotFound)
	}
	return err
}

// bounded holds a limit within 1..most; zero or less is most.
func bounded(limit, most int) int {
	if limit <= 0 || limit > most {
		return most
	}
	return limit
}
