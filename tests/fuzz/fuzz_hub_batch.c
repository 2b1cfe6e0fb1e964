/* SPDX-License-Identifier: Apache-2.0 */
/* Telemetry as devices send it: first line the property bag, then the payload. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "twin/hub/telemetry/batch.h"
#include "twin/hub/store/scan.h"

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

static bool is_same(struct vd_slice slice, const char *text)
{
	return text ? vd_slice_is(slice, text) : !slice.text;
}

/* Whatever the scanner takes, the tree must read the same. */
static int compare(const struct vd_record_row *row, void *argument)
{
	struct vd_scan *scan = argument;
	struct vd_scanned record;
	bool is_verdict = strcmp(row->class_name, "verdict") == 0;

	if (vd_scan_next(scan, &record) != 0 || !vd_scanned_is_good(&record, "d1") ||
	    !is_same(record.text, row->text) || !is_same(record.boot_id, row->boot_id) ||
	    record.seq != row->seq || !is_same(record.class_name, row->class_name) ||
	    (record.module.text && !is_same(record.module, row->module)) ||
	    (!record.module.text && row->module[0]) || !is_same(record.serial, row->serial) ||
	    (is_verdict && !is_same(record.verdict, row->verdict)))
		abort();
	return 0;
}

static void compare_readers(const char *payload, size_t len)
{
	struct vd_scan scan = { .at = payload, .end = payload + len };
	struct vd_scanned record;
	struct vd_fault fault = { 0 };
	int bad = 0, r;

	while ((r = vd_scan_next(&scan, &record)) == 0) {
		if (!vd_scanned_is_good(&record, "d1"))
			return;
	}
	if (r != VD_SCAN_END)
		return;
	scan = (struct vd_scan){ .at = payload, .end = payload + len };
	if (vd_batch_read("d1", 1, payload, len, compare, &scan, &bad, &fault) != 0 || bad ||
	    vd_scan_next(&scan, &record) != VD_SCAN_END)
		abort();
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
	compare_readers(payload, len);
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
