-- What devices were given of their desired properties, messages to them, and files from them.
CREATE TABLE desired_given (
	device_id TEXT NOT NULL,
	module_id TEXT NOT NULL,
	version INTEGER NOT NULL,
	sure_version INTEGER NOT NULL,
	given_ms INTEGER NOT NULL,
	PRIMARY KEY (device_id, module_id),
	FOREIGN KEY (device_id, module_id) REFERENCES identities ON DELETE CASCADE
) WITHOUT ROWID;

-- Cloud-to-device messages that wait. module_id is always '': messages go to devices.
CREATE TABLE messages (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	device_id TEXT NOT NULL,
	module_id TEXT NOT NULL DEFAULT '',
	enqueued_ms INTEGER NOT NULL,
	expires_ms INTEGER NOT NULL,
	delivery_count INTEGER NOT NULL DEFAULT 0,
	message_id TEXT NOT NULL,
	ack TEXT NOT NULL,
	bag TEXT NOT NULL, -- as the topic has it
	body BLOB NOT NULL,
	FOREIGN KEY (device_id, module_id) REFERENCES identities ON DELETE CASCADE
);
CREATE INDEX messages_by_device ON messages (device_id, id);
CREATE INDEX messages_by_expiry ON messages (expires_ms);

-- How many wait for a device, kept by the database itself.
ALTER TABLE identities ADD COLUMN message_count INTEGER NOT NULL DEFAULT 0;
CREATE TRIGGER message_added AFTER INSERT ON messages BEGIN
	UPDATE identities SET message_count = message_count + 1
	WHERE device_id = new.device_id AND module_id = new.module_id;
END;
CREATE TRIGGER message_removed AFTER DELETE ON messages BEGIN
	UPDATE identities SET message_count = message_count - 1
	WHERE device_id = old.device_id AND module_id = old.module_id;
END;

-- Files that devices may upload, are uploading, or have uploaded.
CREATE TABLE uploads (
	correlation_id TEXT PRIMARY KEY,
	device_id TEXT NOT NULL,
	blob_name TEXT NOT NULL,
	created_ms INTEGER NOT NULL,
	expires_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX uploads_by_device ON uploads (device_id);

-- Images by digest; the names under which devices uploaded them.
CREATE TABLE images (
	digest TEXT PRIMARY KEY,
	bytes INTEGER NOT NULL,
	content_type TEXT NOT NULL,
	stored_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX images_by_age ON images (stored_ms);
CREATE TABLE image_names (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	device_id TEXT NOT NULL,
	blob_name TEXT NOT NULL,
	digest TEXT NOT NULL REFERENCES images ON DELETE CASCADE,
	stored_ms INTEGER NOT NULL,
	UNIQUE (device_id, blob_name)
);
CREATE INDEX image_names_by_digest ON image_names (digest);

-- Keys that the hub made for itself.
CREATE TABLE hub_keys (
	name TEXT PRIMARY KEY,
	key TEXT NOT NULL
) WITHOUT ROWID;
