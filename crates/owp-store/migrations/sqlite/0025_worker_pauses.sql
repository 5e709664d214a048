-- Beside `status`, which every heartbeat sets: a worker's own program goes on sending these while its owner wants a pause.
ALTER TABLE workers ADD COLUMN paused BIGINT NOT NULL DEFAULT 0;
