/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/modbus/verdict.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[] = {
	[VD_MODBUS_VERDICT_OK] = "OK",
	[VD_MODBUS_VERDICT_WARN] = "WARN",
	[VD_MODBUS_VERDICT_NG] = "NG",
	[VD_MODBUS_VERDICT_NONE] = "NO_DECISION",
};

const char *vd_modbus_decision_name(enum vd_modbus_decision decision)
{
	return names[decision];
}

static uint32_t sequence_of(const cJSON *body)
{
	int64_t seq = vd_json_int(vd_json_object(body, "trigger"), "seq", 0);

	return seq > 0 ? (uint32_t)(seq % 65536) : 0;
}

/* A number, or a text of decimal digits that a double holds exactly. */
static double serial_of(const cJSON *body)
{
	const cJSON *serial = vd_json_get(body, "serial");
	const char *text = cJSON_IsString(serial) ? serial->valuestring : "";
	const size_t len = strlen(text);

	if (cJSON_IsNumber(serial))
		return serial->valuedouble;
	return len > 0 && len <= 15 && strspn(text, "0123456789") == len ? strtod(text, NULL) : NAN;
}

static void read_item(const cJSON *body, struct vd_modbus_verdict *verdict)
{
	const char *id = vd_json_string(body, "itemId", "");
	const int64_t mono = vd_json_int(vd_json_object(body, "trigger"), "tMono", 0);

	(void)snprintf(verdict->item_id, sizeof verdict->item_id, "%s", id);
	verdict->is_named = id[0] && strlen(id) < sizeof verdict->item_id;
	verdict->triggered_ms = mono > 0 ? (uint64_t)mono : 0;
	verdict->serial = serial_of(body);
	verdict->is_recovered = vd_json_bool(body, "recovered", false);
}

int vd_modbus_verdict_read(const cJSON *body, struct vd_modbus_verdict *ret_verdict,
			   struct vd_fault *fault)
{
	const char *name = vd_json_string(body, "verdict", NULL);

	if (!name) {
		vd_fault_set(fault, 400, "/verdict", "the message has no verdict");
		return -EINVAL;
	}
	*ret_verdict =
		(struct vd_modbus_verdict){ VD_MODBUS_VERDICT_NONE, .sequence = sequence_of(body) };
	read_item(body, ret_verdict);
	for (size_t i = VD_MODBUS_VERDICT_OK; i < VD_COUNT(names); i++) {
		if (!strcmp(name, names[i])) {
			ret_verdict->decision = (enum vd_modbus_decision)i;
			return 0;
		}
	}
	vd_fault_set(fault, 400, "/verdict",
		     "verdict \"%.40s\" is unknown and stands as NO_DECISION", name);
	return VD_MODBUS_STRANGE;
}

static enum vd_modbus_treatment treatment_of(const struct vd_modbus_verdicts *verdicts,
					     enum vd_modbus_decision decision)
{
	switch (decision) {
	case VD_MODBUS_VERDICT_OK:
		return VD_MODBUS_ACCEPT;
	case VD_MODBUS_VERDICT_WARN:
		return verdicts->warn;
	case VD_MODBUS_VERDICT_NG:
		return VD_MODBUS_REJECT;
	case VD_MODBUS_VERDICT_NONE:
		break;
	}
	return verdicts->no_decision;
}

static double serial_for(const struct vd_modbus_output *output, double serial)
{
	uint16_t words[4];

	if (!output)
		return 0;
	if (isnan(serial) || vd_modbus_encode(&output->format, serial, words,
					      vd_modbus_format_words(&output->format)) < 0)
		return output->safe;
	return serial;
}

static size_t add(struct vd_modbus_write *writes, size_t count,
		  const struct vd_modbus_output *output, double value, uint32_t hold_ms)
{
	if (!output)
		return count;
	writes[count] = (struct vd_modbus_write){ output, value, hold_ms };
	return count + 1;
}

size_t vd_modbus_verdict_writes(const struct vd_modbus_verdicts *verdicts,
				const struct vd_modbus_verdict *verdict,
				struct vd_modbus_write writes[static VD_MODBUS_WRITES])
{
	enum vd_modbus_treatment treatment = treatment_of(verdicts, verdict->decision);
	const struct vd_modbus_output *ng = verdicts->ng, *ok = verdicts->ok;
	uint32_t hold = verdicts->hold_ms;
	size_t n = add(writes, 0, verdicts->code, verdict->decision, 0);

	n = add(writes, n, verdicts->serial, serial_for(verdicts->serial, verdict->serial), 0);
	if (treatment != VD_MODBUS_ACCEPT && ok)
		n = add(writes, n, ok, ok->safe, 0);
	if (treatment != VD_MODBUS_REJECT && ng)
		n = add(writes, n, ng, ng->safe, 0);
	if (treatment == VD_MODBUS_ACCEPT && ok)
		n = add(writes, n, ok, ok->active, hold);
	if (treatment == VD_MODBUS_REJECT && ng)
		n = add(writes, n, ng, ng->active, hold);
	return add(writes, n, verdicts->sequence, verdict->sequence, 0);
}
