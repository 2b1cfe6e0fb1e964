/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/fault.h"

/*
 * Who may connect: a journal of JSON lines that the hub writes and the broker plugin reads, so
 * that devices are authenticated while the hub is away. vedette-broker(7) has its format. The
 * file is mode 0600. Its keys are never logged.
 */
enum vd_identity_auth {
	VD_AUTH_SAS,         /* "sas": symmetric keys */
	VD_AUTH_SELF_SIGNED, /* "selfSigned": certificate by thumbprint */
	VD_AUTH_CA,          /* "certificateAuthority": certificate of our CA, CN = the id */
	VD_AUTH_NONE,        /* "none": a module that never connects by itself */
};

/* Strings are borrowed for the call when writing; in a table they live until the next reload. NULL is "". */
struct vd_identity {
	const char *id; /* "dev" or "dev/mod" */
	bool enabled;
	enum vd_identity_auth auth;
	const char *key[2];        /* primary, secondary: base64, "" if none */
	const char *thumbprint[2]; /* SHA-1 or SHA-256, hexadecimal in any case, "" if none */
};

enum vd_right {
	VD_RIGHT_REGISTRY_READ = 1,  /* "RegistryRead" */
	VD_RIGHT_REGISTRY_WRITE = 2, /* "RegistryWrite" */
	VD_RIGHT_SERVICE = 4,        /* "ServiceConnect" */
	VD_RIGHT_DEVICE = 8,         /* "DeviceConnect" */
};

struct vd_policy {
	const char *name; /* skn= of a token */
	unsigned rights;  /* enum vd_right, or-ed */
	const char *key[2];
};

/* Azure's characters without '+', '#' and '/' which no MQTT topic can carry; 1 to 128 of them. */
bool vd_identity_part_is_valid(const char *part, size_t len);

/* "dev" or "dev/mod", both parts valid. */
bool vd_identity_id_is_valid(const char *id);

/* The names in the journal and in Azure's REST API; -EINVAL: none of them. */
const char *vd_identity_auth_name(enum vd_identity_auth auth);
VD_MUST int vd_identity_auth_parse(const char *name, enum vd_identity_auth *ret_auth);
const char *vd_right_name(enum vd_right right);
VD_MUST int vd_right_parse(const char *name, enum vd_right *ret_right);

/*
 * The writer (the hub; one a journal). Changes collect in memory and take effect together at
 * vd_identities_flush, which is one write and an fdatasync: put, put, flush after each database
 * transaction. At its start the hub rewrites the journal from its database: begin_rewrite, put
 * all, flush; the new file then replaces the old one by rename.
 */
struct vd_identities_writer;
VD_MUST int vd_identities_writer_new(const char *path, struct vd_identities_writer **ret_writer,
				     struct vd_fault *fault);
struct vd_identities_writer *vd_identities_writer_free(struct vd_identities_writer *writer);
VD_DEFINE_CLEANUP(struct vd_identities_writer, vd_identities_writer_free)

VD_MUST int vd_identities_put(struct vd_identities_writer *writer,
			      const struct vd_identity *identity);
VD_MUST int vd_identities_delete(struct vd_identities_writer *writer, const char *id);
VD_MUST int vd_identities_put_policy(struct vd_identities_writer *writer,
				     const struct vd_policy *policy);
VD_MUST int vd_identities_delete_policy(struct vd_identities_writer *writer, const char *name);

/* Forgets unflushed changes (the database rolled back). */
void vd_identities_abort(struct vd_identities_writer *writer);
void vd_identities_begin_rewrite(struct vd_identities_writer *writer);

/*
 * -errno: nothing of it took effect as far as can be told, and the changes are still
 * collected: flush again, or abort.
 */
VD_MUST int vd_identities_flush(struct vd_identities_writer *writer);

/* The table (the broker). The journal may still be absent: an empty table. */
struct vd_identities;
VD_MUST int vd_identities_new(const char *path, struct vd_identities **ret_table);
struct vd_identities *vd_identities_free(struct vd_identities *table);
VD_DEFINE_CLEANUP(struct vd_identities, vd_identities_free)

/*
 * Reads what was appended since, or all if the file was replaced; a stat when nothing changed.
 * A last line without its newline is left for later; a line that is no valid change is passed
 * over, logged and counted. 0: as before, VD_IDENTITIES_CHANGED, or -errno (the table is then
 * as it was).
 */
enum { VD_IDENTITIES_CHANGED = 1 };
VD_MUST int vd_identities_reload(struct vd_identities *table);

/* NULL: unknown. */
const struct vd_identity *vd_identities_find(const struct vd_identities *table, const char *id);
const struct vd_policy *vd_identities_policy(const struct vd_identities *table, const char *name);
size_t vd_identities_count(const struct vd_identities *table);
uint64_t vd_identities_bad_lines(const struct vd_identities *table);

/* One change of the journal, without its newline; for tests. -EINVAL: not one. */
VD_MUST int vd_identities_apply_line(struct vd_identities *table, const char *line, size_t len);
