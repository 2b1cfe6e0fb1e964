-- Whether it was announced that a name is of this image: a device that was not answered tells again.
ALTER TABLE image_names ADD COLUMN told INTEGER NOT NULL DEFAULT 0;

-- What people say of items and images. Rows are added and never changed.
CREATE TABLE labels (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	device_id TEXT NOT NULL,
	item_id TEXT NOT NULL, -- '': of an image alone
	sha256 TEXT NOT NULL, -- '': of an item alone
	created_ms INTEGER NOT NULL,
	author TEXT NOT NULL, -- the policy that signed the call
	body TEXT NOT NULL -- {"label","boxes","by","note"}
);
CREATE INDEX labels_by_device ON labels (device_id, id);
