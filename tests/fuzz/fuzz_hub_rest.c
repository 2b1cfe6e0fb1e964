/* SPDX-License-Identifier: Apache-2.0 */
/* REST calls: first line the target, then the body, read as each resource reads it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "twin/document/merge.h"
#include "twin/hub/call.h"
#include "twin/hub/automation/configuration.h"
#include "twin/hub/device_body.h"
#include "twin/hub/etag.h"
#include "twin/hub/methods.h"
#include "twin/hub/automation/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What it accepts can be merged with itself, and changes nothing twice. */
static void read_configuration(const cJSON *body)
{
	VD_CLEANUP(vd_configuration_fini) struct vd_configuration configuration = { 0 };
	VD_CLEANUP(vd_json_free) cJSON *merged = NULL;
	struct vd_settings_layer layers[2];
	struct vd_fault fault = { 0 };
	const cJSON *content;
	int r = vd_configuration_read(body, &configuration, &fault);

	if (r > 0 && !fault.text[0])
		abort();
	content = vd_content_device(configuration.content);
	if (r != 0 || !content)
		return;
	layers[0].settings = layers[1].settings = content;
	if (vd_settings_merge(layers, 2, &merged) < 0 || !vd_merge_is_equal(merged, content))
		abort();
}

static void read_body(struct vd_call *call)
{
	VD_CLEANUP(vd_json_free) cJSON *body = NULL;
	struct vd_device device = { .name = { .device = "d1" } };
	struct vd_method_request request;
	struct vd_fault fault = { 0 };

	if (vd_call_object(call, &body, &fault) != 0)
		return;
	if (vd_device_body_read(body, &device, &fault) != 0 && !fault.text[0])
		abort();
	(void)!vd_method_request_read(body, &request, &fault);
	read_configuration(body);
}

static void read_call(const char *target, const char *body, size_t len)
{
	VD_CLEANUP(vd_call_fini) struct vd_call call = { .body = body, .body_len = len };
	struct vd_fault fault = { 0 };
	int64_t number;

	(void)vd_etag_matches(target, 7);
	if (vd_call_set_target(&call, target, &fault) == 0) {
		(void)!vd_call_number(&call, "limit", 1, 1000, 100, &number, &fault);
		read_body(&call);
	}
	vd_reply_refuse(&call.reply, VD_REFUSED_ARGUMENT, &fault);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *line = memchr(data, '\n', size);
	size_t target_len = line ? (size_t)(line - data) : size;
	char *target = strndup((const char *)data, target_len);

	if (target)
		read_call(target, line ? (const char *)line + 1 : "",
			  line ? size - target_len - 1 : 0);
	free(target);
	return 0;
}
