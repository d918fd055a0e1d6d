package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations
var migrations embed.FS

// migrateTries is how often a migration is tried when another process migrates the same
// file: the loser of the race finds tables that were not there a moment before.
const migrateTries = 5

// migrate brings the schema up to the newest version this program knows.
func migrate(ctx context.Context, d dialect, db *sql.DB) error {
	if d == postgres {
		return migrateOnce(ctx, d, db)
	}
	var errs []error
	for range migrateTries {
		err := migrateOnce(ctx, d, db)
		if err == nil {
			return nil
		}
		errs = append(errs, err)
		if ctx.Err() != nil || errors.Is(err, errNewer) {
			return err
		}
	}
	return errors.Join(errs...)
}

// errNewer says that the database belongs to a later version of the program.
var errNewer = errors.New("a newer version of the program has used this database; use that version")

// migrateOnce is one try. On PostgreSQL a session lock makes the nodes take turns.
func migrateOnce(ctx context.Context, d dialect, db *sql.DB) error {
	folder, err := fs.Sub(migrations, "migrations/"+string(d))
	if err != nil {
		return err
	}
	gooseDialect, options := goose.DialectSQLite3, []goose.ProviderOption{goose.WithDisableGlobalRegistry(true)}
	if d == postgres {
		gooseDialect = goose.DialectPostgres
		locker, err := lock.NewPostgresSessionLocker()
		if err != nil {
			return err
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	provider, err := goose.NewProvider(gooseDialect, db, folder, options...)
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	current, newest, err := provider.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("schema version: %w", err)
	}
	if current > newest {
		return fmt.Errorf("schema version %d, this program knows %d: %w", current, newest, errNewer)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate from version %d: %w", current, err)
	}
	return nil
}
