/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "twin/hub/store/store.h"

/*
 * The store's part for trust and accounts: enrolment tokens, issued certificates, the audit
 * log, usage. Results are as in store.h.
 */

/* --- the audit log --- */

enum { VD_AUDIT_HASH_BYTES = 65 };
struct vd_audit_entry {
	int64_t id; /* given by the store */
	int64_t time_ms;
	const char *actor; /* "policy:…", "device:…", "token:…", "hub"; NULL: of the call, or hub */
	const char *action;   /* "twin.update" … */
	const char *target;   /* an identity, or what else the action was about */
	const cJSON *details; /* an object; NULL: {} */
	const char *hash;     /* given by the store */
};
typedef int (*vd_audit_fn)(const struct vd_audit_entry *entry, void *argument);

struct vd_audit_filter {
	const char *actor, *action, *target; /* NULL: any; a device is target of its modules too */
	int64_t after;
	int limit;
	bool newest; /* the last ones instead of the first; given oldest first */
};

/* Appends to the chain, in the caller's transaction if there is one. */
VD_MUST int vd_store_audit_add(struct vd_store *store, const struct vd_audit_entry *entry);
VD_MUST int vd_store_audit_each(struct vd_store *store, const struct vd_audit_filter *filter,
				vd_audit_fn fn, void *argument);
/* As it is hashed and shown: {"id","time","actor","action","target","details"[,"hash"]}; NULL: no memory. */
cJSON *vd_audit_json(const struct vd_audit_entry *entry);
VD_MUST int vd_store_audit_count(struct vd_store *store, int64_t *ret_count);

/* The last entry that was deleted for its age; id 0 and VD_AUDIT_START's text: none. */
VD_MUST int vd_store_audit_anchor(struct vd_store *store, int64_t *ret_id,
				  char ret_hash[static VD_AUDIT_HASH_BYTES]);
/*
 * Deletes up to limit entries from before before_ms, but never the last one, and keeps the hash of
 * the last one that went as the anchor, also as an entry of its own. The number deleted, or <0.
 */
VD_MUST int vd_store_audit_expire(struct vd_store *store, int64_t before_ms, int limit,
				  int64_t now_ms);

/*
 * Around a call that may change something: the entry (borrowed until _end) goes into the first
 * transaction that commits, unless an entry of vd_store_audit_add is in it already. _end returns
 * whether anything was recorded.
 */
void vd_store_audit_begin(struct vd_store *store, const struct vd_audit_entry *call);
bool vd_store_audit_end(struct vd_store *store);

/* --- enrolment tokens --- */

enum { VD_ENROLMENT_ID_BYTES = 17, VD_DIGEST_BYTES = 65, VD_AUTHOR_BYTES = 65 };

struct vd_enrolment {
	char id[VD_ENROLMENT_ID_BYTES];
	char secret_digest[VD_DIGEST_BYTES];
	char device[VD_PART_BYTES]; /* "" for any */
	char author[VD_AUTHOR_BYTES];
	int64_t created_ms, expires_ms, used_ms; /* used_ms 0: not yet */
	char used_by[VD_PART_BYTES];
	char public_key[VD_DIGEST_BYTES]; /* of who used it */
	cJSON *tags;                      /* owned when read; NULL: {} */
};
typedef int (*vd_enrolment_fn)(const struct vd_enrolment *enrolment, void *argument);

VD_MUST int vd_store_enrolment_add(struct vd_store *store, const struct vd_enrolment *enrolment);
/* ret_enrolment->tags is the caller's to free. */
VD_MUST int vd_store_enrolment_get(struct vd_store *store, const char *id,
				   struct vd_enrolment *ret_enrolment);
/* VD_STORE_NONE: it is used up, or not there. */
VD_MUST int vd_store_enrolment_use(struct vd_store *store, const char *id, const char *device,
				   const char *public_key, int64_t now_ms);
VD_MUST int vd_store_enrolment_delete(struct vd_store *store, const char *id);
/* Newest first; tags are borrowed for the call. */
VD_MUST int vd_store_enrolment_each(struct vd_store *store, int limit, vd_enrolment_fn fn,
				    void *argument);
/* Those that can still be used. */
VD_MUST int vd_store_enrolment_open_count(struct vd_store *store, int64_t now_ms,
					  int64_t *ret_count);
/* Deletes those that are not used yet. */
VD_MUST int vd_store_enrolment_void(struct vd_store *store);
/* Deletes those that nobody can use any more since before_ms; the number, or <0. */
VD_MUST int vd_store_enrolment_expire(struct vd_store *store, int64_t before_ms);

/* --- certificates that the hub issued --- */

enum { VD_SERIAL_BYTES = 41 };

/* Texts borrowed when adding, and for the call when reading. */
struct vd_certificate_row {
	char serial[VD_SERIAL_BYTES]; /* hexadecimal, lower case */
	const char *device, *thumbprint, *enrolment, *reason, *pem;
	int64_t not_before_ms, not_after_ms, issued_ms, revoked_ms; /* revoked_ms 0: not */
};
typedef int (*vd_certificate_fn)(const struct vd_certificate_row *row, void *argument);

VD_MUST int vd_store_certificate_add(struct vd_store *store, const struct vd_certificate_row *row);
/* device NULL: all. Newest first. */
VD_MUST int vd_store_certificate_each(struct vd_store *store, const char *device, int limit,
				      vd_certificate_fn fn, void *argument);
/* The certificate that came of an enrolment: calls fn once, or VD_STORE_NONE. */
VD_MUST int vd_store_certificate_of_enrolment(struct vd_store *store, const char *enrolment,
					      vd_certificate_fn fn, void *argument);
/* serial NULL: all of the device that are not revoked yet. VD_STORE_NONE: there is none. */
VD_MUST int vd_store_certificate_revoke(struct vd_store *store, const char *device,
					const char *serial, const char *reason, int64_t now_ms);
/* Not revoked, not after now, and the earliest end among them (0: there is none). */
VD_MUST int vd_store_certificate_counts(struct vd_store *store, int64_t now_ms, int64_t *ret_valid,
					int64_t *ret_revoked, int64_t *ret_first_end_ms);

/* --- usage --- */

struct vd_usage_row {
	int64_t day; /* since 1970, UTC */
	const char *device;
	int64_t messages, bytes;
	int alarmed; /* per cent of its quota that was told */
};
typedef int (*vd_usage_fn)(const struct vd_usage_row *row, void *argument);
VD_MUST int vd_store_usage_add(struct vd_store *store, const char *device, int64_t now_ms,
			       int64_t messages, int64_t bytes);
/* By day, then device; device NULL: all. */
VD_MUST int vd_store_usage_each(struct vd_store *store, const char *device, int64_t first_day,
				int64_t last_day, int limit, vd_usage_fn fn, void *argument);
/* Of one day, those behind `after` by name who were told of less than alarmed per cent. */
VD_MUST int vd_store_usage_below(struct vd_store *store, int64_t day, int alarmed,
				 const char *after, int limit, vd_usage_fn fn, void *argument);
VD_MUST int vd_store_usage_alarm(struct vd_store *store, const char *device, int64_t day,
				 int alarmed);
/* Devices of that day who were told of at least so much. */
VD_MUST int vd_store_usage_alarmed(struct vd_store *store, int64_t day, int alarmed,
				   int64_t *ret_count);
VD_MUST int vd_store_usage_expire(struct vd_store *store, int64_t before_day);

/* --- files --- */

/* Cloud-to-device messages that wait. */
VD_MUST int vd_store_messages_waiting(struct vd_store *store, int64_t *ret_count);

/* Bytes of the database's pages, and of those among them that are free. */
VD_MUST int vd_store_size(struct vd_store *store, int64_t *ret_bytes, int64_t *ret_free_bytes);
