/* SPDX-License-Identifier: Apache-2.0 */
/* Registers as a device may send them, in every type and order: never more than a value or -EBADMSG. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "modules/modbus/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vd_modbus_format format;
	struct vd_modbus_value value = { 0 };
	const char *why;
	uint16_t words[VD_MODBUS_WORDS] = { 0 };
	size_t count;
	double scale;

	if (size < 12)
		return 0;
	format = vd_modbus_format_plain((enum vd_modbus_type)(data[0] % (VD_MODBUS_STRING + 1)),
					(enum vd_modbus_order)(data[1] % 4));
	format.string_bytes = 1 + data[2] % VD_MODBUS_STRING_BYTES;
	memcpy(&scale, data + 4, sizeof scale);
	if (isfinite(scale) && scale != 0)
		vd_modbus_format_scale(&format, scale, data[3]);
	if (data[3] & 1)
		format.mask = data[3];
	count = (size - 12) / 2;
	if (count > VD_MODBUS_WORDS)
		count = VD_MODBUS_WORDS;
	memcpy(words, data + 12, 2 * count);
	if (vd_modbus_decode(&format, words, count, &value, &why) == 0 &&
	    value.kind == VD_MODBUS_NUMBER && !isfinite(value.number))
		abort();
	if (vd_modbus_encode(&format, scale, words, vd_modbus_format_words(&format)) == 0 &&
	    format.type == VD_MODBUS_STRING)
		abort();
	return 0;
}
