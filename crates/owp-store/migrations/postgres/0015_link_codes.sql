-- Codes are looked for by their worker and by when they end; neither may read the whole table.
CREATE INDEX link_codes_worker ON link_codes (worker_id);
CREATE INDEX link_codes_ended ON link_codes (expires_at);
