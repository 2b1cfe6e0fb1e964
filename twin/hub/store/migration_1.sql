-- The first schema. A later one is a new file beside this, never a change of it.
CREATE TABLE policies (
	name TEXT PRIMARY KEY,
	rights INTEGER NOT NULL,
	primary_key TEXT NOT NULL,
	secondary_key TEXT NOT NULL
) WITHOUT ROWID;

-- Devices (module_id '') and their modules, with what is known of their connection.
CREATE TABLE identities (
	device_id TEXT NOT NULL,
	module_id TEXT NOT NULL,
	generation_id TEXT NOT NULL,
	etag INTEGER NOT NULL,
	enabled INTEGER NOT NULL,
	status_reason TEXT NOT NULL,
	status_updated_ms INTEGER NOT NULL,
	managed_by TEXT NOT NULL,
	authentication TEXT NOT NULL,
	primary_key TEXT NOT NULL,
	secondary_key TEXT NOT NULL,
	primary_thumbprint TEXT NOT NULL,
	secondary_thumbprint TEXT NOT NULL,
	connected INTEGER NOT NULL DEFAULT 0,
	connection_updated_ms INTEGER NOT NULL DEFAULT 0,
	last_activity_ms INTEGER NOT NULL DEFAULT 0,
	subscriptions INTEGER NOT NULL DEFAULT 0,
	PRIMARY KEY (device_id, module_id)
) WITHOUT ROWID;

-- Sections as the service sees them: with $metadata and $version.
CREATE TABLE twins (
	device_id TEXT NOT NULL,
	module_id TEXT NOT NULL,
	version INTEGER NOT NULL,
	etag INTEGER NOT NULL,
	tags TEXT NOT NULL,
	desired TEXT NOT NULL,
	reported TEXT NOT NULL,
	PRIMARY KEY (device_id, module_id),
	FOREIGN KEY (device_id, module_id) REFERENCES identities ON DELETE CASCADE
);

-- Every desired document that was in force, whole, without $metadata.
CREATE TABLE desired_history (
	device_id TEXT NOT NULL,
	module_id TEXT NOT NULL,
	version INTEGER NOT NULL,
	changed_ms INTEGER NOT NULL,
	author TEXT NOT NULL,
	operation TEXT NOT NULL,
	document TEXT NOT NULL,
	PRIMARY KEY (device_id, module_id, version),
	FOREIGN KEY (device_id, module_id) REFERENCES identities ON DELETE CASCADE
) WITHOUT ROWID;

-- One row a record. Foreign telemetry is class 'message'; its boot_id is 'mid:' and the message
-- id, or NULL (never equal to another) if it came without one.
CREATE TABLE records (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	device_id TEXT NOT NULL,
	boot_id TEXT,
	seq INTEGER NOT NULL,
	received_ms INTEGER NOT NULL,
	wall_ms INTEGER NOT NULL,
	class TEXT NOT NULL,
	module TEXT NOT NULL,
	verdict TEXT,
	serial TEXT,
	record TEXT NOT NULL,
	UNIQUE (device_id, boot_id, seq)
);
CREATE INDEX records_by_device ON records (device_id, id);
CREATE INDEX records_by_verdict ON records (verdict, id) WHERE verdict IS NOT NULL;
CREATE INDEX records_by_serial ON records (serial, id) WHERE serial IS NOT NULL;
CREATE INDEX records_by_wall ON records (wall_ms);

-- How many records were ever taken, so that nobody has to count rows. verdict '' is none.
CREATE TABLE record_counts (
	device_id TEXT NOT NULL,
	class TEXT NOT NULL,
	verdict TEXT NOT NULL,
	count INTEGER NOT NULL,
	PRIMARY KEY (device_id, class, verdict)
) WITHOUT ROWID;

-- What a device sent and the hub could not read, with the reason.
CREATE TABLE dead_letters (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	device_id TEXT NOT NULL,
	module_id TEXT NOT NULL,
	received_ms INTEGER NOT NULL,
	reason TEXT NOT NULL,
	properties TEXT NOT NULL,
	payload BLOB NOT NULL
);

-- Where the telemetry spool was read up to: one row.
CREATE TABLE spool (
	only INTEGER PRIMARY KEY CHECK (only = 1),
	segment INTEGER NOT NULL,
	position INTEGER NOT NULL
);
