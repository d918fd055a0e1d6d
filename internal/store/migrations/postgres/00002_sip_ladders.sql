-- +goose Up
-- What was said in the SIP dialogs of a call, secrets left out.

CREATE TABLE sip_ladders (
    call_id     TEXT    NOT NULL REFERENCES calls (id),
    leg_id      TEXT    NOT NULL, -- of the party; one that was never answered has no row in legs
    recorded_at BIGINT  NOT NULL,
    data        BYTEA   NOT NULL, -- see internal/store/ladders.go
    PRIMARY KEY (call_id, leg_id)
);

-- +goose Down
DROP TABLE sip_ladders;
