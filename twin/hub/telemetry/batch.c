/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/hub/telemetry/batch.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "twin/broker/topics.h"
#include "twin/hub/store/scan.h"

enum { MESSAGE_ID_MAX = 128 };

/* --- property bag --- */

static int take_property(struct vd_message_properties *p, const char *key, const char *value)
{
	if (!vd_json_get(p->all, key) && !vd_json_add_string(p->all, key, value))
		return -ENOMEM;
	return 0;
}

static void find_known(struct vd_message_properties *p)
{
	p->is_batch = strcmp(vd_json_string(p->all, "vd-batch", ""), "1") == 0;
	p->is_zstd = strcmp(vd_json_string(p->all, "$.ce", ""), "zstd") == 0;
	p->message_id = vd_json_string(p->all, "$.mid", NULL);
	if (p->message_id && (!p->message_id[0] || strlen(p->message_id) > MESSAGE_ID_MAX))
		p->message_id = NULL;
}

/* Percent-encoding can carry any byte, JSON only text. */
static int check_text(const struct vd_message_properties *p, struct vd_fault *fault)
{
	VD_CLEANUP(vd_free) char *text = vd_json_text(p->all);
	VD_CLEANUP(vd_json_free) cJSON *again = NULL;

	return text ? vd_json_parse(text, strlen(text), &again, fault) : -ENOMEM;
}

int vd_message_properties_read(const char *bag, struct vd_message_properties *ret_properties,
			       struct vd_fault *fault)
{
	VD_CLEANUP(vd_message_properties_fini)
	struct vd_message_properties p = { .all = cJSON_CreateObject() };
	const char *key, *value;
	size_t len = strlen(bag);
	int r = p.all ? 0 : -ENOMEM;

	while (r == 0 && (r = vd_bag_next(&bag, &len, &p.buf, &key, &value)) == 0)
		r = take_property(&p, key, value);
	if (r == -EINVAL)
		vd_fault_set(fault, 400, "", "the property bag is badly encoded");
	if (r >= 0)
		r = check_text(&p, fault);
	if (r < 0)
		return r;
	find_known(&p);
	*ret_properties = p;
	p = (struct vd_message_properties){ 0 };
	return 0;
}

void vd_message_properties_fini(struct vd_message_properties *p)
{
	vd_buf_fini(&p->buf);
	p->all = vd_json_free(p->all);
}

static int refuse(struct vd_fault *fault, const char *text)
{
	vd_fault_set(fault, 400, "", "%s", text);
	return -EINVAL;
}

/* --- records --- */

static int bad(struct vd_fault *fault, const char *pointer, const char *text)
{
	vd_fault_set(fault, 400, pointer, "%s", text);
	return -EINVAL;
}

static struct vd_slice slice_of(const char *text)
{
	return (struct vd_slice){ text, strlen(text) };
}

/* Never deeper than VD_JSON_DEPTH calls: the parser has seen to that. */
static int depth_of(const cJSON *value)
{
	int deepest = 0;

	for (const cJSON *child = value->child; child; child = child->next) {
		int depth = depth_of(child);

		deepest = depth > deepest ? depth : deepest;
	}
	return deepest + (cJSON_IsObject(value) || cJSON_IsArray(value));
}

static int read_identity(const char *device, const cJSON *record, struct vd_record_row *row,
			 struct vd_fault *fault)
{
	const cJSON *seq = vd_json_get(record, "seq");

	if (strcmp(vd_json_string(record, "deviceId", device), device) != 0)
		return bad(fault, "/deviceId", "is not the device that sent it");
	row->boot_id = vd_json_string(record, "bootId", "");
	if (!vd_boot_id_is_good(slice_of(row->boot_id)))
		return bad(fault, "/bootId", "is not 1 to 64 letters, digits or -");
	if (!cJSON_IsNumber(seq) || seq->valuedouble < 0 || seq->valuedouble > 9007199254740991.0 ||
	    fmod(seq->valuedouble, 1.0) != 0.0)
		return bad(fault, "/seq", "is not an integer from 0");
	row->seq = (int64_t)seq->valuedouble;
	return 0;
}

static int read_fields(const cJSON *record, struct vd_record_row *row, struct vd_fault *fault)
{
	const cJSON *body = vd_json_get(record, "body");

	row->class_name = vd_json_string(record, "class", "");
	if (!vd_record_class_is_good(slice_of(row->class_name)))
		return bad(fault, "/class", "is none of alarm, verdict, event, telemetry, raw");
	row->module = vd_json_string(record, "module", "");
	if (strlen(row->module) > VD_RECORD_MODULE_MAX)
		return bad(fault, "/module", "is too long");
	if (vd_time_parse(vd_json_string(record, "tWall", ""), &row->wall_ms) < 0)
		row->wall_ms = row->received_ms;
	row->serial = vd_json_string(body, "serial", NULL);
	if (strcmp(row->class_name, "verdict") == 0)
		row->verdict = vd_json_string(body, "verdict", NULL);
	return 0;
}

/*
 * The elements of an array that the parser has found good, as they were written: numbers keep
 * their digits, and printing them again would cost more than all the rest.
 */
static const char *skip_to_end(const char *at, const char *end)
{
	bool is_text = false;

	for (int depth = 0; at < end; at++) {
		if (is_text) {
			if (*at == '\\')
				at++;
			else
				is_text = *at != '"';
		} else if (*at == '"') {
			is_text = true;
		} else if (*at == '{' || *at == '[') {
			depth++;
		} else if (depth == 0 && (*at == ',' || *at == ']')) {
			return at;
		} else if (*at == '}' || *at == ']') {
			depth--;
		}
	}
	return end;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* *at stands on '[' or ','. */
static void next_element(const char **at, const char *end, struct vd_buf *out)
{
	const char *start = *at < end ? *at + 1 : end, *stop = skip_to_end(start, end);

	*at = stop;
	while (start < stop && is_space(*start))
		start++;
	while (stop > start && is_space(stop[-1]))
		stop--;
	vd_buf_clear(out);
	if (vd_buf_append(out, start, (size_t)(stop - start)) < 0)
		vd_buf_clear(out); /* printed instead */
}

static bool has_control(const struct vd_buf *text)
{
	for (size_t i = 0; i < text->len; i++) {
		if ((unsigned char)text->data[i] < ' ')
			return true;
	}
	return false;
}

/* Members that only the hub may add to a record; and bytes that cJSON forgives, which others do not. */
static bool must_be_printed(const cJSON *record, const struct vd_buf *text)
{
	return text->len == 0 || has_control(text) || vd_json_get(record, "id") ||
	       vd_json_get(record, "receivedTime");
}

static char *print_record(cJSON *record)
{
	cJSON_DeleteItemFromObjectCaseSensitive(record, "id");
	cJSON_DeleteItemFromObjectCaseSensitive(record, "receivedTime");
	return vd_json_text(record);
}

static int read_record(const char *device, int64_t received_ms, cJSON *record,
		       const struct vd_buf *text, vd_record_fn fn, void *argument,
		       struct vd_fault *fault)
{
	VD_CLEANUP(vd_free) char *printed = NULL;
	struct vd_record_row row = { .device = device, .received_ms = received_ms };
	int r = cJSON_IsObject(record) ? 0 : bad(fault, "", "is not an object");

	if (r == 0 && depth_of(record) > VD_RECORD_DEPTH)
		r = bad(fault, "", "is too deep");
	if (r == 0)
		r = read_identity(device, record, &row, fault);
	if (r == 0)
		r = read_fields(record, &row, fault);
	if (r < 0)
		return r;
	row.text = text->data;
	if (must_be_printed(record, text))
		row.text = printed = print_record(record);
	if (!row.text)
		return -ENOMEM;
	r = fn(&row, argument);
	return r < 0 ? r : 0;
}

int vd_batch_read(const char *device, int64_t received_ms, const char *payload, size_t len,
		  vd_record_fn fn, void *argument, int *ret_bad, struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *list = NULL;
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };
	const char *end = payload + len;
	cJSON *record;
	int r = vd_json_parse(payload, len, &list, fault), index = 0;

	*ret_bad = 0;
	if (r == 0 && !cJSON_IsArray(list))
		r = refuse(fault, "a batch is a JSON array");
	if (r < 0)
		return r;
	payload = memchr(payload, '[', len);
	cJSON_ArrayForEach(record, list)
	{
		struct vd_fault why = { 0 };

		next_element(&payload, end, &text);
		r = read_record(device, received_ms, record, &text, fn, argument, &why);
		if (r == -EINVAL && (*ret_bad)++ == 0 && fault) {
			*fault = why;
			vd_fault_under_index(fault, index);
		}
		if (r < 0 && r != -EINVAL)
			return r;
		index++;
	}
	return 0;
}

/* --- anybody's messages --- */

static bool is_ascii_text(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\0' || (unsigned char)text[i] > 127)
			return false;
	}
	return true;
}

/* As JSON if it is, else as text if it is ASCII, else in base64. */
static int add_body(cJSON *record, const char *payload, size_t len)
{
	VD_CLEANUP(vd_json_free) cJSON *json = NULL;
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };

	if (len == 0)
		return cJSON_AddNullToObject(record, "body") ? 0 : -ENOMEM;
	if (vd_json_parse(payload, len, &json, NULL) == 0 && depth_of(json) < VD_RECORD_DEPTH)
		return vd_json_add_take(record, "body", &json) ? 0 : -ENOMEM;
	if (is_ascii_text(payload, len)) {
		if (vd_buf_append(&text, payload, len) < 0)
			return -ENOMEM;
		return vd_json_add_string(record, "bodyText", text.data) ? 0 : -ENOMEM;
	}
	if (vd_base64_encode(payload, len, &text) < 0)
		return -ENOMEM;
	return vd_json_add_string(record, "bodyBase64", text.data) ? 0 : -ENOMEM;
}

int vd_message_read(const struct vd_name *name, int64_t received_ms,
		    const struct vd_message_properties *p, const void *payload, size_t len,
		    vd_record_fn fn, void *argument)
{
	VD_CLEANUP(vd_json_free) cJSON *record = cJSON_CreateObject();
	VD_CLEANUP(vd_free) char *text = NULL;
	char time[VD_TIME_TEXT], boot_id[MESSAGE_ID_MAX + 5];
	struct vd_record_row row = {
		.device = name->device,
		.received_ms = received_ms,
		.wall_ms = received_ms,
		.class_name = "message",
		.module = name->module,
		.boot_id = p->message_id ? boot_id : NULL,
	};

	(void)snprintf(boot_id, sizeof boot_id, "mid:%s", p->message_id ? p->message_id : "");
	if (!record || !vd_json_add_string(record, "deviceId", name->device) ||
	    (name->module[0] && !vd_json_add_string(record, "module", name->module)) ||
	    !vd_json_add_string(record, "class", "message") ||
	    !vd_json_add_string(record, "tWall", vd_time_text(received_ms, time)) ||
	    !vd_json_add_copy(record, "properties", p->all) || add_body(record, payload, len) < 0)
		return -ENOMEM;
	text = vd_json_text(record);
	if (!text)
		return -ENOMEM;
	row.text = text;
	return fn(&row, argument);
}
