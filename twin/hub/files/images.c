/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/hub/files/images.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "base/log.h"
#include "twin/hub/api/api.h"
#include "twin/hub/events.h"
#include "twin/hub/http.h"
#include "twin/hub/files/image_files.h"
#include "twin/hub/policies.h"
#include "twin/hub/files/thumbnails.h"

enum { SIGNATURE_BYTES = 96, BLOB_PARTS_MAX = VD_CALL_SEGMENTS - 2 };

static const char key_name[] = "images";

/* A PUT that waits until its file is joined. */
struct storing {
	TAILQ_ENTRY(storing) link;
	struct vd_images *images;
	struct vd_upload upload;
	char content_type[VD_CONTENT_TYPE_BYTES];
	char wanted[VD_SHA256_TEXT];  /* digest; "": none was said */
	struct vd_exchange *exchange; /* NULL: the client is gone */
	struct vd_image_job *job;
};

struct vd_images {
	TAILQ_HEAD(, storing) list;
	struct vd_loop *loop;
	struct vd_store *store;
	struct vd_events *events;
	struct vd_images_settings settings;
	char key[VD_KEY_BYTES];
	int64_t bytes; /* of all that is stored */
};

static bool is_known(const char *digest, void *argument)
{
	struct vd_images *m = argument;
	struct vd_image image;

	return vd_store_image_get(m->store, digest, &image) == 0;
}

static bool is_open(const char *upload, void *argument)
{
	struct vd_images *m = argument;
	struct vd_upload row;

	return vd_store_upload_get(m->store, upload, &row) == 0;
}

static int load(struct vd_images *m, struct vd_fault *fault)
{
	int r = vd_key_make(m->key);

	if (r == 0)
		r = vd_store_key_add(m->store, key_name, m->key);
	if (r >= 0)
		r = vd_store_key_get(m->store, key_name, m->key);
	if (r == 0)
		r = vd_store_image_bytes(m->store, &m->bytes);
	if (r == 0)
		r = vd_image_files_prepare(m->settings.folder, fault);
	return r == 0 ? vd_image_files_recover(m->settings.folder, is_known, is_open, m) : r;
}

int vd_images_new(struct vd_loop *loop, struct vd_store *store, struct vd_events *events,
		  const struct vd_images_settings *settings, struct vd_images **ret_images,
		  struct vd_fault *fault)
{
	VD_CLEANUP(vd_images_free) struct vd_images *m = calloc(1, sizeof *m);
	int r;

	if (!m)
		return -ENOMEM;
	*m = (struct vd_images){
		.loop = loop, .store = store, .events = events, .settings = *settings
	};
	TAILQ_INIT(&m->list);
	r = load(m, fault);
	if (r == 0)
		*ret_images = VD_TAKE(m);
	return r;
}

static int refuse(struct vd_fault *fault, int refusal, const char *text)
{
	vd_fault_set(fault, vd_refusal_info(refusal)->status, "", "%s", text);
	return refusal;
}

/* --- signatures --- */

static int sign(const struct vd_images *m, const char *what, const char *subject, int64_t expires_s,
		char signature[static SIGNATURE_BYTES])
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf key = { 0 };
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };
	uint8_t mac[VD_SHA256_BYTES];
	int r = vd_base64_decode(m->key, strlen(m->key), &key);

	if (r == 0)
		r = vd_buf_printf(&text, "%s\n%s\n%" PRId64, what, subject, expires_s);
	if (r == 0)
		r = vd_hmac_sha256(key.data, key.len, text.data, text.len, mac);
	for (size_t i = 0; r == 0 && i < sizeof mac; i++)
		(void)snprintf(signature + 2 * i, 3, "%02x", mac[i]);
	return r;
}

static int check_signature(const struct vd_images *m, const char *what, const char *subject,
			   const struct vd_call *call, int64_t now_ms, struct vd_fault *fault)
{
	const char *got = vd_call_argument(call, "sig");
	char wanted[SIGNATURE_BYTES];
	int64_t expires_s = 0;

	if (!got || vd_call_number(call, "se", 0, INT64_MAX / 1000, 0, &expires_s, fault) != 0 ||
	    sign(m, what, subject, expires_s, wanted) < 0 || strlen(got) != strlen(wanted) ||
	    !vd_digest_equal(got, wanted, strlen(wanted)))
		return refuse(fault, VD_REFUSED_UNAUTHORIZED, "the signature does not fit");
	if (expires_s * 1000 <= now_ms)
		return refuse(fault, VD_REFUSED_UNAUTHORIZED, "the signature has expired");
	return 0;
}

/* --- offering --- */

static bool name_is_good(const char *name)
{
	int parts = 1;

	if (!name[0] || strlen(name) >= VD_BLOB_NAME_BYTES || name[0] == '/' || strstr(name, "//"))
		return false;
	for (const char *c = name; *c; c++) {
		parts += *c == '/';
		if ((unsigned char)*c < ' ' || *c == 127 || strchr("?#%\\", *c) ||
		    (*c == '/' && !c[1]))
			return false;
	}
	for (const char *part = name; part; part = strchr(part, '/')) {
		part += *part == '/';
		if (part[0] == '.' &&
		    (strcspn(part, "/") == 1 || (strcspn(part, "/") == 2 && part[1] == '.')))
			return false;
	}
	return parts <= BLOB_PARTS_MAX;
}

static int check_room(struct vd_images *m, struct vd_fault *fault)
{
	if (m->bytes < m->settings.store_bytes)
		return 0;
	vd_log(VD_WARN, "images.full", "bytes=%" PRId64, m->bytes);
	return refuse(fault, VD_REFUSED_QUOTA, "the hub's image store is full");
}

/* Ids may have what means something in an address. */
static int add_path(struct vd_buf *out, const char *device, const char *blob_name)
{
	int r = 0;

	for (; *device && r == 0; device++)
		r = vd_buf_printf(out, strchr("?%", *device) ? "%%%02X" : "%c",
				  (unsigned char)*device);
	return r == 0 ? vd_buf_printf(out, "/%s", blob_name) : r;
}

static cJSON *offer_json(const struct vd_images *m, const struct vd_upload *upload)
{
	VD_CLEANUP(vd_json_free) cJSON *json = cJSON_CreateObject();
	VD_CLEANUP(vd_buf_fini) struct vd_buf path = { 0 };
	char signature[SIGNATURE_BYTES], token[300];
	int64_t expires_s = upload->expires_ms / 1000;

	if (sign(m, "upload", upload->correlation_id, expires_s, signature) < 0 ||
	    add_path(&path, upload->device, upload->blob_name) < 0)
		return NULL;
	(void)snprintf(token, sizeof token,
		       "?sv=2021-04-10&sr=b&sp=cw&upload=%s&se=%" PRId64 "&sig=%s",
		       upload->correlation_id, expires_s, signature);
	if (!json || !vd_json_add_string(json, "correlationId", upload->correlation_id) ||
	    !vd_json_add_string(json, "hostName", m->settings.host_name) ||
	    !vd_json_add_string(json, "containerName", VD_IMAGE_CONTAINER) ||
	    !vd_json_add_string(json, "blobName", path.data) ||
	    !vd_json_add_string(json, "sasToken", token))
		return NULL;
	return VD_TAKE(json);
}

/* A device that lost power begins anew: what it had begun for this name makes room. */
static int check_count(struct vd_images *m, const char *device, const char *blob_name,
		       int64_t now_ms, struct vd_fault *fault)
{
	struct vd_upload old;
	int count = 0;
	int r = vd_store_upload_count(m->store, device, now_ms, &count);

	if (r != 0 || count < VD_UPLOADS_MAX)
		return r;
	r = vd_store_upload_find(m->store, device, blob_name, &old);
	if (r == VD_STORE_NONE)
		return refuse(fault, VD_REFUSED_TOO_MANY, "the device has too many uploads open");
	if (r == 0)
		r = vd_store_upload_remove(m->store, old.correlation_id);
	if (r == 0)
		vd_image_files_drop(m->settings.folder, old.correlation_id);
	return r;
}

int vd_images_offer(struct vd_images *m, const char *device, const char *blob_name, int64_t now_ms,
		    cJSON **ret_json, struct vd_fault *fault)
{
	struct vd_upload upload = { .created_ms = now_ms,
				    .expires_ms = now_ms + VD_UPLOAD_TTL_S * 1000LL };
	int r;

	if (!name_is_good(blob_name)) {
		vd_fault_set(fault, 400, "/blobName",
			     "has to be 1 to %d bytes in at most %d parts without ? # %% \\ . ..",
			     VD_BLOB_NAME_BYTES - 1, BLOB_PARTS_MAX);
		return VD_REFUSED_ARGUMENT;
	}
	r = check_room(m, fault);
	if (r == 0)
		r = check_count(m, device, blob_name, now_ms, fault);
	if (r != 0)
		return r;
	(void)vd_uuid(upload.correlation_id);
	(void)snprintf(upload.device, sizeof upload.device, "%s", device);
	(void)snprintf(upload.blob_name, sizeof upload.blob_name, "%s", blob_name);
	r = vd_store_upload_add(m->store, &upload);
	if (r == 0)
		*ret_json = offer_json(m, &upload);
	return r == 0 && !*ret_json ? -ENOMEM : r;
}

/* --- the PUT --- */

static bool path_is_of(const struct vd_call *call, const struct vd_upload *upload)
{
	const char *rest = upload->blob_name;

	if (call->segment_count < 3 || strcmp(call->segments[1], upload->device) != 0)
		return false;
	for (int i = 2; i < call->segment_count; i++) {
		size_t len = strlen(call->segments[i]);

		if (strncmp(rest, call->segments[i], len) != 0)
			return false;
		rest += len;
		if (i + 1 < call->segment_count && *rest++ != '/')
			return false;
	}
	return *rest == '\0';
}

int vd_images_check(struct vd_images *m, const struct vd_call *call, int64_t now_ms,
		    struct vd_upload *ret_upload, struct vd_fault *fault)
{
	const char *id = vd_call_argument(call, "upload");
	int r = check_signature(m, "upload", id ? id : "", call, now_ms, fault);

	if (r == 0)
		r = vd_store_upload_get(m->store, id, ret_upload);
	if (r == VD_STORE_NONE || (r == 0 && !path_is_of(call, ret_upload)))
		return refuse(fault, VD_REFUSED_UNAUTHORIZED, "the signature is of another upload");
	return r == 0 ? check_room(m, fault) : r;
}

static int taken_or_refused(struct vd_images *m, const struct vd_upload *upload, int r,
			    int64_t bytes, struct vd_fault *fault)
{
	if (r == -ENODATA)
		return refuse(fault, VD_REFUSED_ARGUMENT, "the body is empty");
	if (r == -EACCES || r == -ENOENT)
		return refuse(fault, VD_REFUSED_UNAUTHORIZED,
			      "the body did not come from the front");
	if (r == 0 && bytes > m->settings.image_bytes) {
		vd_image_files_drop(m->settings.folder, upload->correlation_id);
		vd_fault_set(fault, 413, "", "a file has at most %" PRId64 " bytes",
			     m->settings.image_bytes);
		return VD_REFUSED_TOO_LARGE;
	}
	return r;
}

static int take_part(struct vd_images *m, const struct vd_upload *upload, const char *part,
		     const struct vd_call *call, struct vd_fault *fault)
{
	int64_t bytes = 0;
	int r = vd_image_files_take(m->settings.folder, upload->correlation_id, part,
				    call->body_file, &bytes);

	return taken_or_refused(m, upload, r, bytes, fault);
}

static int put_block(struct vd_images *m, const struct vd_upload *upload, struct vd_call *call,
		     struct vd_fault *fault)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf part = { 0 };
	const char *id = vd_call_argument(call, "blockid");
	int r = vd_block_part(id ? id : "", id ? strlen(id) : 0, &part);

	if (r == -EINVAL)
		return refuse(fault, VD_REFUSED_ARGUMENT, "blockid is missing or too long");
	if (r == 0)
		r = take_part(m, upload, part.data, call, fault);
	if (r == 0)
		call->reply.status = 201;
	return r;
}

static void storing_free(struct storing *storing)
{
	TAILQ_REMOVE(&storing->images->list, storing, link);
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

/* The name may be of another image now; both are kept until their time is over. */
static int record(struct vd_images *m, const struct storing *storing, const char *digest,
		  int64_t bytes)
{
	struct vd_image image = { .bytes = bytes, .stored_ms = vd_clock_wall_ms() };
	int added, r = vd_store_begin(m->store);

	if (r < 0)
		return r;
	(void)snprintf(image.digest, sizeof image.digest, "%s", digest);
	(void)snprintf(image.content_type, sizeof image.content_type, "%s", storing->content_type);
	(void)snprintf(image.device, sizeof image.device, "%s", storing->upload.device);
	(void)snprintf(image.blob_name, sizeof image.blob_name, "%s", storing->upload.blob_name);
	added = vd_store_image_add(m->store, &image);
	if (added < 0) {
		vd_store_rollback(m->store);
		return added;
	}
	r = vd_store_commit(m->store);
	if (r == 0 && added == 0)
		m->bytes += bytes;
	return r;
}

/* What arrived is what the device meant: it is not kept under another name. */
static int check_digest(struct vd_images *m, const struct storing *storing, const char *digest)
{
	if (!storing->wanted[0] || strcmp(storing->wanted, digest) == 0)
		return 0;
	vd_log(VD_WARN, "image.otherDigest", "id=%s blob=%s sha256=%s wanted=%s",
	       storing->upload.device, storing->upload.blob_name, digest, storing->wanted);
	vd_image_files_discard(m->settings.folder, digest);
	return -EBADMSG;
}

static void joined(int r, const char *digest, int64_t bytes, void *argument)
{
	struct storing *storing = argument;
	struct vd_images *m = storing->images;

	if (r == 0)
		r = check_digest(m, storing, digest);
	if (r == 0)
		r = record(m, storing, digest, bytes);
	if (r == 0)
		r = vd_image_files_settle(m->settings.folder, digest);
	if (r == 0) {
		vd_log(VD_INFO, "image.stored", "id=%s bytes=%" PRId64 " sha256=%s",
		       storing->upload.device, bytes, digest);
		vd_image_files_drop(m->settings.folder, storing->upload.correlation_id);
	} else if (r != -ENOENT && r != -EBADMSG) {
		vd_log(VD_ERROR, "image.notStored", "id=%s reason=\"%s\"", storing->upload.device,
		       strerror(-r));
	}
	answer(storing, r == -ENOENT || r == -EBADMSG ? VD_REFUSED_ARGUMENT : r,
	       r == -EBADMSG ? "the file has another digest than x-ms-meta-sha256 says"
			     : "a block of the list is missing");
	storing_free(storing);
}

static void client_gone(void *argument)
{
	struct storing *storing = argument;
	struct vd_reply reply = { .status = 500 };

	vd_exchange_reply(storing->exchange, &reply);
	storing->exchange = NULL;
}

/* What a browser would run is given back as bytes only. */
static void read_content_type(const struct vd_call *call, char out[static VD_CONTENT_TYPE_BYTES])
{
	const char *type = call->content_type ? call->content_type : "";
	size_t len = strspn(type, "abcdefghijklmnopqrstuvwxyz0123456789/+.-");
	bool is_image = strncmp(type, "image/", 6) == 0 && len > 6 && !strstr(type, "svg") &&
			len < VD_CONTENT_TYPE_BYTES;

	(void)snprintf(out, VD_CONTENT_TYPE_BYTES, "%.*s",
		       is_image ? (int)len : VD_CONTENT_TYPE_BYTES - 1,
		       is_image ? type : "application/octet-stream");
}

static int join(struct vd_images *m, const struct vd_upload *upload, struct vd_call *call,
		struct vd_buf *parts)
{
	struct storing *storing = calloc(1, sizeof *storing);
	int r;

	if (!storing)
		return -ENOMEM;
	storing->images = m;
	storing->upload = *upload;
	read_content_type(call, storing->content_type);
	(void)snprintf(storing->wanted, sizeof storing->wanted, "%s",
		       call->sha256 ? call->sha256 : "");
	TAILQ_INSERT_TAIL(&m->list, storing, link);
	r = vd_image_job_new(m->loop, m->settings.folder, upload->correlation_id, parts, joined,
			     storing, &storing->job);
	if (r < 0) {
		storing_free(storing);
		return r == -EEXIST ? VD_REFUSED_UNAVAILABLE : r;
	}
	storing->exchange = call->exchange;
	if (storing->exchange)
		vd_exchange_on_closed(storing->exchange, client_gone, storing);
	return VD_API_KEPT;
}

static int put_blob(struct vd_images *m, const struct vd_upload *upload, struct vd_call *call,
		    struct vd_fault *fault)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf parts = { 0 };
	int r = take_part(m, upload, "blob", call, fault);

	if (r == 0)
		r = vd_buf_append(&parts, "blob", sizeof "blob");
	return r == 0 ? join(m, upload, call, &parts) : r;
}

static int put_list(struct vd_images *m, const struct vd_upload *upload, struct vd_call *call,
		    struct vd_fault *fault)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf xml = { 0 };
	VD_CLEANUP(vd_buf_fini) struct vd_buf parts = { 0 };
	int r = vd_image_files_read(m->settings.folder, call->body_file, VD_BLOCK_LIST_BYTES, &xml);

	if (r == -EFBIG)
		return refuse(fault, VD_REFUSED_TOO_LARGE, "the list of blocks is too long");
	r = taken_or_refused(m, upload, r, 0, fault);
	if (r == 0)
		r = vd_block_list_read(xml.data, xml.len, &parts, fault);
	return r == 0 ? join(m, upload, call, &parts) : r;
}

int vd_images_put(struct vd_images *m, struct vd_call *call, int64_t now_ms, struct vd_fault *fault)
{
	const char *comp = vd_call_argument(call, "comp");
	struct vd_upload upload;
	int r = vd_images_check(m, call, now_ms, &upload, fault);

	if (r != 0)
		return r;
	if (!comp)
		return put_blob(m, &upload, call, fault);
	if (strcmp(comp, "block") == 0)
		return put_block(m, &upload, call, fault);
	if (strcmp(comp, "blocklist") == 0)
		return put_list(m, &upload, call, fault);
	return refuse(fault, VD_REFUSED_ARGUMENT, "comp is neither block nor blocklist");
}

/* --- the end of an upload --- */

static void announce(struct vd_images *m, const struct vd_upload *upload, bool is_success,
		     const cJSON *told)
{
	VD_CLEANUP(vd_json_free) cJSON *body = cJSON_CreateObject();
	struct vd_name name = { 0 };
	struct vd_image image;
	bool is_stored =
		vd_store_image_find(m->store, upload->device, upload->blob_name, &image) == 0;

	(void)snprintf(name.device, sizeof name.device, "%s", upload->device);
	if (!body || !vd_json_add_string(body, "blobName", upload->blob_name) ||
	    !vd_json_add_string(body, "statusDescription",
				vd_json_string(told, "statusDescription", "")) ||
	    (is_stored && (!vd_json_add_string(body, "sha256", image.digest) ||
			   !vd_json_add_number(body, "blobSizeInBytes", (double)image.bytes))))
		return;
	vd_events_publish(m->events, "file", is_success ? "fileUploaded" : "fileUploadFailed",
			  &name, body);
}

int vd_images_notified(struct vd_images *m, const char *device, const char *correlation_id,
		       const cJSON *body, struct vd_fault *fault)
{
	bool is_success = vd_json_bool(body, "isSuccess", false);
	struct vd_upload upload;
	int r;

	if (!cJSON_IsBool(vd_json_get(body, "isSuccess"))) {
		vd_fault_set(fault, 400, "/isSuccess", "is not true or false");
		return VD_REFUSED_ARGUMENT;
	}
	r = vd_store_upload_get(m->store, correlation_id, &upload);
	if (r == VD_STORE_NONE || (r == 0 && strcmp(upload.device, device) != 0))
		return refuse(fault, VD_REFUSED_NO_SUCH, "there is no such upload");
	if (r == 0)
		r = vd_store_upload_remove(m->store, correlation_id);
	if (r != 0)
		return r;
	vd_image_files_drop(m->settings.folder, correlation_id);
	r = is_success ? vd_store_image_tell(m->store, &upload) : 0;
	if (r == 0)
		announce(m, &upload, is_success, body);
	return r == VD_STORE_DUPLICATE ? 0 : r;
}

/* --- links --- */

int vd_images_link(struct vd_images *m, const char *digest, int64_t valid_s, int64_t now_ms,
		   cJSON **ret_json, struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *json = cJSON_CreateObject();
	char signature[SIGNATURE_BYTES], url[300], time[VD_TIME_TEXT];
	int64_t expires_s = now_ms / 1000 + valid_s;
	struct vd_image image;
	int r = vd_store_image_get(m->store, digest, &image);

	if (r == VD_STORE_NONE)
		return refuse(fault, VD_REFUSED_NO_SUCH, "there is no such image");
	if (r == 0)
		r = sign(m, "image", digest, expires_s, signature);
	if (r != 0)
		return r;
	(void)snprintf(url, sizeof url, "/images/%s?se=%" PRId64 "&sig=%s", digest, expires_s,
		       signature);
	if (!json || !vd_json_add_string(json, "url", url) ||
	    !vd_json_add_string(json, "expiryTimeUtc", vd_time_text(expires_s * 1000, time)))
		return -ENOMEM;
	*ret_json = VD_TAKE(json);
	return 0;
}

int vd_images_check_link(struct vd_images *m, const struct vd_call *call, int64_t now_ms,
			 struct vd_fault *fault)
{
	return check_signature(m, "image", call->segments[1], call, now_ms, fault);
}

/* --- time passes --- */

static int forget_image(struct vd_images *m, const struct vd_image *image)
{
	int r = vd_image_files_remove(m->settings.folder, image->digest);

	vd_thumbnails_remove(m->settings.folder, image->digest);
	if (r == 0)
		r = vd_store_image_remove(m->store, image->digest);
	if (r == 0)
		m->bytes -= image->bytes;
	return r;
}

void vd_images_sweep(struct vd_images *m, int64_t now_ms)
{
	enum { A_TURN = 500 };
	int64_t before_ms = now_ms - m->settings.retention_days * 86400000LL;
	struct vd_upload upload;
	struct vd_image image;

	for (int i = 0; i < A_TURN && vd_store_upload_expired(m->store, now_ms, &upload) == 0;
	     i++) {
		vd_image_files_drop(m->settings.folder, upload.correlation_id);
		if (vd_store_upload_remove(m->store, upload.correlation_id) != 0)
			return;
	}
	for (int i = 0; m->settings.retention_days > 0 && i < A_TURN; i++) {
		if (vd_store_image_expired(m->store, before_ms, &image) != 0 ||
		    forget_image(m, &image) != 0)
			return;
	}
}

struct vd_images *vd_images_free(struct vd_images *m)
{
	if (m) {
		while (!TAILQ_EMPTY(&m->list)) {
			struct storing *storing = TAILQ_FIRST(&m->list);

			(void)vd_image_job_free(storing->job);
			answer(storing, VD_REFUSED_UNAVAILABLE, "the hub is stopping");
			storing_free(storing);
		}
		explicit_bzero(m->key, sizeof m->key);
		free(m);
	}
	return NULL;
}
