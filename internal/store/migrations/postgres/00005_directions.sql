-- +goose Up
-- Who called whom: the calls of before all came in.

ALTER TABLE calls ADD COLUMN direction TEXT NOT NULL DEFAULT 'inbound';

-- +goose Down
ALTER TABLE calls DROP COLUMN direction;
