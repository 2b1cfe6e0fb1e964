/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes that another process sends: the packet's text, then what the consumer of frames makes
 * of it against a small pool. A frame that is believed must lie in its slot.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/ipc/packet.h"
#include "agent/supervise/lines.h"
#include "modules/sdk/frame_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SLOTS = 2, SLOT_BYTES = 4096 };

static struct vd_pool_view *view;

static void make_view(void)
{
	struct vd_pool *pool = NULL;
	int fd;

	if (vd_pool_new(SLOTS, SLOT_BYTES, &pool) < 0)
		abort();
	fd = dup(vd_pool_fd(pool));
	if (vd_pool_view_new(&fd, SLOTS, SLOT_BYTES, &view, NULL) < 0)
		abort();
	(void)vd_pool_free(pool);
}

static void check_frame(const cJSON *json)
{
	struct vd_frame_claim claim;
	struct vd_fault fault = { 0 };

	if (vd_frame_check(json, view, &claim, &fault) < 0) {
		if (fault.code != 400)
			abort();
		return;
	}
	if (claim.slot >= SLOTS || claim.bytes < 0 || claim.bytes > SLOT_BYTES)
		abort();
	if (!strcmp(claim.format, "grey") &&
	    (uint64_t)claim.stride * claim.height > (uint64_t)claim.bytes)
		abort();
}

static void ignore_line(const struct vd_line *line, void *argument)
{
	cJSON *json = cJSON_CreateString(line->text);
	VD_CLEANUP(vd_free) char *text = vd_json_text(json);
	cJSON *again = NULL;

	(void)argument;
	/* A log line must be fit for the evidence in reported state, whatever it was. */
	if (!text || vd_json_parse(text, strlen(text), &again, NULL) < 0)
		abort();
	json = vd_json_free(json);
	again = vd_json_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct vd_lines lines;
	struct vd_fault fault = { 0 };
	cJSON *json = NULL;

	if (!view)
		make_view();
	vd_lines_feed(&lines, (const char *)data, size, 0, ignore_line, NULL);
	vd_lines_finish(&lines, 0, ignore_line, NULL);
	vd_lines_fini(&lines);
	if (vd_packet_parse((const char *)data, size, &json, &fault) != 0)
		return 0;
	if (!vd_json_string(json, "type", NULL))
		abort();
	check_frame(json);
	json = vd_json_free(json);
	return 0;
}
