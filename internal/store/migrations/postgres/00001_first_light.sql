-- +goose Up
-- Times are microseconds since 1970 UTC. Documents are JSON.

CREATE TABLE site_items (
    kind     TEXT    NOT NULL, -- trunk, queue, rules
    id       TEXT    NOT NULL,
    position BIGINT  NOT NULL, -- place in the site file
    body     TEXT    NOT NULL, -- model.Trunk, model.Queue, model.HeadsetRules
    PRIMARY KEY (kind, id)
);

INSERT INTO site_items (kind, id, position, body)
VALUES ('rules', 'headset', 0, '{"min_active_speech":30000000000,"window":10,"replace_after":3}');

CREATE TABLE users (
    id            TEXT COLLATE "C" PRIMARY KEY,
    position      BIGINT  NOT NULL,
    body          TEXT    NOT NULL, -- model.User
    password_hash TEXT    NOT NULL DEFAULT '',
    removed_at    BIGINT            -- gone from the site; kept for the history
);

CREATE TABLE calls (
    id          TEXT COLLATE "C" PRIMARY KEY,
    trunk       TEXT    NOT NULL,
    queue       TEXT    NOT NULL,
    from_number TEXT    NOT NULL,
    from_name   TEXT    NOT NULL,
    to_number   TEXT    NOT NULL,
    started_at  BIGINT  NOT NULL,
    answered_at BIGINT,
    ended_at    BIGINT,
    cause       TEXT    NOT NULL,
    agent       TEXT    NOT NULL
);
CREATE INDEX calls_by_start ON calls (started_at, id);
CREATE INDEX calls_by_queue ON calls (queue, started_at, id);
CREATE INDEX calls_open ON calls (started_at) WHERE ended_at IS NULL;

CREATE TABLE legs (
    id         TEXT COLLATE "C" PRIMARY KEY,
    call_id    TEXT    NOT NULL REFERENCES calls (id),
    kind       TEXT    NOT NULL,
    trunk      TEXT    NOT NULL,
    agent      TEXT    NOT NULL,
    headset    TEXT    NOT NULL,
    started_at BIGINT  NOT NULL,
    ended_at   BIGINT,
    cause      TEXT    NOT NULL,
    stats      TEXT    NOT NULL -- model.LegStats
);
CREATE INDEX legs_by_call ON legs (call_id);
CREATE INDEX legs_by_agent ON legs (agent, call_id);
CREATE INDEX legs_open ON legs (call_id) WHERE ended_at IS NULL;

CREATE TABLE call_events (
    seq     BIGINT  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    call_id TEXT COLLATE "C" NOT NULL REFERENCES calls (id),
    at      BIGINT  NOT NULL,
    kind    TEXT    NOT NULL,
    agent   TEXT    NOT NULL,
    detail  TEXT    NOT NULL, -- object of strings, or null
    digest  BIGINT  NOT NULL, -- of kind, agent and detail: the same line sent twice is one
    UNIQUE (call_id, at, digest)
);

CREATE TABLE readings (
    seq         BIGINT  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    call_id     TEXT    NOT NULL REFERENCES calls (id),
    leg_id      TEXT    NOT NULL,
    tap         TEXT    NOT NULL,
    recorded_at BIGINT  NOT NULL,
    data        BYTEA   NOT NULL, -- see internal/store/readings.go
    digest      BIGINT  NOT NULL, -- of data: the same run sent twice is one
    UNIQUE (call_id, leg_id, tap, digest)
);
CREATE INDEX readings_by_call ON readings (call_id, seq);

CREATE TABLE headsets (
    id         TEXT COLLATE "C" PRIMARY KEY,
    model      TEXT    NOT NULL,
    serial     TEXT    NOT NULL,
    first_seen BIGINT  NOT NULL,
    last_seen  BIGINT  NOT NULL,
    last_agent TEXT    NOT NULL
);
CREATE INDEX headsets_by_last_seen ON headsets (last_seen, id);

CREATE TABLE reports (
    seq     BIGINT  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    call_id TEXT COLLATE "C" NOT NULL REFERENCES calls (id),
    leg_id  TEXT    NOT NULL,
    tap     TEXT    NOT NULL,
    headset TEXT    NOT NULL,
    agent   TEXT    NOT NULL,
    at      BIGINT  NOT NULL,
    report  TEXT    NOT NULL, -- headset.Report
    UNIQUE (call_id, leg_id, tap, headset)
);
CREATE INDEX reports_by_headset ON reports (headset, at, seq);

CREATE TABLE verdicts (
    headset TEXT COLLATE "C" PRIMARY KEY,
    at      BIGINT  NOT NULL,
    body    TEXT    NOT NULL -- model.Verdict
);

CREATE TABLE verdict_history (
    seq     BIGINT  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    headset TEXT    NOT NULL,
    at      BIGINT  NOT NULL,
    gist    TEXT    NOT NULL, -- state and findings without their numbers
    body    TEXT    NOT NULL  -- model.Verdict
);
CREATE INDEX verdict_history_by_headset ON verdict_history (headset, at, seq);

CREATE TABLE sessions (
    token_hash BYTEA   PRIMARY KEY, -- SHA-256 of the token
    data       BYTEA   NOT NULL,
    expires_at BIGINT  NOT NULL
);
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
