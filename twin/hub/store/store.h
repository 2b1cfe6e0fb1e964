/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fault.h"
#include "base/json.h"
#include "twin/broker/identities.h"
#include "twin/document/section.h"
#include "twin/hub/store/name.h"

/*
 * What the hub knows, on disk. The only header through which the hub's other parts reach a
 * database; store*.c are the only files with SQL. Today SQLite in WAL mode with every
 * commit on the disk before the call returns; the schema's number stands in user_version
 * and is brought forward at opening.
 *
 * All calls: 0 done; VD_STORE_NONE there is no such row (VD_STORE_DUPLICATE: it is there
 * already); -EBUSY another process holds the database; -EIO it failed (logged here).
 * Writing outside vd_store_begin … commit is its own transaction.
 */
enum { VD_STORE_NONE = 1, VD_STORE_DUPLICATE = 2 };

struct vd_store;

/* -ENOENT unless create; -EPROTO: written by a newer hub. */
VD_MUST int vd_store_open(const char *path, bool create, struct vd_store **ret_store,
			  struct vd_fault *fault);
struct vd_store *vd_store_free(struct vd_store *store);
VD_DEFINE_CLEANUP(struct vd_store, vd_store_free)

VD_MUST int vd_store_begin(struct vd_store *store);
VD_MUST int vd_store_commit(struct vd_store *store); /* rolls back on failure */
/*
 * As vd_store_begin, but its commit does not wait for the disk: for what can be had again after a
 * power cut, which may take it back whole. The next commit of the other kind makes it durable, too.
 */
VD_MUST int vd_store_begin_relaxed(struct vd_store *store);
void vd_store_rollback(struct vd_store *store); /* without a transaction: nothing */

/*
 * Several transactions that cost one sync: between group_begin and group_end each begin … commit is a
 * part, rolled back alone and durable with the others when the group ends. Whoever tells others of
 * a change in a group waits for fn: 0, or <0 when all that the group had is lost. A group in a
 * group is part of it.
 */
typedef void (*vd_group_fn)(int result, void *argument);
void vd_store_on_group_end(struct vd_store *store, vd_group_fn fn, void *argument);
void vd_store_group_begin(struct vd_store *store);
void vd_store_group_end(struct vd_store *store);
bool vd_store_is_grouping(const struct vd_store *store);

/* Shared access policies of the hub. */
enum { VD_POLICY_NAME_BYTES = 65, VD_KEY_BYTES = 129, VD_THUMBPRINT_BYTES = 65 };
struct vd_policy_row {
	char name[VD_POLICY_NAME_BYTES];
	unsigned rights; /* enum vd_right */
	char key[2][VD_KEY_BYTES];
};
typedef int (*vd_policy_fn)(const struct vd_policy_row *policy, void *argument);
VD_MUST int vd_store_policy_get(struct vd_store *store, const char *name,
				struct vd_policy_row *ret_policy);
VD_MUST int vd_store_policy_add(struct vd_store *store, const struct vd_policy_row *policy);
VD_MUST int vd_store_policy_each(struct vd_store *store, vd_policy_fn fn, void *argument);

/* A device ("dev", "") or one of its modules ("dev", "mod"). */
enum { VD_REASON_BYTES = 129, VD_GENERATION_BYTES = 33 };

struct vd_device {
	struct vd_name name;
	char generation[VD_GENERATION_BYTES];
	int64_t etag;
	bool enabled;
	char status_reason[VD_REASON_BYTES];
	int64_t status_updated_ms;
	char managed_by[VD_REASON_BYTES];
	bool is_edge; /* capabilities.iotEdge */
	enum vd_identity_auth auth;
	char key[2][VD_KEY_BYTES];
	char thumbprint[2][VD_THUMBPRINT_BYTES];
	/* vd_store_device_put leaves these as they are */
	bool connected;
	int64_t connection_updated_ms;
	int64_t last_activity_ms;
	unsigned subscriptions; /* enum vd_flag of twin/broker/topics.h */
	int message_count;      /* that wait for it */
};

struct vd_device_counts {
	int64_t total, enabled, disabled, connected; /* devices, without modules */
};

/* Not 0 ends the walk and is returned by the caller. */
typedef int (*vd_device_fn)(const struct vd_device *device, void *argument);

VD_MUST int vd_store_device_get(struct vd_store *store, const struct vd_name *name,
				struct vd_device *ret_device);
VD_MUST int vd_store_device_put(struct vd_store *store, const struct vd_device *device);
VD_MUST int vd_store_device_delete(struct vd_store *store, const struct vd_name *name);
/* Devices without their modules, by name. */
VD_MUST int vd_store_devices(struct vd_store *store, int limit, vd_device_fn fn, void *argument);
/* The modules of a device, by name. */
VD_MUST int vd_store_modules(struct vd_store *store, const char *device, vd_device_fn fn,
			     void *argument);
/* Devices and modules. */
VD_MUST int vd_store_identities(struct vd_store *store, vd_device_fn fn, void *argument);
VD_MUST int vd_store_device_counts(struct vd_store *store, struct vd_device_counts *ret_counts);

VD_MUST int vd_store_set_connected(struct vd_store *store, const struct vd_name *name,
				   bool connected, int64_t now_ms);
VD_MUST int vd_store_set_subscriptions(struct vd_store *store, const struct vd_name *name,
				       unsigned subscriptions);
VD_MUST int vd_store_touch(struct vd_store *store, const struct vd_name *name, int64_t now_ms);
VD_MUST int vd_store_disconnect_all(struct vd_store *store, int64_t now_ms);

/* Twins. What they point at is owned; vd_twin_fini frees it. _put and an identity's end also change
 * the index of queries (twin_index.h), so let them be in one transaction with it. */
struct vd_twin {
	int64_t version; /* of tags and desired together */
	int64_t etag;
	cJSON *tags;
	struct vd_section *desired, *reported;
};
void vd_twin_fini(struct vd_twin *twin);
VD_UNUSED static inline void vd_twin_fini_p(struct vd_twin *twin)
{
	vd_twin_fini(twin);
}
VD_MUST int vd_store_twin_get(struct vd_store *store, const struct vd_name *name,
			      struct vd_twin *ret_twin);
VD_MUST int vd_store_twin_put(struct vd_store *store, const struct vd_name *name,
			      const struct vd_twin *twin);

/* A twin as it is stored: JSON texts with $metadata, borrowed for the call. */
enum { VD_TWIN_TAGS = 1, VD_TWIN_DESIRED = 2, VD_TWIN_REPORTED = 4, VD_TWIN_STATE = 8 };
struct vd_twin_text {
	const char *text; /* NULL: not asked for */
	size_t len;
};
struct vd_twin_row {
	struct vd_name name;
	int64_t version, etag;
	struct vd_twin_text tags, desired, reported;
	bool is_enabled, is_connected; /* VD_TWIN_STATE */
	const char *authentication;    /* NULL: not asked for */
};
typedef int (*vd_twin_fn)(const struct vd_twin_row *row, void *argument);

/*
 * Twins of devices, or of modules, from this name on in the order of names, at most limit; parts
 * are those asked for. Not 0 from fn ends the walk and is returned; fn must not walk twins itself.
 */
VD_MUST int vd_store_twins_each(struct vd_store *store, bool of_modules, const struct vd_name *from,
				unsigned parts, int limit, vd_twin_fn fn, void *argument);
/* This one; nothing happens if there is none. */
VD_MUST int vd_store_twin_row(struct vd_store *store, const struct vd_name *name, unsigned parts,
			      vd_twin_fn fn, void *argument);
VD_MUST int vd_store_twin_count(struct vd_store *store, bool of_modules, int64_t *ret_count);

/* The desired documents of a twin; the newest VD_HISTORY_KEPT are kept. */
enum { VD_HISTORY_KEPT = 200 };
struct vd_history {
	int64_t version;
	int64_t changed_ms;
	const char *author;
	const char *operation; /* "create", "update", "replace" */
	const char *comment;   /* "" none */
};
typedef int (*vd_history_fn)(const struct vd_history *entry, void *argument);
VD_MUST int vd_store_history_add(struct vd_store *store, const struct vd_name *name,
				 const struct vd_history *entry, const cJSON *document);
VD_MUST int vd_store_history_get(struct vd_store *store, const struct vd_name *name,
				 int64_t version, cJSON **ret_document);
/* Newest first. */
VD_MUST int vd_store_history_each(struct vd_store *store, const struct vd_name *name, int limit,
				  vd_history_fn fn, void *argument);

/* Records: everything borrowed for the call. */
struct vd_record_row {
	int64_t id; /* given by the store */
	const char *device;
	const char *boot_id; /* NULL: equal to no other */
	int64_t seq;
	int64_t received_ms, wall_ms;
	const char *class_name, *module;
	const char *verdict, *serial; /* NULL: none */
	const char *text;             /* the record, JSON */
};
struct vd_record_filter {
	const char *device, *class_name, *module, *verdict, *serial; /* NULL: any */
	int64_t after;                                               /* ids above it */
	int64_t upto;                                                /* not above it; 0: no bound */
	bool (*wants_device)(const char *device, void *argument);    /* NULL: any */
	void *argument;
	int limit;
	bool newest; /* the last ones of the range instead of the first; given oldest first */
};
typedef int (*vd_record_fn)(const struct vd_record_row *record, void *argument);
typedef int (*vd_count_fn)(const char *class_name, const char *verdict, int64_t count,
			   void *argument);

/* VD_STORE_DUPLICATE: (device, boot_id, seq) is stored already. */
VD_MUST int vd_store_record_add(struct vd_store *store, const struct vd_record_row *record);

/*
 * A batch of records as a device sent it, in a transaction of the caller's; those that are
 * stored already are passed over. VD_STORE_NOT_PLAIN: its text is not of the form that
 * twin/hub/store/scan.h takes, or has a record that is none: nothing was stored, take them one by one.
 */
enum { VD_STORE_NOT_PLAIN = 3 };
struct vd_batch_text {
	const char *device;
	int64_t received_ms;
	const char *text; /* the JSON array */
	size_t len;
	const void *frame; /* the same as zstd frames; NULL: it came without */
	size_t frame_len;
};
VD_MUST int vd_store_batch_add(struct vd_store *store, const struct vd_batch_text *batch);
VD_MUST int vd_store_record_each(struct vd_store *store, const struct vd_record_filter *filter,
				 vd_record_fn fn, void *argument);
/* How many were ever taken, expired ones too. device NULL: all; verdict is NULL where there is none. */
VD_MUST int vd_store_record_counts(struct vd_store *store, const char *device, vd_count_fn fn,
				   void *argument);
/*
 * The last id that came before received_ms, by the order of ids: as good as the clock that did not
 * step back. 0: none.
 */
VD_MUST int vd_store_record_id_at(struct vd_store *store, int64_t received_ms, int64_t *ret_id);
VD_MUST int vd_store_record_last_id(struct vd_store *store, int64_t *ret_id);
/* Deletes up to limit records and dead letters received before; the number deleted, or <0. */
VD_MUST int vd_store_expire(struct vd_store *store, int64_t before_ms, int limit);
/* Gives up to pages of what was deleted back to the file system. */
VD_MUST int vd_store_shrink(struct vd_store *store, int pages);

/* The newest VD_DEAD_LETTERS_MAX are kept. */
enum { VD_DEAD_LETTERS_MAX = 2000 };
struct vd_dead_letter {
	struct vd_name name;
	int64_t received_ms;
	const char *reason, *properties;
	const void *payload;
	size_t payload_len;
};
VD_MUST int vd_store_dead_letter_add(struct vd_store *store, const struct vd_dead_letter *letter);
VD_MUST int vd_store_dead_letter_count(struct vd_store *store, int64_t *ret_count);

/* Position in the spool, { 0, 0 } at first. */
VD_MUST int vd_store_spool_get(struct vd_store *store, uint64_t *ret_segment, uint64_t *ret_offset);
VD_MUST int vd_store_spool_set(struct vd_store *store, uint64_t segment, uint64_t offset);
