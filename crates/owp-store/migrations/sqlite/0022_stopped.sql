-- When a process that served this database last ended in order; 0 when none did.
ALTER TABLE uptime ADD COLUMN stopped_at BIGINT NOT NULL DEFAULT 0;
