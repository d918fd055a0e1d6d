-- +goose Up
-- Times are microseconds since 1970 UTC. Documents are JSON.

CREATE TABLE site_items (
    kind     TEXT    NOT NULL, -- trunk, queue, rules
    id       TEXT    NOT NULL,
    position INTEGER NOT NULL, -- place in the site file
    body     TEXT    NOT NULL, -- model.Trunk, model.Queue, model.HeadsetRules
    PRIMARY KEY (kind, id)
) STRICT;

INSERT INTO site_items (kind, id, position, body)
VALUES ('rules', 'headset', 0, '{"min_active_speech":30000000000,"window":10,"replace_after":3}');

CREATE TABLE users (
    id            TEXT    PRIMARY KEY,
    position      INTEGER NOT NULL,
    body          TEXT    NOT NULL, -- model.User
    password_hash TEXT    NOT NULL DEFAULT '',
    removed_at    INTEGER           -- gone from the site; kept for the history
) STRICT;

CREATE TABLE calls (
    id          TEXT    PRIMARY KEY,
    trunk       TEXT    NOT NULL,
    queue       TEXT    NOT NULL,
    from_number TEXT    NOT NULL,
    from_name   TEXT    NOT NULL,
    to_number   TEXT    NOT NULL,
    started_at  INTEGER NOT NULL,
    answered_at INTEGER,
    ended_at    INTEGER,
    cause       TEXT    NOT NULL,
    agent       TEXT    NOT NULL
) STRICT;
CREATE INDEX calls_by_start ON calls (started_at, id);
CREATE INDEX calls_by_queue ON calls (queue, started_at, id);
CREATE INDEX calls_open ON calls (started_at) WHERE ended_at IS NULL;

CREATE TABLE legs (
    id         TEXT    PRIMARY KEY,
    call_id    TEXT    NOT NULL REFERENCES calls (id),
    kind       TEXT    NOT NULL,
    trunk      TEXT    NOT NULL,
    agent      TEXT    NOT NULL,
    headset    TEXT    NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at   INTEGER,
    cause      TEXT    NOT NULL,
    stats      TEXT    NOT NULL -- model.LegStats
) STRICT;
CREATE INDEX legs_by_call ON legs (call_id);
CREATE INDEX legs_by_agent ON legs (agent, call_id);
CREATE INDEX legs_open ON legs (call_id) WHERE ended_at IS NULL;

CREATE TABLE call_events (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    call_id TEXT    NOT NULL REFERENCES calls (id),
    at      INTEGER NOT NULL,
    kind    TEXT    NOT NULL,
    agent   TEXT    NOT NULL,
    detail  TEXT    NOT NULL, -- object of strings, or null
    digest  INTEGER NOT NULL, -- of kind, agent and detail: the same line sent twice is one
    UNIQUE (call_id, at, digest)
) STRICT;

CREATE TABLE readings (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    call_id     TEXT    NOT NULL REFERENCES calls (id),
    leg_id      TEXT    NOT NULL,
    tap         TEXT    NOT NULL,
    recorded_at INTEGER NOT NULL,
    data        BLOB    NOT NULL, -- see internal/store/readings.go
    digest      INTEGER NOT NULL, -- of data: the same run sent twice is one
    UNIQUE (call_id, leg_id, tap, digest)
) STRICT;
CREATE INDEX readings_by_call ON readings (call_id, seq);

CREATE TABLE headsets (
    id         TEXT    PRIMARY KEY,
    model      TEXT    NOT NULL,
    serial     TEXT    NOT NULL,
    first_seen INTEGER NOT NULL,
    last_seen  INTEGER NOT NULL,
    last_agent TEXT    NOT NULL
) STRICT;
CREATE INDEX headsets_by_last_seen ON headsets (last_seen, id);

CREATE TABLE reports (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    call_id TEXT    NOT NULL REFERENCES calls (id),
    leg_id  TEXT    NOT NULL,
    tap     TEXT    NOT NULL,
    headset TEXT    NOT NULL,
    agent   TEXT    NOT NULL,
    at      INTEGER NOT NULL,
    report  TEXT    NOT NULL, -- headset.Report
    UNIQUE (call_id, leg_id, tap, headset)
) STRICT;
CREATE INDEX reports_by_headset ON reports (headset, at, seq);

CREATE TABLE verdicts (
    headset TEXT    PRIMARY KEY,
    at      INTEGER NOT NULL,
    body    TEXT    NOT NULL -- model.Verdict
) STRICT;

CREATE TABLE verdict_history (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    headset TEXT    NOT NULL,
    at      INTEGER NOT NULL,
    gist    TEXT    NOT NULL, -- state and findings without their numbers
    body    TEXT    NOT NULL  -- model.Verdict
) STRICT;
CREATE INDEX verdict_history_by_headset ON verdict_history (headset, at, seq);

CREATE TABLE sessions (
    token_hash BLOB    PRIMARY KEY, -- SHA-256 of the token
    data       BLOB    NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

-- +goose Down
DROP TABLE sessions;
DROP TABLE verdict_history;
DROP TABLE verdicts;
DROP TABLE reports;
DROP TABLE headsets;
DROP TABLE readings;
DROP TABLE call_events;
DROP TABLE legs;
DROP TABLE calls;
DROP TABLE users;
DROP TABLE site_items;
