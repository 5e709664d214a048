-- The delivery or request because of which a comment was last wanted, for the log.
ALTER TABLE wanted_comments ADD COLUMN cause TEXT COLLATE "C";
