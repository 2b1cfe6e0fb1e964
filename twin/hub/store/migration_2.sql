-- Configurations, what they hold of each twin, and jobs.
CREATE TABLE configurations (
	id TEXT PRIMARY KEY,
	content TEXT NOT NULL,
	labels TEXT NOT NULL,
	target_condition TEXT NOT NULL,
	priority INTEGER NOT NULL,
	metrics TEXT NOT NULL, -- the custom queries by name
	results TEXT NOT NULL, -- how many twins each of them found when last asked
	created_ms INTEGER NOT NULL,
	updated_ms INTEGER NOT NULL,
	etag INTEGER NOT NULL
) WITHOUT ROWID;

-- Whom a configuration targets, and whether something of it is in force there.
CREATE TABLE configuration_targets (
	configuration_id TEXT NOT NULL,
	device_id TEXT NOT NULL,
	module_id TEXT NOT NULL,
	applied INTEGER NOT NULL,
	PRIMARY KEY (configuration_id, device_id, module_id),
	FOREIGN KEY (configuration_id) REFERENCES configurations ON DELETE CASCADE,
	FOREIGN KEY (device_id, module_id) REFERENCES identities ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX configuration_targets_by_twin ON configuration_targets (device_id, module_id);

-- What configurations have set in a twin: {"path": value}. Written with the twin itself, so that
-- it can be taken back whatever happens in between.
CREATE TABLE configuration_settings (
	device_id TEXT NOT NULL,
	module_id TEXT NOT NULL,
	settings TEXT NOT NULL,
	stays INTEGER NOT NULL, -- of a deployment, whose end takes nothing back
	PRIMARY KEY (device_id, module_id),
	FOREIGN KEY (device_id, module_id) REFERENCES identities ON DELETE CASCADE
) WITHOUT ROWID;

CREATE TABLE jobs (
	id TEXT PRIMARY KEY,
	type TEXT NOT NULL,
	request TEXT NOT NULL, -- as it was asked for
	status TEXT NOT NULL,
	reason TEXT NOT NULL,
	author TEXT NOT NULL,
	created_ms INTEGER NOT NULL,
	start_ms INTEGER NOT NULL,
	deadline_ms INTEGER NOT NULL,
	ended_ms INTEGER NOT NULL -- 0: not yet
) WITHOUT ROWID;
CREATE INDEX jobs_open ON jobs (start_ms) WHERE ended_ms = 0;
CREATE INDEX jobs_by_end ON jobs (ended_ms) WHERE ended_ms > 0;

-- One row a device that a job concerns, made when the job starts. Devices may go meanwhile.
CREATE TABLE job_devices (
	job_id TEXT NOT NULL,
	device_id TEXT NOT NULL,
	status TEXT NOT NULL,
	updated_ms INTEGER NOT NULL,
	started_ms INTEGER NOT NULL,
	ended_ms INTEGER NOT NULL,
	outcome TEXT NOT NULL, -- what the device answered, or the error
	PRIMARY KEY (job_id, device_id),
	FOREIGN KEY (job_id) REFERENCES jobs ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX job_devices_by_status ON job_devices (job_id, status);
