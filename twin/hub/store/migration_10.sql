-- Why a document was changed, as whoever changed it said.
ALTER TABLE desired_history ADD COLUMN comment TEXT NOT NULL DEFAULT '';

-- What a device was told off for today: per cent of its quota.
ALTER TABLE usage ADD COLUMN alarmed INTEGER NOT NULL DEFAULT 0;

-- The last entry of the audit log that was deleted for its age: the chain goes on from its hash.
CREATE TABLE audit_anchor (
	only INTEGER PRIMARY KEY CHECK (only = 1),
	id INTEGER NOT NULL,
	hash TEXT NOT NULL
);
DROP TRIGGER audit_stays;
CREATE TRIGGER audit_stays BEFORE DELETE ON audit
WHEN old.id > coalesce((SELECT id FROM audit_anchor), 0) BEGIN
	SELECT RAISE(ABORT, 'the audit log is append-only');
END;
