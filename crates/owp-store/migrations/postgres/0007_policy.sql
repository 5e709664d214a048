-- What the operator set beside the defaults, as JSON; NULL for nothing.

ALTER TABLE repositories ADD COLUMN policy TEXT COLLATE "C";
