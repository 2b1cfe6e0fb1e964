-- Delivered packages. What was deleted keeps its row, so that its name never comes back with other
-- bytes; stored_ms 0: the archive has not come yet.
CREATE TABLE packages (
	name TEXT NOT NULL,
	version TEXT NOT NULL,
	arch TEXT NOT NULL,
	kind TEXT NOT NULL,
	sha256 TEXT NOT NULL, -- of the archive
	bytes INTEGER NOT NULL,
	manifest_sha256 TEXT NOT NULL,
	manifest TEXT NOT NULL, -- as it was signed, byte for byte
	signature TEXT NOT NULL,
	key_id TEXT NOT NULL,
	author TEXT NOT NULL,
	created_ms INTEGER NOT NULL,
	stored_ms INTEGER NOT NULL,
	deleted_ms INTEGER NOT NULL,
	PRIMARY KEY (name, version, arch)
) WITHOUT ROWID;
CREATE INDEX packages_by_archive ON packages (sha256);

-- Which version of a package a channel points at, and where it pointed before ('': it was made, or removed).
CREATE TABLE channels (
	name TEXT NOT NULL,
	arch TEXT NOT NULL,
	channel TEXT NOT NULL,
	version TEXT NOT NULL,
	author TEXT NOT NULL,
	comment TEXT NOT NULL,
	moved_ms INTEGER NOT NULL,
	PRIMARY KEY (name, arch, channel)
) WITHOUT ROWID;
CREATE TABLE channel_moves (
	id INTEGER PRIMARY KEY,
	name TEXT NOT NULL,
	arch TEXT NOT NULL,
	channel TEXT NOT NULL,
	before TEXT NOT NULL,
	version TEXT NOT NULL,
	author TEXT NOT NULL,
	comment TEXT NOT NULL,
	moved_ms INTEGER NOT NULL
);
CREATE INDEX channel_moves_by_channel ON channel_moves (name, arch, channel, id);
