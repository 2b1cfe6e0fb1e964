/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A message to a device, as its sender wrote it. The keys of system properties are encoded with
 * their '$': the C SDK compares them literally with "%24.mid".
 */
#include "twin/hub/c2d.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "twin/hub/refusal.h"

enum { BAG_BYTES = 32768 /* a topic has at most 64 KiB with what stands around the bag */ };

static const char hex[] = "0123456789ABCDEF";

static int add_encoded(struct vd_buf *out, const char *text)
{
	int r = 0;

	for (; *text && r == 0; text++) {
		unsigned char c = (unsigned char)*text;
		const char escape[] = { '%', hex[c >> 4], hex[c & 15] };
		bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
				(c >= '0' && c <= '9') || strchr("-_.~", c);

		r = vd_buf_append(out, is_plain ? text : escape, is_plain ? 1 : 3);
	}
	return r;
}

static int add_pair(struct vd_buf *bag, const char *key, const char *value)
{
	int r = bag->len ? vd_buf_append(bag, "&", 1) : 0;

	if (r == 0)
		r = add_encoded(bag, key);
	if (r == 0 && value)
		r = vd_buf_append(bag, "=", 1);
	return r == 0 && value ? add_encoded(bag, value) : r;
}

static int refuse(struct vd_fault *fault, const char *key, const char *text)
{
	vd_fault_set(fault, 400, "", "%s", text);
	vd_fault_under(fault, key);
	return VD_REFUSED_ARGUMENT;
}

/* The texts among the members, each with its system property. */
static const struct {
	const char *member, *property;
	size_t max;
} texts[] = {
	{ "messageId", "$.mid", 128 },      { "correlationId", "$.cid", 128 },
	{ "userId", "$.uid", 128 },         { "contentType", "$.ct", 256 },
	{ "contentEncoding", "$.ce", 256 },
};

static int check_members(const cJSON *json, struct vd_fault *fault)
{
	static const char *const others[] = { "body", "bodyBase64", "expiryTimeUtc", "ack",
					      "properties" };
	const cJSON *item;

	cJSON_ArrayForEach(item, json)
	{
		bool is_known = false;

		for (size_t i = 0; i < VD_COUNT(others); i++)
			is_known |= strcmp(item->string, others[i]) == 0;
		for (size_t i = 0; i < VD_COUNT(texts); i++) {
			if (strcmp(item->string, texts[i].member) != 0)
				continue;
			is_known = true;
			if (!cJSON_IsString(item) || strlen(item->valuestring) > texts[i].max)
				return refuse(fault, item->string, "is no text, or too long");
		}
		if (!is_known)
			return refuse(fault, item->string, "is no member of a message");
	}
	return 0;
}

static int read_ack(const cJSON *json, struct vd_c2d_message *m, struct vd_fault *fault)
{
	static const char *const kinds[] = { "none", "positive", "negative", "full" };
	const char *ack = vd_json_string(json, "ack", vd_json_get(json, "ack") ? "" : "none");

	for (size_t i = 0; i < VD_COUNT(kinds); i++) {
		if (strcmp(ack, kinds[i]) == 0) {
			(void)snprintf(m->ack, sizeof m->ack, "%s", ack);
			return 0;
		}
	}
	return refuse(fault, "ack", "is none of none, positive, negative, full");
}

static int read_expiry(const cJSON *json, int64_t now_ms, int64_t ttl_ms, struct vd_c2d_message *m,
		       struct vd_fault *fault)
{
	const cJSON *value = vd_json_get(json, "expiryTimeUtc");

	m->expires_ms = now_ms + ttl_ms;
	if (!value)
		return 0;
	if (!cJSON_IsString(value) || vd_time_parse(value->valuestring, &m->expires_ms) < 0)
		return refuse(fault, "expiryTimeUtc", "is no time as 2026-01-31T12:00:00Z");
	if (m->expires_ms <= now_ms || m->expires_ms > now_ms + VD_C2D_TTL_MAX_S * 1000LL)
		return refuse(fault, "expiryTimeUtc", "has to be from now to two days ahead");
	return 0;
}

static int read_body(const cJSON *json, struct vd_c2d_message *m, bool *ret_is_json,
		     struct vd_fault *fault)
{
	const cJSON *body = vd_json_get(json, "body"), *base64 = vd_json_get(json, "bodyBase64");
	VD_CLEANUP(vd_free) char *text = NULL;

	*ret_is_json = false;
	if (body && base64)
		return refuse(fault, "bodyBase64", "stands beside a body");
	if (base64) {
		if (!cJSON_IsString(base64) ||
		    vd_base64_decode(base64->valuestring, strlen(base64->valuestring), &m->body) <
			    0)
			return refuse(fault, "bodyBase64", "is no base64");
		return 0;
	}
	if (!body)
		return 0;
	if (cJSON_IsString(body))
		return vd_buf_append(&m->body, body->valuestring, strlen(body->valuestring));
	*ret_is_json = true;
	text = vd_json_text(body);
	return text ? vd_buf_append(&m->body, text, strlen(text)) : -ENOMEM;
}

static int add_system(const struct vd_name *name, const cJSON *json, bool is_json,
		      struct vd_c2d_message *m)
{
	char to[VD_PART_BYTES + 40], time[VD_TIME_TEXT];
	int r = 0;

	for (size_t i = 0; i < VD_COUNT(texts) && r == 0; i++) {
		const char *value = vd_json_string(json, texts[i].member, NULL);

		if (i == 0)
			value = m->message_id;
		if (!value && is_json && strcmp(texts[i].property, "$.ct") == 0)
			value = "application/json";
		if (!value && is_json && strcmp(texts[i].property, "$.ce") == 0)
			value = "utf-8";
		if (value)
			r = add_pair(&m->bag, texts[i].property, value);
	}
	(void)snprintf(to, sizeof to, "/devices/%s/messages/deviceBound", name->device);
	if (r == 0)
		r = add_pair(&m->bag, "$.to", to);
	if (r == 0 && vd_json_get(json, "expiryTimeUtc"))
		r = add_pair(&m->bag, "$.exp", vd_time_text(m->expires_ms, time));
	return r == 0 && vd_json_get(json, "ack") ? add_pair(&m->bag, "iothub-ack", m->ack) : r;
}

/* An application's properties: texts, or null for a key without a value. */
static int add_properties(const cJSON *json, struct vd_c2d_message *m, struct vd_fault *fault)
{
	const cJSON *list = vd_json_get(json, "properties"), *item;
	int r = 0;

	if (list && !cJSON_IsObject(list))
		return refuse(fault, "properties", "is no object");
	cJSON_ArrayForEach(item, list)
	{
		bool is_text = cJSON_IsString(item) || cJSON_IsNull(item);

		if (!is_text || !item->string[0] || item->string[0] == '$' ||
		    strncmp(item->string, "iothub-", 7) == 0)
			return refuse(
				fault, "properties",
				"have texts, and names that start with neither $ nor iothub-");
		r = add_pair(&m->bag, item->string, item->valuestring);
		if (r < 0)
			return r;
	}
	return r;
}

static int too_large(struct vd_fault *fault)
{
	vd_fault_set(fault, 413, "",
		     "body and properties have more than %d bytes, or the latter %d", VD_C2D_BYTES,
		     BAG_BYTES);
	return VD_REFUSED_TOO_LARGE;
}

int vd_c2d_message_read(const struct vd_name *name, const cJSON *json, int64_t now_ms,
			int64_t ttl_ms, struct vd_c2d_message *ret_message, struct vd_fault *fault)
{
	VD_CLEANUP(vd_c2d_message_fini)
	struct vd_c2d_message m = { .bag.limit = BAG_BYTES, .body.limit = VD_C2D_BYTES };
	char uuid[VD_UUID_TEXT];
	bool is_json = false;
	int r = check_members(json, fault);

	if (r == 0)
		r = read_ack(json, &m, fault);
	if (r == 0)
		r = read_expiry(json, now_ms, ttl_ms, &m, fault);
	if (r == 0)
		r = read_body(json, &m, &is_json, fault);
	(void)snprintf(m.message_id, sizeof m.message_id, "%s",
		       vd_json_string(json, "messageId", vd_uuid(uuid)));
	if (r == 0)
		r = add_system(name, json, is_json, &m);
	if (r == 0)
		r = add_properties(json, &m, fault);
	if (r == -E2BIG || (r == 0 && m.bag.len + m.body.len > VD_C2D_BYTES))
		return too_large(fault);
	if (r == 0) {
		*ret_message = m;
		m = (struct vd_c2d_message){ 0 };
	}
	return r;
}

void vd_c2d_message_fini(struct vd_c2d_message *message)
{
	vd_buf_fini(&message->bag);
	vd_buf_fini(&message->body);
}
