-- +goose Up
-- Calls out that were permitted, for the limits on them. What is older than two days goes.

CREATE TABLE dials (
    seq      INTEGER PRIMARY KEY,
    call_id  TEXT NOT NULL, -- of calls, where it may not be yet
    user_id  TEXT    NOT NULL,
    number   TEXT    NOT NULL, -- +E.164, or a short one
    class    TEXT    NOT NULL,
    at       INTEGER NOT NULL,
    longest  INTEGER NOT NULL, -- how long it may last, in microseconds; 0 is without limit
    ended_at INTEGER,          -- when it was told; without, the call's own end counts
    talk     INTEGER           -- how long it lasted, in microseconds
) STRICT;
CREATE INDEX dials_by_user ON dials (user_id, at);
CREATE INDEX dials_by_time ON dials (at);
CREATE INDEX dials_open ON dials (call_id) WHERE ended_at IS NULL;

-- +goose Down
DROP TABLE dials;
