/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/store/envelope.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"

static int append_text(struct vd_buf *out, const char *text)
{
	return vd_buf_append(out, text, strlen(text));
}

static int append_escaped(struct vd_buf *out, unsigned char c)
{
	if (c == '"' || c == '\\')
		return vd_buf_printf(out, "\\%c", c);
	return vd_buf_printf(out, "\\u%04x", c);
}

/* ,"key":"value" with the value escaped as JSON wants it. */
static int append_member(struct vd_buf *out, const char *key, const char *value)
{
	int r = vd_buf_printf(out, "%s\"%s\":\"",
			      out->len && out->data[out->len - 1] == '{' ? "" : ",", key);

	while (r == 0 && *value) {
		size_t plain = 0;

		while ((unsigned char)value[plain] >= 0x20 && value[plain] != '"' &&
		       value[plain] != '\\')
			plain++;
		r = vd_buf_append(out, value, plain);
		value += plain;
		if (r == 0 && *value)
			r = append_escaped(out, (unsigned char)*value++);
	}
	return r < 0 ? r : append_text(out, "\"");
}

int vd_envelope_head(const char *device_id, const char *boot_id, struct vd_buf *out)
{
	int r = append_text(out, "{");

	if (r == 0)
		r = append_member(out, "deviceId", device_id);
	if (r == 0)
		r = append_member(out, "bootId", boot_id);
	return r < 0 ? r : append_text(out, ",\"seq\":");
}

static int append_times(struct vd_buf *out, const struct vd_moment *moment)
{
	char wall[VD_TIME_TEXT];

	return vd_buf_printf(out, ",\"tMono\":%" PRIu64 ",\"tWall\":\"%s\",\"timeQuality\":\"%s\"",
			     moment->mono_ms, vd_time_text(moment->wall_ms, wall), moment->quality);
}

/* What leads from the record to its images in the hub. */
static int append_attachment(struct vd_buf *out, const struct vd_attachment *a)
{
	int r = append_text(out, out->data[out->len - 1] == '[' ? "{" : ",{");

	if (r == 0)
		r = append_member(out, "name", a->name);
	if (r == 0)
		r = append_member(out, "type", a->media_type);
	if (r == 0)
		r = append_member(out, "sha256", a->sha256);
	return r < 0 ? r : vd_buf_printf(out, ",\"bytes\":%" PRIu64 "}", a->bytes);
}

static int append_attachments(struct vd_buf *out, const struct vd_record *record)
{
	int r = append_text(out, ",\"attachments\":[");

	for (size_t i = 0; r == 0 && i < record->attachment_count; i++)
		r = append_attachment(out, &record->attachments[i]);
	return r < 0 ? r : append_text(out, "]");
}

int vd_envelope_tail(const struct vd_record *record, const struct vd_moment *moment,
		     struct vd_buf *out)
{
	int r = append_times(out, moment);

	if (r == 0)
		r = append_member(out, "class", vd_class_name(record->class));
	if (r == 0)
		r = append_member(out, "module", record->module);
	if (r == 0)
		r = append_member(out, "output", record->output);
	if (r == 0 && record->module_version)
		r = append_member(out, "moduleVersion", record->module_version);
	if (r == 0 && record->desired_version >= 0)
		r = vd_buf_printf(out, ",\"desiredVersion\":%" PRId64, record->desired_version);
	if (r == 0)
		r = record->attachment_count ? append_attachments(out, record) : 0;
	if (r == 0)
		r = append_text(out, ",\"body\":");
	if (r == 0)
		r = vd_buf_append(out, record->body, record->body_len);
	return r < 0 ? r : append_text(out, "}");
}
