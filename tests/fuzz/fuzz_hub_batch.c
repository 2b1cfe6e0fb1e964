/* SPDX-License-Identifier: Apache-2.0 */
/* Telemetry as devices send it: first line the property bag, then the payload. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "twin/hub/batch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A record that was accepted is one line of JSON, which can stand behind the members of the hub. */
static int check(const struct vd_record_row *row, void *argument)
{
	VD_CLEANUP(vd_json_free) cJSON *json = NULL;

	if (vd_json_parse(row->text, strlen(row->text), &json, NULL) < 0 || row->text[0] != '{' ||
	    strchr(row->text, '\n') || !row->class_name || !row->module || row->seq < 0)
		abort();
	return 0;
}

static void read_payload(const struct vd_message_properties *properties, const char *payload,
			 size_t len)
{
	static const struct vd_name name = { .device = "d1" };
	struct vd_buf out = { 0 };
	struct vd_fault fault = { 0 };
	int bad = 0;

	if (vd_batch_inflate(payload, len, 1 << 18, &out, &fault) == 0)
		(void)!vd_batch_read("d1", 1, out.data ? out.data : "", out.len, check, NULL, &bad,
				     &fault);
	if (out.len > 1 << 18)
		abort();
	(void)!vd_batch_read("d1", 1, payload, len, check, NULL, &bad, &fault);
	(void)!vd_message_read(&name, 1, properties, payload, len, check, NULL);
	vd_buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *line = memchr(data, '\n', size);
	size_t bag_len = line ? (size_t)(line - data) : size;
	struct vd_message_properties properties = { 0 };
	char *bag = strndup((const char *)data, bag_len);

	if (bag && vd_message_properties_read(bag, &properties, NULL) == 0)
		read_payload(&properties, line ? (const char *)line + 1 : "",
			     line ? size - bag_len - 1 : 0);
	vd_message_properties_fini(&properties);
	free(bag);
	return 0;
}
