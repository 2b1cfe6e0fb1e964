/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/json.h"
#include "modules/modbus/decode.h"
#include "modules/modbus/parameters.h"
#include "modules/modbus/quality.h"

/*
 * What is known of one tag, and whether that is worth a publication; pure. A value is never
 * invented: without one that stands, it is null with a quality.
 */
struct vd_modbus_sample {
	int64_t wall_ms; /* when the value, or the failure, was read */
	uint64_t sent_ms;
	enum vd_modbus_quality quality, sent_quality;
	int code, sent_code; /* of an exception, else 0 */
	uint32_t failures;   /* in a row */
	bool was_sent;
	struct vd_modbus_value value,
		sent; /* the newest good one; the one last sent. Large: last */
};

void vd_modbus_sample_good(struct vd_modbus_sample *sample, const struct vd_modbus_value *value,
			   int64_t wall_ms);

/* Fewer than fail_after failures in a row leave a value stale, with the time it was read at. */
void vd_modbus_sample_bad(struct vd_modbus_sample *sample, enum vd_modbus_quality quality, int code,
			  uint32_t fail_after, int64_t wall_ms);

/* Is there news of it? By deadband, change of quality and longest silence. */
bool vd_modbus_sample_is_news(const struct vd_modbus_sample *sample,
			      const struct vd_modbus_tag *tag, uint64_t now_ms);

/*
 * Adds a value; an integer of more than 15 digits, which cJSON would round, is a text. None: null.
 * false: no memory.
 */
bool vd_modbus_value_add(cJSON *json, const char *key, const struct vd_modbus_value *value);

/*
 * Adds {"value","quality","t","unit","label","code"} under the tag's name and takes note that it was sent.
 * false: no memory.
 */
bool vd_modbus_sample_add(struct vd_modbus_sample *sample, const struct vd_modbus_tag *tag,
			  uint64_t now_ms, cJSON *samples);

/* An upper bound of the bytes that vd_modbus_sample_add will take on the wire. */
size_t vd_modbus_sample_bytes(const struct vd_modbus_sample *sample,
			      const struct vd_modbus_tag *tag);
