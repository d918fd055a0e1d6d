-- +goose Up
-- Where users' SIP phones are registered, and what their users last said by them.

CREATE TABLE phone_bindings (
    user_id       TEXT    NOT NULL,
    contact       TEXT    NOT NULL, -- URI
    q             INTEGER NOT NULL, -- thousandths
    sip_call_id   TEXT    NOT NULL, -- of the REGISTER
    cseq          INTEGER NOT NULL,
    transport     TEXT    NOT NULL,
    source        TEXT    NOT NULL, -- address and port that the REGISTER came from
    user_agent    TEXT    NOT NULL,
    registered_at INTEGER NOT NULL,
    expires_at    INTEGER NOT NULL,
    seal          TEXT    NOT NULL, -- of the login that the phone showed: salt and HMAC
    instance      TEXT    NOT NULL, -- +sip.instance and reg-id
    PRIMARY KEY (user_id, contact)
) STRICT;

CREATE TABLE phone_states (
    user_id TEXT NOT NULL PRIMARY KEY,
    state   TEXT NOT NULL, -- ready, break or offline
    reason  TEXT NOT NULL
) STRICT;

-- +goose Down
DROP TABLE phone_states;
DROP TABLE phone_bindings;
