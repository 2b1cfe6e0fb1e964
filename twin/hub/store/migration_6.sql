-- The index of queries (twin_index.h). All of it is derived from the twins: it may be emptied and
-- built again at any time, and whoever asks it looks at the twin as well.
CREATE TABLE index_paths (
	id INTEGER PRIMARY KEY,
	of_modules INTEGER NOT NULL,
	path TEXT NOT NULL,
	UNIQUE (of_modules, path)
);
CREATE TABLE index_values (
	path_id INTEGER NOT NULL,
	value NOT NULL, -- number, text (its beginning), or blob: '' null, 00 false, 01 true
	device_id TEXT NOT NULL,
	module_id TEXT NOT NULL,
	PRIMARY KEY (path_id, value, device_id, module_id)
) WITHOUT ROWID;

-- Below which paths (a line each), and whether each twin has its entries.
CREATE TABLE index_state (
	only INTEGER PRIMARY KEY CHECK (only = 1),
	paths TEXT NOT NULL,
	built INTEGER NOT NULL
);
INSERT INTO index_state SELECT 1, 'tags', NOT EXISTS (SELECT 1 FROM twins);

-- What queries ask of the registry itself.
CREATE INDEX identities_by_connection ON identities (connected, device_id, module_id);
CREATE INDEX identities_disabled ON identities (device_id, module_id) WHERE enabled = 0;
