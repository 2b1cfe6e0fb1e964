-- Telemetry by the batch: what a device sent in one message stays one compressed row, since a row and
-- its indexes cost more than all else that is done for a record. ids are shared with records: the
-- chunk's records have first_id to last_id, in order.
CREATE TABLE chunks (
	last_id INTEGER PRIMARY KEY,
	first_id INTEGER NOT NULL,
	device_id TEXT NOT NULL,
	received_ms INTEGER NOT NULL,
	class TEXT NOT NULL,
	module TEXT, -- NULL: several
	records BLOB NOT NULL -- zstd of a JSON array
);
CREATE INDEX chunks_by_device ON chunks (device_id, last_id);

-- Which records of chunks were taken: a bit for each seq of a block of 4096, zeroes at the end left off.
CREATE TABLE seen (
	id INTEGER PRIMARY KEY,
	device_id TEXT NOT NULL,
	boot_id TEXT NOT NULL,
	block INTEGER NOT NULL,
	day INTEGER NOT NULL, -- since 1970, of the last one
	bits BLOB NOT NULL,
	UNIQUE (device_id, boot_id, block)
);
CREATE INDEX seen_by_day ON seen (day);

-- The common counter of ids.
INSERT INTO sqlite_sequence (name, seq)
	SELECT 'records', 0 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'records');
