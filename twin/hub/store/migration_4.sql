-- Trust: enrolment tokens, certificates that the hub issued, the audit log, and what devices use.
-- Of a token only the digest of its secret is kept.
CREATE TABLE enrolments (
	id TEXT PRIMARY KEY,
	secret_digest TEXT NOT NULL,
	device_id TEXT NOT NULL, -- '' for any
	tags TEXT NOT NULL, -- for the twin of the device that comes of it
	author TEXT NOT NULL,
	created_ms INTEGER NOT NULL,
	expires_ms INTEGER NOT NULL,
	used_ms INTEGER NOT NULL DEFAULT 0, -- 0: not yet
	used_by TEXT NOT NULL DEFAULT '', -- the device
	public_key TEXT NOT NULL DEFAULT '' -- digest of the key that used it
) WITHOUT ROWID;

CREATE TABLE certificates (
	serial TEXT PRIMARY KEY,
	device_id TEXT NOT NULL,
	thumbprint TEXT NOT NULL, -- SHA-256
	enrolment_id TEXT NOT NULL, -- '' for a renewal
	not_before_ms INTEGER NOT NULL,
	not_after_ms INTEGER NOT NULL,
	issued_ms INTEGER NOT NULL,
	revoked_ms INTEGER NOT NULL DEFAULT 0, -- 0: not revoked
	reason TEXT NOT NULL DEFAULT '',
	pem TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX certificates_by_device ON certificates (device_id, issued_ms);
CREATE INDEX certificates_by_enrolment ON certificates (enrolment_id) WHERE enrolment_id <> '';

-- Numbered 1, 2, 3 and so on without a gap; hash is over the one before and this row (vedette-hub(8)).
CREATE TABLE audit (
	id INTEGER PRIMARY KEY,
	time_ms INTEGER NOT NULL,
	actor TEXT NOT NULL,
	action TEXT NOT NULL,
	target TEXT NOT NULL,
	details TEXT NOT NULL,
	hash TEXT NOT NULL
);
CREATE INDEX audit_by_target ON audit (target, id);
CREATE TRIGGER audit_stays BEFORE DELETE ON audit BEGIN
	SELECT RAISE(ABORT, 'the audit log is append-only');
END;
CREATE TRIGGER audit_is_final BEFORE UPDATE ON audit BEGIN
	SELECT RAISE(ABORT, 'the audit log is append-only');
END;

-- What each device sent, by day (UTC, days since 1970).
CREATE TABLE usage (
	day INTEGER NOT NULL,
	device_id TEXT NOT NULL,
	messages INTEGER NOT NULL,
	bytes INTEGER NOT NULL,
	PRIMARY KEY (day, device_id)
) WITHOUT ROWID;
