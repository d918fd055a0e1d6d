-- +goose Up
-- Calls out that were permitted, for the limits on them. What is older than two days goes.

CREATE TABLE dials (
    seq      BIGINT  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    call_id  TEXT COLLATE "C" NOT NULL, -- of calls, where it may not be yet
    user_id  TEXT    NOT NULL,
    number   TEXT    NOT NULL, -- +E.164, or a short one
    class    TEXT    NOT NULL,
    at       BIGINT  NOT NULL,
    longest  BIGINT  NOT NULL, -- how long it may last, in microseconds; 0 is without limit
    ended_at BIGINT,           -- when it was told; without, the call's own end counts
    talk     BIGINT            -- how long it lasted, in microseconds
);
CREATE INDEX dials_by_user ON dials (user_id, at);
CREATE INDEX dials_by_time ON dials (at);
CREATE INDEX dials_open ON dials (call_id) WHERE ended_at IS NULL;

-- +goose Down
DROP TABLE dials;
