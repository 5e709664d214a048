-- What was asked for while something else went on is not lost, and what one person says is done in the order it was said.

-- The account whose commands a delivery brings, if it brings any.
ALTER TABLE deliveries ADD COLUMN speaker BIGINT;
CREATE INDEX deliveries_speaker ON deliveries (order_key, speaker, received_at)
  WHERE state = 'pending' AND speaker IS NOT NULL;

-- How often a compare was asked for, and how many of these the last compare answered.
ALTER TABLE repositories ADD COLUMN compares_asked BIGINT NOT NULL DEFAULT 0;
ALTER TABLE repositories ADD COLUMN compares_answered BIGINT NOT NULL DEFAULT 0;

-- When GitHub was last asked about a task that is held for want of its answer.
ALTER TABLE tasks ADD COLUMN asked_at BIGINT NOT NULL DEFAULT 0;
