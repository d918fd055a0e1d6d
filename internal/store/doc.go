// Package store keeps what must outlive a restart: the site, calls and their story,
// per-second readings, SIP ladders, reports, headsets, verdicts and sign-in sessions.
//
// One Store stands over SQLite (the default) or PostgreSQL; one contract suite holds
// for both. Three rules:
//
//   - A method that writes returns after its change is committed and flushed (SQLite:
//     write-ahead log with synchronous=FULL). What it acknowledged survives kill -9 and
//     a power cut.
//   - One goroutine writes. It takes everything that waits, up to a limit, into one
//     transaction, so that many calls share one flush (writer.go). A change that fails
//     fails alone.
//   - Reads go over their own connections, never wait for a writer, and are bounded:
//     every list has a limit.
//
// Times are kept as microseconds since 1970 UTC and come back in UTC, cut to that
// resolution. Methods may be called from any goroutine. A write whose context ends while
// it waits returns at once; it may still be recorded, as with any lost answer, so every
// write may be repeated: the second time changes nothing.
package store
