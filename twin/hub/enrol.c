/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/hub/enrol.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "twin/document/limits.h"
#include "twin/hub/refusal.h"

enum {
	SECRET_BYTES = 32,
	ID_BYTES = 8,
	EXPIRES_MIN_S = 60,
	EXPIRES_MAX_S = 90 * 86400,
	EXPIRES_DEFAULT_S = 86400,
	OPEN_TOKENS = 10000,
	RENEWALS_A_DAY = 10,
	CERTIFICATES_LOOKED_AT = 1000,
	DAY_MS = 86400000,
};

static const char token_prefix[] = "vd1.";

struct vd_enrol {
	struct vd_store *store;
	struct vd_devices *devices;
	const struct vd_ca *ca;
	struct vd_enrol_settings settings;
};

int vd_enrol_new(struct vd_store *store, struct vd_devices *devices, const struct vd_ca *ca,
		 const struct vd_enrol_settings *settings, struct vd_enrol **ret_enrol)
{
	struct vd_enrol *e = calloc(1, sizeof *e);

	if (!e)
		return -ENOMEM;
	*e = (struct vd_enrol){
		.store = store, .devices = devices, .ca = ca, .settings = *settings
	};
	*ret_enrol = e;
	return 0;
}

struct vd_enrol *vd_enrol_free(struct vd_enrol *e)
{
	free(e);
	return NULL;
}

static int refuse(struct vd_fault *fault, int refusal, const char *pointer, const char *text)
{
	vd_fault_set(fault, vd_refusal_info(refusal)->status, pointer, "%s", text);
	return refusal;
}

/* -EINVAL of the CA has its HTTP status in fault. */
static int refused_by_ca(int r, const struct vd_fault *fault)
{
	if (r != -EINVAL)
		return r;
	return fault->code == 401 ? VD_REFUSED_UNAUTHORIZED : VD_REFUSED_ARGUMENT;
}

/* --- tokens --- */

/* "vd1." 16 hexadecimal digits "." 64 of the secret */
static int split_token(const char *token, char id[static VD_ENROLMENT_ID_BYTES],
		       char digest[static VD_SHA256_TEXT])
{
	size_t prefix = sizeof token_prefix - 1, id_len = VD_ENROLMENT_ID_BYTES - 1;
	const char *secret = token + prefix + id_len + 1;

	if (strlen(token) != prefix + id_len + 1 + 2 * SECRET_BYTES ||
	    strncmp(token, token_prefix, prefix) != 0 || token[prefix + id_len] != '.' ||
	    strspn(token + prefix, "0123456789abcdef") != id_len)
		return -EINVAL;
	(void)snprintf(id, VD_ENROLMENT_ID_BYTES, "%.*s", (int)id_len, token + prefix);
	return vd_sha256_text(secret, 2 * SECRET_BYTES, digest);
}

static void random_hex(size_t bytes, char *text)
{
	uint8_t random[SECRET_BYTES];

	vd_random(random, bytes);
	for (size_t i = 0; i < bytes; i++)
		(void)snprintf(text + 2 * i, 3, "%02x", random[i]);
	explicit_bzero(random, sizeof random);
}

static int read_wishes(const cJSON *body, int64_t now_ms, struct vd_enrolment *made,
		       struct vd_fault *fault)
{
	const cJSON *device = vd_json_get(body, "deviceId"), *tags = vd_json_get(body, "tags");
	const cJSON *expires = vd_json_get(body, "expiresInS");
	struct vd_name name = { 0 };
	double seconds = expires ? expires->valuedouble : EXPIRES_DEFAULT_S;

	if (device &&
	    (!cJSON_IsString(device) || vd_name_make(device->valuestring, NULL, &name) < 0 ||
	     strlen(device->valuestring) >= VD_COMMON_NAME_BYTES))
		return refuse(fault, VD_REFUSED_ARGUMENT, "/deviceId",
			      "is no device id of at most 64 characters");
	if ((expires && !cJSON_IsNumber(expires)) || seconds < EXPIRES_MIN_S ||
	    seconds > EXPIRES_MAX_S)
		return refuse(fault, VD_REFUSED_ARGUMENT, "/expiresInS",
			      "is not 60 to 7776000 seconds");
	if (tags && vd_limits_check(tags, VD_LIMITS_TAGS_BYTES, fault) < 0) {
		vd_fault_under(fault, "tags");
		return VD_REFUSED_ARGUMENT;
	}
	(void)memcpy(made->device, name.device, sizeof made->device);
	made->created_ms = now_ms;
	made->expires_ms = now_ms + (int64_t)seconds * 1000;
	made->tags = (cJSON *)tags;
	return 0;
}

cJSON *vd_enrolment_json(const struct vd_enrolment *e, int64_t now_ms)
{
	VD_CLEANUP(vd_json_free) cJSON *json = cJSON_CreateObject();
	const char *status = e->used_ms ? "used" : e->expires_ms <= now_ms ? "expired" : "open";
	char created[VD_TIME_TEXT], expires[VD_TIME_TEXT], used[VD_TIME_TEXT];

	if (!json || !vd_json_add_string(json, "id", e->id) ||
	    !vd_json_add_string(json, "deviceId", e->device[0] ? e->device : NULL) ||
	    !vd_json_add_string(json, "status", status) ||
	    !vd_json_add_string(json, "author", e->author) ||
	    !vd_json_add_string(json, "createdTime", vd_time_text(e->created_ms, created)) ||
	    !vd_json_add_string(json, "expiresTime", vd_time_text(e->expires_ms, expires)) ||
	    !vd_json_add_string(json, "usedTime",
				e->used_ms ? vd_time_text(e->used_ms, used) : NULL) ||
	    !vd_json_add_string(json, "usedBy", e->used_by[0] ? e->used_by : NULL) ||
	    (e->tags && !vd_json_add_copy(json, "tags", e->tags)))
		return NULL;
	return VD_TAKE(json);
}

static int note_token(struct vd_store *store, const struct vd_enrolment *made, int64_t now_ms)
{
	VD_CLEANUP(vd_json_free) cJSON *details = vd_enrolment_json(made, now_ms);
	char target[32];
	const struct vd_audit_entry entry = { .time_ms = now_ms,
					      .action = "enrolment.create",
					      .target = target,
					      .details = details };

	(void)snprintf(target, sizeof target, "token:%s", made->id);
	return details ? vd_store_audit_add(store, &entry) : -ENOMEM;
}

static int store_token(struct vd_enrol *e, const struct vd_enrolment *made, int64_t now_ms)
{
	int r = vd_store_begin(e->store);

	if (r < 0)
		return r;
	r = vd_store_enrolment_add(e->store, made);
	if (r == 0)
		r = note_token(e->store, made, now_ms);
	if (r == 0)
		return vd_store_commit(e->store);
	vd_store_rollback(e->store);
	return r;
}

int vd_enrol_create(struct vd_enrol *e, const cJSON *body, const char *author, int64_t now_ms,
		    cJSON **ret_json, struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *json = NULL;
	struct vd_enrolment made = { 0 };
	char secret[2 * SECRET_BYTES + 1], token[128];
	int64_t open = 0;
	int r = read_wishes(body, now_ms, &made, fault);

	if (r == 0)
		r = vd_store_enrolment_open_count(e->store, now_ms, &open);
	if (r == 0 && open >= OPEN_TOKENS)
		return refuse(fault, VD_REFUSED_TOO_MANY, "", "10000 tokens are open already");
	if (r != 0)
		return r;
	random_hex(ID_BYTES, made.id);
	random_hex(SECRET_BYTES, secret);
	(void)snprintf(made.author, sizeof made.author, "%s", author);
	(void)snprintf(token, sizeof token, "%s%s.%s", token_prefix, made.id, secret);
	r = vd_sha256_text(secret, 2 * SECRET_BYTES, made.secret_digest);
	explicit_bzero(secret, sizeof secret);
	if (r == 0)
		r = store_token(e, &made, now_ms);
	if (r != 0)
		return r;
	json = vd_enrolment_json(&made, now_ms);
	if (!json || !vd_json_add_string(json, "token", token))
		return -ENOMEM;
	explicit_bzero(token, sizeof token);
	*ret_json = VD_TAKE(json);
	return 0;
}

/* --- what a device asks for --- */

struct order {
	struct vd_enrol *enrol;
	struct vd_csr *csr;
	struct vd_name name;
	struct vd_enrolment token;     /* of a first enrolment */
	struct vd_presented presented; /* of a renewal */
	struct vd_issued issued;
	int64_t now_ms;
};

static void order_fini_p(struct order *order)
{
	order->csr = vd_csr_free(order->csr);
	order->token.tags = vd_json_free(order->token.tags);
	vd_issued_fini(&order->issued);
}

static int read_csr(struct order *order, const cJSON *body, struct vd_fault *fault)
{
	const char *text = vd_json_string(body, "csr", "");
	int r = vd_csr_read(text, strlen(text), &order->csr, fault);

	if (r < 0)
		return refused_by_ca(r, fault);
	if (vd_name_make(vd_csr_common_name(order->csr), NULL, &order->name) < 0)
		return refuse(fault, VD_REFUSED_ARGUMENT, "/csr",
			      "its common name is no device id");
	return 0;
}

static cJSON *answer_json(const struct order *order, const char *pem, const char *serial,
			  const char *thumbprint, int64_t not_before_ms, int64_t not_after_ms)
{
	VD_CLEANUP(vd_json_free) cJSON *json = cJSON_CreateObject();
	int64_t renew_ms = not_before_ms + (not_after_ms - not_before_ms) / 3 * 2;
	char end[VD_TIME_TEXT], renew[VD_TIME_TEXT];

	if (!json || !vd_json_add_string(json, "deviceId", order->name.device) ||
	    !vd_json_add_string(json, "hostName", order->enrol->settings.host_name) ||
	    !vd_json_add_string(json, "certificate", pem) ||
	    !vd_json_add_string(json, "ca", vd_ca_pem(order->enrol->ca)) ||
	    !vd_json_add_string(json, "serial", serial) ||
	    !vd_json_add_string(json, "thumbprint", thumbprint) ||
	    !vd_json_add_string(json, "notAfter", vd_time_text(not_after_ms, end)) ||
	    !vd_json_add_string(json, "renewAfter", vd_time_text(renew_ms, renew)))
		return NULL;
	return VD_TAKE(json);
}

static int answer(const struct order *order, cJSON **ret_json)
{
	const struct vd_issued *issued = &order->issued;

	*ret_json = answer_json(order, issued->pem.data, issued->serial, issued->thumbprint,
				issued->not_before_ms, issued->not_after_ms);
	return *ret_json ? 0 : -ENOMEM;
}

static int issue(struct order *order, struct vd_fault *fault)
{
	int r = vd_ca_issue(order->enrol->ca, order->csr, order->now_ms,
			    order->enrol->settings.certificate_days, &order->issued, fault);

	return refused_by_ca(r, fault);
}

static int store_certificate(const struct order *order)
{
	struct vd_certificate_row row = {
		.device = order->name.device,
		.thumbprint = order->issued.thumbprint,
		.enrolment = order->token.id,
		.not_before_ms = order->issued.not_before_ms,
		.not_after_ms = order->issued.not_after_ms,
		.issued_ms = order->now_ms,
		.pem = order->issued.pem.data,
	};

	(void)memcpy(row.serial, order->issued.serial, sizeof row.serial);
	return vd_store_certificate_add(order->enrol->store, &row);
}

static int note_certificate(const struct order *order, const char *action)
{
	VD_CLEANUP(vd_json_free) cJSON *details = cJSON_CreateObject();
	char actor[VD_PART_BYTES + 16], end[VD_TIME_TEXT];
	const struct vd_audit_entry entry = { .time_ms = order->now_ms,
					      .actor = actor,
					      .action = action,
					      .target = order->name.device,
					      .details = details };

	if (order->token.id[0])
		(void)snprintf(actor, sizeof actor, "token:%s", order->token.id);
	else
		(void)snprintf(actor, sizeof actor, "device:%s", order->name.device);
	if (!details || !vd_json_add_string(details, "serial", order->issued.serial) ||
	    !vd_json_add_string(details, "thumbprint", order->issued.thumbprint) ||
	    !vd_json_add_string(details, "notAfter", vd_time_text(order->issued.not_after_ms, end)))
		return -ENOMEM;
	return vd_store_audit_add(order->enrol->store, &entry);
}

static void pin(struct vd_device *device, const char *newest, const char *before)
{
	(void)snprintf(device->thumbprint[0], sizeof device->thumbprint[0], "%s", newest);
	(void)snprintf(device->thumbprint[1], sizeof device->thumbprint[1], "%s", before);
}

/* --- the first certificate --- */

/* Only those who know a token's id get into the log: it is no place for guesses. */
static int refuse_token(struct order *order, const char *text, struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *details = cJSON_CreateObject();
	char target[32];
	const struct vd_audit_entry entry = { .time_ms = order->now_ms,
					      .actor = "device",
					      .action = "enrolment.refused",
					      .target = target,
					      .details = details };

	(void)snprintf(target, sizeof target, "token:%s", order->token.id);
	if (details && vd_json_add_string(details, "reason", text) &&
	    vd_json_add_string(details, "commonName", order->name.device))
		(void)!vd_store_audit_add(order->enrol->store, &entry);
	vd_log(VD_WARN, "enrolment.refused", "token=%s id=%s reason=\"%s\"", order->token.id,
	       order->name.device, text);
	return refuse(fault, VD_REFUSED_UNAUTHORIZED, "/token", text);
}

static int find_token(struct order *order, const cJSON *body, struct vd_fault *fault)
{
	char id[VD_ENROLMENT_ID_BYTES], digest[VD_SHA256_TEXT];
	int r = split_token(vd_json_string(body, "token", ""), id, digest);

	if (r == 0)
		r = vd_store_enrolment_get(order->enrol->store, id, &order->token);
	if (r == -EINVAL || r == VD_STORE_NONE ||
	    (r == 0 && !vd_digest_equal(digest, order->token.secret_digest, sizeof digest - 1)))
		return refuse(fault, VD_REFUSED_UNAUTHORIZED, "/token", "the token is not known");
	return r;
}

struct replay {
	const struct order *order;
	cJSON *json;
};

static int answer_again(const struct vd_certificate_row *row, void *argument)
{
	struct replay *replay = argument;

	replay->json = answer_json(replay->order, row->pem, row->serial, row->thumbprint,
				   row->not_before_ms, row->not_after_ms);
	return replay->json ? 0 : -ENOMEM;
}

/* The answer got lost: who has the key may have its certificate again. */
static int use_again(struct order *order, cJSON **ret_json, struct vd_fault *fault)
{
	struct replay replay = { .order = order };
	int r;

	if (strcmp(order->token.used_by, order->name.device) != 0 ||
	    strcmp(order->token.public_key, vd_csr_public_key(order->csr)) != 0)
		return refuse_token(order, "the token is used up", fault);
	r = vd_store_certificate_of_enrolment(order->enrol->store, order->token.id, answer_again,
					      &replay);
	if (r == VD_STORE_NONE)
		return refuse_token(order, "the certificate that it gave was revoked", fault);
	if (r == 0)
		*ret_json = replay.json;
	return r;
}

static int take_in(struct vd_device *device, void *argument, struct vd_fault *fault)
{
	struct order *order = argument;
	struct vd_store *store = order->enrol->store;
	bool is_new = !device->generation[0];
	int r;

	if (!is_new && !order->token.device[0])
		return refuse(fault, VD_REFUSED_DEVICE_EXISTS, "",
			      "the device exists: it needs a token of its own");
	r = vd_store_enrolment_use(store, order->token.id, order->name.device,
				   vd_csr_public_key(order->csr), order->now_ms);
	if (r == VD_STORE_NONE)
		return refuse(fault, VD_REFUSED_UNAUTHORIZED, "/token", "the token is used up");
	if (r == 0)
		r = vd_store_certificate_revoke(store, order->name.device, NULL, "enrolled again",
						order->now_ms);
	if (r == VD_STORE_NONE)
		r = 0;
	if (r == 0)
		r = store_certificate(order);
	if (r != 0)
		return r;
	device->auth = VD_AUTH_CA;
	explicit_bzero(device->key, sizeof device->key);
	pin(device, order->issued.thumbprint, "");
	return note_certificate(order, "device.enrol");
}

/* The twin is there by now; it gets the tags that the token carries. */
static int tag_twin(const struct vd_device *device, void *argument)
{
	struct order *order = argument;
	VD_CLEANUP(vd_twin_fini) struct vd_twin twin = { 0 };
	const cJSON *tag;
	int r = order->token.tags->child
			? vd_store_twin_get(order->enrol->store, &device->name, &twin)
			: VD_STORE_NONE;

	if (r != 0)
		return r < 0 ? r : 0;
	cJSON_ArrayForEach(tag, order->token.tags)
	{
		cJSON_DeleteItemFromObjectCaseSensitive(twin.tags, tag->string);
		if (!vd_json_add_copy(twin.tags, tag->string, tag))
			return -ENOMEM;
	}
	twin.version++;
	twin.etag++;
	return vd_store_twin_put(order->enrol->store, &device->name, &twin);
}

int vd_enrol_use(struct vd_enrol *e, const cJSON *body, int64_t now_ms, cJSON **ret_json,
		 struct vd_fault *fault)
{
	VD_CLEANUP(order_fini) struct order order = { .enrol = e, .now_ms = now_ms };
	const struct vd_device_change change = { take_in, tag_twin, &order, true };
	struct vd_device device;
	int r = find_token(&order, body, fault);

	if (r == 0)
		r = read_csr(&order, body, fault);
	if (r != 0)
		return r;
	if (order.token.used_ms)
		return use_again(&order, ret_json, fault);
	if (order.token.expires_ms <= now_ms)
		return refuse_token(&order, "the token has expired", fault);
	if (order.token.device[0] && strcmp(order.token.device, order.name.device) != 0)
		return refuse_token(&order, "the token is for another device", fault);
	r = issue(&order, fault);
	if (r == 0)
		r = vd_devices_change(e->devices, &order.name, &change, now_ms, &device, fault);
	return r == 0 ? answer(&order, ret_json) : r;
}

/* --- renewal --- */

static int count_recent(const struct vd_certificate_row *row, void *argument)
{
	int64_t *times = argument; /* since when, and how many */

	times[1] += row->issued_ms > times[0];
	return 0;
}

static int check_rate(const struct order *order, struct vd_fault *fault)
{
	int64_t recent[2] = { order->now_ms - DAY_MS, 0 };
	int r = vd_store_certificate_each(order->enrol->store, order->name.device, RENEWALS_A_DAY,
					  count_recent, recent);

	if (r == 0 && recent[1] >= RENEWALS_A_DAY)
		return refuse(fault, VD_REFUSED_TOO_MANY, "", "10 certificates within a day");
	return r;
}

static bool is_let_in(const struct vd_device *device, const char *thumbprint)
{
	bool is_pinned = device->thumbprint[0][0] || device->thumbprint[1][0];

	return device->enabled && device->auth == VD_AUTH_CA &&
	       (!is_pinned || strcasecmp(device->thumbprint[0], thumbprint) == 0 ||
		strcasecmp(device->thumbprint[1], thumbprint) == 0);
}

static int replace(struct vd_device *device, void *argument, struct vd_fault *fault)
{
	struct order *order = argument;
	int r;

	if (!is_let_in(device, order->presented.thumbprint))
		return refuse(fault, VD_REFUSED_FORBIDDEN, "",
			      "the device is disabled, or its certificate was revoked or replaced");
	r = check_rate(order, fault);
	if (r == 0)
		r = store_certificate(order);
	if (r != 0)
		return r;
	pin(device, order->issued.thumbprint, order->presented.thumbprint);
	return note_certificate(order, "certificate.renew");
}

int vd_enrol_renew(struct vd_enrol *e, const char *certificate, const cJSON *body, int64_t now_ms,
		   cJSON **ret_json, struct vd_fault *fault)
{
	VD_CLEANUP(order_fini) struct order order = { .enrol = e, .now_ms = now_ms };
	const struct vd_device_change change = { replace, NULL, &order, false };
	struct vd_device device;
	int r = vd_ca_check(e->ca, certificate, strlen(certificate), now_ms, &order.presented,
			    fault);

	if (r < 0)
		return refused_by_ca(r, fault);
	r = read_csr(&order, body, fault);
	if (r == 0 && strcmp(order.name.device, order.presented.common_name) != 0)
		return refuse(fault, VD_REFUSED_FORBIDDEN, "/csr",
			      "asks for another name than the certificate has");
	if (r == 0)
		r = issue(&order, fault);
	if (r == 0)
		r = vd_devices_change(e->devices, &order.name, &change, now_ms, &device, fault);
	return r == 0 ? answer(&order, ret_json) : r;
}

int vd_enrol_check(struct vd_enrol *e, const char *certificate, const struct vd_name *name,
		   int64_t now_ms, struct vd_fault *fault)
{
	VD_CLEANUP(vd_free) char *pem = strdup(certificate);
	struct vd_presented presented;
	struct vd_device device;
	int r = pem ? 0 : -ENOMEM;

	if (r == 0 && vd_percent_decode(pem) < 0)
		pem[0] = '\0'; /* nothing that could be a certificate */
	if (r == 0)
		r = vd_ca_check(e->ca, pem, strlen(pem), now_ms, &presented, fault);
	if (r < 0)
		return r == -ENOMEM ? r : VD_REFUSED_UNAUTHORIZED;
	r = strcmp(presented.common_name, name->device) == 0
		    ? vd_store_device_get(e->store, name, &device)
		    : VD_STORE_NONE;
	if (r < 0)
		return r;
	if (r > 0 || !is_let_in(&device, presented.thumbprint))
		return refuse(fault, VD_REFUSED_UNAUTHORIZED, "",
			      "the certificate is not of this device, or it is not let in");
	return 0;
}

/* --- revocation --- */

struct revocation {
	struct vd_store *store;
	const char *serial, *reason; /* serial NULL: all */
	char thumbprint[VD_THUMBPRINT_BYTES];
	int64_t now_ms;
};

static int find_serial(const struct vd_certificate_row *row, void *argument)
{
	struct revocation *revocation = argument;

	if (strcasecmp(row->serial, revocation->serial) == 0)
		(void)snprintf(revocation->thumbprint, sizeof revocation->thumbprint, "%s",
			       row->thumbprint);
	return 0;
}

static int note_revocation(const struct revocation *revocation, const struct vd_device *device)
{
	VD_CLEANUP(vd_json_free) cJSON *details = cJSON_CreateObject();
	const struct vd_audit_entry entry = { .time_ms = revocation->now_ms,
					      .action = "certificate.revoke",
					      .target = device->name.device,
					      .details = details };

	if (!details || !vd_json_add_string(details, "serial", revocation->serial) ||
	    !vd_json_add_string(details, "reason", revocation->reason))
		return -ENOMEM;
	return vd_store_audit_add(revocation->store, &entry);
}

static void unpin(struct vd_device *device, const char *thumbprint)
{
	for (int i = 0; i < 2; i++) {
		if (strcasecmp(device->thumbprint[i], thumbprint) == 0)
			device->thumbprint[i][0] = '\0';
	}
	if (!device->thumbprint[0][0] && !device->thumbprint[1][0])
		pin(device, VD_NO_CERTIFICATE, "");
}

static int revoke(struct vd_device *device, void *argument, struct vd_fault *fault)
{
	struct revocation *revocation = argument;
	int r = revocation->serial
			? vd_store_certificate_each(revocation->store, device->name.device,
						    CERTIFICATES_LOOKED_AT, find_serial, revocation)
			: 0;

	if (r == 0)
		r = vd_store_certificate_revoke(revocation->store, device->name.device,
						revocation->serial, revocation->reason,
						revocation->now_ms);
	if (r == VD_STORE_NONE && revocation->serial)
		return refuse(fault, VD_REFUSED_NO_SUCH, "/serial",
			      "the device has no such certificate in force");
	if (r < 0)
		return r;
	if (revocation->serial)
		unpin(device, revocation->thumbprint);
	else
		pin(device, VD_NO_CERTIFICATE, "");
	return note_revocation(revocation, device);
}

int vd_enrol_revoke(struct vd_enrol *e, const struct vd_name *name, const cJSON *body,
		    int64_t now_ms, struct vd_fault *fault)
{
	struct revocation revocation = {
		.store = e->store,
		.serial = vd_json_string(body, "serial", NULL),
		.reason = vd_json_string(body, "reason", ""),
		.now_ms = now_ms,
	};
	const struct vd_device_change change = { revoke, NULL, &revocation, false };
	struct vd_device device;

	if (strlen(revocation.reason) >= VD_REASON_BYTES)
		return refuse(fault, VD_REFUSED_ARGUMENT, "/reason",
			      "is longer than 128 characters");
	return vd_devices_change(e->devices, name, &change, now_ms, &device, fault);
}

cJSON *vd_certificate_json(const struct vd_certificate_row *row, int64_t now_ms)
{
	VD_CLEANUP(vd_json_free) cJSON *json = cJSON_CreateObject();
	const char *status = row->revoked_ms               ? "revoked"
			     : row->not_after_ms <= now_ms ? "expired"
							   : "valid";
	char issued[VD_TIME_TEXT], end[VD_TIME_TEXT], revoked[VD_TIME_TEXT];

	if (!json || !vd_json_add_string(json, "serial", row->serial) ||
	    !vd_json_add_string(json, "deviceId", row->device) ||
	    !vd_json_add_string(json, "status", status) ||
	    !vd_json_add_string(json, "thumbprint", row->thumbprint) ||
	    !vd_json_add_string(json, "issuedTime", vd_time_text(row->issued_ms, issued)) ||
	    !vd_json_add_string(json, "notAfter", vd_time_text(row->not_after_ms, end)) ||
	    !vd_json_add_string(json, "enrolmentId", row->enrolment[0] ? row->enrolment : NULL) ||
	    !vd_json_add_string(json, "revokedTime",
				row->revoked_ms ? vd_time_text(row->revoked_ms, revoked) : NULL) ||
	    !vd_json_add_string(json, "reason", row->reason[0] ? row->reason : NULL))
		return NULL;
	return VD_TAKE(json);
}
