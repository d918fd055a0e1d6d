-- +goose Up
-- Recordings of calls; what they hold lies in files, sealed. A deleted one keeps its row.

CREATE TABLE recordings (
    id         TEXT NOT NULL PRIMARY KEY,
    call_id    TEXT NOT NULL REFERENCES calls (id),
    queue      TEXT NOT NULL,
    agent      TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at   INTEGER,
    length     INTEGER NOT NULL, -- microseconds
    format     TEXT NOT NULL,
    rate       INTEGER NOT NULL, -- Hz
    file       TEXT NOT NULL, -- under the recordings' folder
    key_id     TEXT NOT NULL, -- what the file is sealed for
    size       INTEGER NOT NULL, -- bytes
    hash       TEXT NOT NULL, -- SHA-256 of the sealed chunks
    state      TEXT NOT NULL,
    lost       INTEGER NOT NULL, -- microseconds that could not be written
    expires_at INTEGER,
    hold       TEXT NOT NULL, -- model.RecordingHold, or null
    deleted_at INTEGER,
    deleted_by TEXT NOT NULL
) STRICT;
CREATE INDEX recordings_by_call ON recordings (call_id, started_at, id);
CREATE INDEX recordings_by_expiry ON recordings (expires_at) WHERE expires_at IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX recordings_open ON recordings (state) WHERE state IN ('recording', 'deleting');

-- +goose Down
DROP TABLE recordings;
