/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/hub/files/packages.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "twin/document/manifest.h"
#include "twin/hub/api/api.h"
#include "twin/hub/http.h"
#include "twin/hub/files/image_files.h"
#include "twin/hub/store/trust.h"

static const char part_name[] = "archive";

/* A PUT that waits until its archive is hashed. */
struct storing {
	TAILQ_ENTRY(storing) link;
	struct vd_packages *packages;
	char sha256[VD_SHA256_TEXT];
	struct vd_exchange *exchange; /* NULL: the client is gone */
	struct vd_image_job *job;
};

struct vd_packages {
	TAILQ_HEAD(, storing) list;
	struct vd_loop *loop;
	struct vd_store *store;
	struct vd_packages_settings settings;
	struct vd_public_key keys[VD_PACKAGE_KEYS_MAX];
	size_t key_count;
};

static int refuse(struct vd_fault *fault, int refusal, const char *text)
{
	vd_fault_set(fault, vd_refusal_info(refusal)->status, "", "%s", text);
	return refusal;
}

/* --- life --- */

int vd_packages_read_keys(const cJSON *list, struct vd_public_key keys[static VD_PACKAGE_KEYS_MAX],
			  size_t *ret_count, struct vd_fault *fault)
{
	const cJSON *item;
	size_t count = 0;

	cJSON_ArrayForEach(item, list)
	{
		const char *text = cJSON_IsString(item) ? item->valuestring : "";
		int r = count < VD_PACKAGE_KEYS_MAX
				? vd_public_key_read(text, strlen(text), &keys[count], fault)
				: -EINVAL;

		if (r < 0) {
			vd_fault_under_index(fault, (int)count);
			vd_fault_under(fault, "packageKeys");
			return r;
		}
		count++;
	}
	*ret_count = count;
	return 0;
}

static bool is_known(const char *digest, void *argument)
{
	struct vd_packages *p = argument;
	bool is_stored = false;
	int64_t bytes;

	return vd_store_archive_get(p->store, digest, &bytes, &is_stored) == 0 && is_stored;
}

static bool is_open(const char *upload, void *argument)
{
	return false;
}

int vd_packages_new(struct vd_loop *loop, struct vd_store *store,
		    const struct vd_packages_settings *settings, struct vd_packages **ret_packages,
		    struct vd_fault *fault)
{
	VD_CLEANUP(vd_packages_free) struct vd_packages *p = calloc(1, sizeof *p);
	int r;

	if (!p)
		return -ENOMEM;
	*p = (struct vd_packages){ .loop = loop, .store = store, .settings = *settings };
	TAILQ_INIT(&p->list);
	r = vd_packages_read_keys(settings->keys, p->keys, &p->key_count, fault);
	if (r < 0)
		return r;
	r = vd_image_files_prepare(settings->folder, NULL);
	if (r < 0) {
		vd_fault_set(fault, 500, "/packageFolder", "%s: %s", settings->folder,
			     strerror(-r));
		return r;
	}
	r = vd_image_files_recover(settings->folder, is_known, is_open, p);
	if (r == 0)
		*ret_packages = VD_TAKE(p);
	return r;
}

/* --- manifests --- */

cJSON *vd_package_json(const struct vd_package_row *row, bool with_texts)
{
	VD_CLEANUP(vd_json_free) cJSON *json = cJSON_CreateObject();
	char time[VD_TIME_TEXT];

	if (!json || !vd_json_add_string(json, "name", row->id.name) ||
	    !vd_json_add_string(json, "version", row->id.version) ||
	    !vd_json_add_string(json, "arch", row->id.arch) ||
	    !vd_json_add_string(json, "kind", row->kind) ||
	    !vd_json_add_string(json, "sha256", row->sha256) ||
	    !vd_json_add_number(json, "bytes", (double)row->bytes) ||
	    !vd_json_add_string(json, "manifestSha256", row->manifest_sha256) ||
	    !vd_json_add_string(json, "keyId", row->key_id) ||
	    !vd_json_add_string(json, "author", row->author) ||
	    !vd_json_add_string(json, "createdTime", vd_time_text(row->created_ms, time)) ||
	    !vd_json_add_string(json, "state", row->stored_ms ? "stored" : "awaiting"))
		return NULL;
	if (with_texts && (!vd_json_add_string(json, "manifest", row->manifest) ||
			   !vd_json_add_string(json, "signature", row->signature)))
		return NULL;
	return VD_TAKE(json);
}

struct offer {
	struct vd_packages *packages;
	const char *manifest_text, *signature;
	struct vd_manifest manifest;
	char digest[VD_SHA256_TEXT], key_id[VD_KEY_ID_TEXT];
	struct vd_package_row row;
	/* what is there of that name */
	bool is_there, is_same;
	int64_t created_ms, stored_ms;
};

static void offer_fini_p(struct offer *offer)
{
	vd_manifest_fini(&offer->manifest);
}

/* Before anything is believed of it, the signature. */
static int check_signature(struct offer *offer, struct vd_fault *fault)
{
	const struct vd_packages *p = offer->packages;
	const struct vd_public_key *key = NULL;
	int r;

	if (p->key_count == 0)
		return refuse(fault, VD_REFUSED_NOT_BUILT,
			      "this hub trusts no key: its configuration lacks packageKeys");
	r = vd_signature_check(offer->signature, strlen(offer->signature), p->keys, p->key_count,
			       offer->manifest_text, strlen(offer->manifest_text), &key, fault);
	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		vd_fault_under(fault, "signature");
		return VD_REFUSED_ARGUMENT;
	}
	(void)vd_key_id_text(key, offer->key_id);
	return vd_sha256_text(offer->manifest_text, strlen(offer->manifest_text), offer->digest);
}

static int check_manifest(struct offer *offer, const struct vd_package_id *id,
			  struct vd_fault *fault)
{
	int r = vd_manifest_parse(offer->manifest_text, strlen(offer->manifest_text),
				  &offer->manifest, fault);

	if (r == -EINVAL)
		vd_fault_under(fault, "manifest");
	if (r < 0)
		return r == -EINVAL ? VD_REFUSED_ARGUMENT : r;
	if (strcmp(offer->manifest.name, id->name) != 0 ||
	    strcmp(offer->manifest.version, id->version) != 0 ||
	    strcmp(offer->manifest.arch, id->arch) != 0)
		return refuse(fault, VD_REFUSED_ARGUMENT,
			      "the manifest is of another name, version or arch");
	if (offer->manifest.bytes > offer->packages->settings.package_bytes) {
		vd_fault_set(fault, 413, "/manifest/archive/bytes",
			     "a package has at most %" PRId64 " bytes",
			     offer->packages->settings.package_bytes);
		return VD_REFUSED_TOO_LARGE;
	}
	return 0;
}

static int compare_with(const struct vd_package_row *row, void *argument)
{
	struct offer *offer = argument;

	offer->is_there = row->deleted_ms == 0;
	offer->is_same = strcmp(row->manifest_sha256, offer->digest) == 0;
	offer->created_ms = row->created_ms;
	offer->stored_ms = row->stored_ms;
	return 0;
}

/* 0: it may be stored, or is there already. */
static int check_state(struct offer *offer, const struct vd_package_id *id, struct vd_fault *fault)
{
	struct vd_packages *p = offer->packages;
	bool is_stored = false;
	int64_t all = 0, bytes = 0;
	int r = vd_store_package_get(p->store, id, compare_with, offer);

	if (r == 0 && !offer->is_same)
		return refuse(fault, VD_REFUSED_CONFLICT,
			      "this version exists with another manifest, and never changes");
	if (r == VD_STORE_NONE)
		r = 0;
	if (r == 0)
		r = vd_store_archive_get(p->store, offer->manifest.sha256, &bytes, &is_stored);
	if (r == 0 && bytes != offer->manifest.bytes)
		return refuse(fault, VD_REFUSED_ARGUMENT, "the archive is known with another size");
	if (r == 0) {
		offer->row.stored_ms = is_stored;
		return 0;
	}
	if (r == VD_STORE_NONE)
		r = vd_store_archive_bytes(p->store, &all);
	if (r == 0 && all + offer->manifest.bytes > p->settings.store_bytes)
		return refuse(fault, VD_REFUSED_QUOTA, "the hub's package store is full");
	return r;
}

static int note(struct vd_store *store, const char *action, const char *target, cJSON *details,
		int64_t now_ms)
{
	const struct vd_audit_entry entry = {
		.time_ms = now_ms, .action = action, .target = target, .details = details
	};

	return vd_store_audit_add(store, &entry);
}

static int note_package(struct vd_store *store, const char *action, const struct vd_package_id *id,
			const char *sha256, int64_t now_ms)
{
	VD_CLEANUP(vd_json_free) cJSON *details = cJSON_CreateObject();

	if (!details || !vd_json_add_string(details, "version", id->version) ||
	    !vd_json_add_string(details, "arch", id->arch) ||
	    !vd_json_add_string(details, "sha256", sha256))
		return -ENOMEM;
	return note(store, action, id->name, details, now_ms);
}

static int keep(struct offer *offer, int64_t now_ms)
{
	struct vd_store *store = offer->packages->store;
	int r = vd_store_begin(store);

	if (r < 0)
		return r;
	r = vd_store_package_put(store, &offer->row);
	if (r == 0)
		r = note_package(store, "package.add", &offer->row.id, offer->row.sha256, now_ms);
	if (r != 0) {
		vd_store_rollback(store);
		return r;
	}
	return vd_store_commit(store);
}

static void fill_row(struct offer *offer, const struct vd_package_id *id, const char *author,
		     int64_t now_ms)
{
	offer->row = (struct vd_package_row){
		.id = *id,
		.kind = offer->manifest.kind,
		.sha256 = offer->manifest.sha256,
		.bytes = offer->manifest.bytes,
		.manifest_sha256 = offer->digest,
		.manifest = offer->manifest_text,
		.signature = offer->signature,
		.key_id = offer->key_id,
		.author = author,
		.created_ms = offer->is_there ? offer->created_ms : now_ms,
		.stored_ms = offer->is_there        ? offer->stored_ms
			     : offer->row.stored_ms ? now_ms
						    : 0,
	};
}

int vd_packages_put(struct vd_packages *p, const struct vd_package_id *id, const cJSON *body,
		    const char *author, int64_t now_ms, cJSON **ret_json, bool *ret_is_new,
		    struct vd_fault *fault)
{
	VD_CLEANUP(offer_fini)
	struct offer offer = {
		.packages = p,
		.manifest_text = vd_json_string(body, "manifest", ""),
		.signature = vd_json_string(body, "signature", ""),
	};
	int r = check_signature(&offer, fault);

	if (r == 0)
		r = check_manifest(&offer, id, fault);
	if (r == 0)
		r = check_state(&offer, id, fault);
	if (r != 0)
		return r;
	fill_row(&offer, id, author, now_ms);
	if (!offer.is_there)
		r = keep(&offer, now_ms);
	if (r != 0)
		return r;
	*ret_is_new = !offer.is_there;
	*ret_json = vd_package_json(&offer.row, false);
	return *ret_json ? 0 : -ENOMEM;
}

/* --- archives --- */

static int expect(struct vd_packages *p, const char *sha256, int64_t *ret_bytes,
		  struct vd_fault *fault)
{
	bool is_stored = false;
	int r = vd_store_archive_get(p->store, sha256, ret_bytes, &is_stored);

	if (r == VD_STORE_NONE)
		return refuse(fault, VD_REFUSED_NO_SUCH, "no manifest names this archive");
	if (r == 0 && is_stored)
		return refuse(fault, VD_REFUSED_CONFLICT, "the archive is there already");
	return r;
}

int vd_packages_check(struct vd_packages *p, const char *sha256, struct vd_fault *fault)
{
	int64_t bytes;

	return expect(p, sha256, &bytes, fault);
}

static void storing_free(struct storing *storing)
{
	TAILQ_REMOVE(&storing->packages->list, storing, link);
	free(storing);
}

static void answer(struct storing *storing, int r, const char *text)
{
	struct vd_reply reply = { .status = 201 };
	struct vd_fault fault = { 0 };

	if (r > 0)
		(void)refuse(&fault, r, text);
	if (r != 0)
		vd_reply_refuse(&reply, r, &fault);
	if (storing->exchange)
		vd_exchange_reply(storing->exchange, &reply);
	reply.body = vd_json_free(reply.body);
}

/* What came was another file: it must not lie about under its own digest. */
static void throw_away(const struct vd_packages *p, const char *digest)
{
	char path[PATH_MAX];
	int len = snprintf(path, sizeof path, "%s/staging/%s.ready", p->settings.folder, digest);

	if (len > 0 && (size_t)len < sizeof path)
		(void)unlink(path);
}

static void hashed(int r, const char *digest, int64_t bytes, void *argument)
{
	struct storing *storing = argument;
	struct vd_packages *p = storing->packages;
	const char *text = NULL;

	vd_image_files_drop(p->settings.folder, storing->sha256);
	if (r == 0 && strcmp(digest, storing->sha256) != 0) {
		throw_away(p, digest);
		r = VD_REFUSED_ARGUMENT;
		text = "the body has another SHA-256";
	}
	if (r == 0)
		r = vd_store_archive_stored(p->store, digest, vd_clock_wall_ms());
	if (r == VD_STORE_NONE && !text) { /* given up meanwhile */
		throw_away(p, digest);
		r = VD_REFUSED_NO_SUCH;
		text = "no manifest names this archive";
	}
	if (r == 0)
		r = vd_image_files_settle(p->settings.folder, digest);
	if (r == 0)
		vd_log(VD_INFO, "package.stored", "sha256=%s bytes=%" PRId64, digest, bytes);
	else
		vd_log(VD_WARN, "package.notStored", "sha256=%s reason=\"%s\"", storing->sha256,
		       text ? text : strerror(-r));
	answer(storing, r, text);
	storing_free(storing);
}

static void client_gone(void *argument)
{
	struct storing *storing = argument;
	struct vd_reply reply = { .status = 500 };

	vd_exchange_reply(storing->exchange, &reply);
	storing->exchange = NULL;
}

static int hash(struct vd_packages *p, const char *sha256, struct vd_call *call)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf parts = { 0 };
	struct storing *storing = calloc(1, sizeof *storing);
	int r = storing ? vd_buf_append(&parts, part_name, sizeof part_name) : -ENOMEM;

	if (r < 0) {
		free(storing);
		return r;
	}
	storing->packages = p;
	(void)snprintf(storing->sha256, sizeof storing->sha256, "%s", sha256);
	TAILQ_INSERT_TAIL(&p->list, storing, link);
	r = vd_image_job_new(p->loop, p->settings.folder, sha256, &parts, hashed, storing,
			     &storing->job);
	if (r < 0) {
		storing_free(storing);
		return r == -EEXIST ? VD_REFUSED_UNAVAILABLE : r;
	}
	storing->exchange = call->exchange;
	if (storing->exchange)
		vd_exchange_on_closed(storing->exchange, client_gone, storing);
	return VD_API_KEPT;
}

int vd_packages_put_archive(struct vd_packages *p, struct vd_call *call, int64_t now_ms,
			    struct vd_fault *fault)
{
	const char *sha256 = call->segments[1];
	int64_t expected = 0, bytes = 0;
	int r = expect(p, sha256, &expected, fault);

	if (r != 0)
		return r;
	r = vd_image_files_take(p->settings.folder, sha256, part_name, call->body_file, &bytes);
	if (r == -ENODATA)
		return refuse(fault, VD_REFUSED_ARGUMENT, "the body is empty");
	if (r == -EACCES || r == -ENOENT)
		return refuse(fault, VD_REFUSED_UNAUTHORIZED,
			      "the body did not come from the front");
	if (r == 0 && bytes != expected) {
		vd_image_files_drop(p->settings.folder, sha256);
		vd_fault_set(fault, 400, "", "the body has %" PRId64 " bytes instead of %" PRId64,
			     bytes, expected);
		return VD_REFUSED_ARGUMENT;
	}
	return r == 0 ? hash(p, sha256, call) : r;
}

int vd_packages_send(struct vd_packages *p, struct vd_call *call, const char *sha256,
		     struct vd_fault *fault)
{
	char place[VD_SHA256_TEXT + 3];
	bool is_stored = false;
	int64_t bytes;
	int r = vd_manifest_is_digest(sha256)
			? vd_store_archive_get(p->store, sha256, &bytes, &is_stored)
			: VD_STORE_NONE;

	if (r == VD_STORE_NONE || (r == 0 && !is_stored))
		return refuse(fault, VD_REFUSED_NO_SUCH, "there is no such archive");
	if (r != 0)
		return r;
	call->reply.status = 200;
	(void)snprintf(call->reply.file, sizeof call->reply.file, "/.packages/%s",
		       vd_image_files_place(sha256, place));
	(void)snprintf(call->reply.content_type, sizeof call->reply.content_type,
		       "application/zstd");
	return 0;
}

/* --- channels --- */

cJSON *vd_channel_json(const struct vd_channel_row *row, bool is_move)
{
	VD_CLEANUP(vd_json_free) cJSON *json = cJSON_CreateObject();
	char time[VD_TIME_TEXT];

	if (!json || !vd_json_add_string(json, "name", row->name) ||
	    !vd_json_add_string(json, "arch", row->arch) ||
	    !vd_json_add_string(json, "channel", row->channel) ||
	    !vd_json_add_string(json, "version", row->version[0] ? row->version : NULL) ||
	    (is_move && !vd_json_add_string(json, "before", row->before[0] ? row->before : NULL)) ||
	    !vd_json_add_string(json, "author", row->author) ||
	    !vd_json_add_string(json, "comment", row->comment) ||
	    !vd_json_add_string(json, "movedTime", vd_time_text(row->moved_ms, time)))
		return NULL;
	return VD_TAKE(json);
}

static int note_move(struct vd_store *store, const struct vd_channel_row *row, const char *before)
{
	VD_CLEANUP(vd_json_free) cJSON *details = cJSON_CreateObject();

	if (!details || !vd_json_add_string(details, "arch", row->arch) ||
	    !vd_json_add_string(details, "channel", row->channel) ||
	    !vd_json_add_string(details, "from", before) ||
	    !vd_json_add_string(details, "to", row->version) ||
	    !vd_json_add_string(details, "comment", row->comment))
		return -ENOMEM;
	return note(store, "channel.move", row->name, details, row->moved_ms);
}

static int move(struct vd_store *store, const struct vd_channel_row *row)
{
	char before[VD_PACKAGE_NAME_BYTES];
	int r = vd_store_begin(store);

	if (r < 0)
		return r;
	r = vd_store_channel_move(store, row, before);
	if (r == 0)
		r = note_move(store, row, before);
	if (r != 0) {
		vd_store_rollback(store);
		return r;
	}
	return vd_store_commit(store);
}

static int is_usable(const struct vd_package_row *row, void *argument)
{
	return row->stored_ms && !row->deleted_ms ? 0 : VD_STORE_NONE;
}

static int check_move(struct vd_packages *p, const struct vd_channel_row *row,
		      struct vd_fault *fault)
{
	struct vd_package_id id = { 0 };
	int r;

	if (!vd_manifest_is_name(row->channel))
		return refuse(fault, VD_REFUSED_ARGUMENT,
			      "a channel's name has letters, digits and ._+~- only");
	if (strlen(row->comment) >= VD_COMMENT_BYTES)
		return refuse(fault, VD_REFUSED_ARGUMENT, "the comment is too long");
	(void)snprintf(id.name, sizeof id.name, "%s", row->name);
	(void)snprintf(id.arch, sizeof id.arch, "%s", row->arch);
	(void)snprintf(id.version, sizeof id.version, "%s", row->version);
	r = vd_store_package_get(p->store, &id, is_usable, NULL);
	if (r == VD_STORE_NONE)
		return refuse(fault, VD_REFUSED_NO_SUCH, "there is no such version to point at");
	return r;
}

int vd_packages_move(struct vd_packages *p, const char *name, const char *arch, const char *channel,
		     const cJSON *body, const char *author, int64_t now_ms, struct vd_fault *fault)
{
	const struct vd_channel_row row = {
		.name = name,
		.arch = arch,
		.channel = channel,
		.version = body ? vd_json_string(body, "version", "?") : "",
		.author = author,
		.comment = body ? vd_json_string(body, "comment", "") : "",
		.moved_ms = now_ms,
	};
	int r = body ? check_move(p, &row, fault) : 0;

	if (r != 0)
		return r;
	r = move(p->store, &row);
	if (r == VD_STORE_NONE)
		return body ? 0 : refuse(fault, VD_REFUSED_NO_SUCH, "there is no such channel");
	return r;
}

/* --- the end of packages --- */

int vd_packages_delete(struct vd_packages *p, const struct vd_package_id *id, const char *sha256,
		       int64_t now_ms)
{
	bool is_stored;
	int64_t bytes;
	int r = vd_store_begin(p->store);

	if (r < 0)
		return r;
	r = vd_store_package_delete(p->store, id, now_ms);
	if (r == 0)
		r = note_package(p->store, "package.delete", id, sha256, now_ms);
	if (r != 0) {
		vd_store_rollback(p->store);
		return r;
	}
	r = vd_store_commit(p->store);
	if (r == 0 && vd_store_archive_get(p->store, sha256, &bytes, &is_stored) == VD_STORE_NONE)
		r = vd_image_files_remove(p->settings.folder, sha256);
	return r;
}

void vd_packages_sweep(struct vd_packages *p, int64_t now_ms)
{
	(void)!vd_store_package_forget(p->store, now_ms - VD_PACKAGE_AWAITED_S * 1000LL);
}

struct vd_packages *vd_packages_free(struct vd_packages *p)
{
	if (p) {
		while (!TAILQ_EMPTY(&p->list)) {
			struct storing *storing = TAILQ_FIRST(&p->list);

			(void)vd_image_job_free(storing->job);
			answer(storing, VD_REFUSED_UNAVAILABLE, "the hub is stopping");
			storing_free(storing);
		}
		free(p);
	}
	return NULL;
}
