/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/camera/receipts.h"

#include <string.h>

#include "modules/camera/reply.h"

static void on_stored(struct vd_module *module, uint64_t id, int64_t seq, const char *text,
		      void *argument)
{
	struct vd_receipt *receipt = argument;

	if (text)
		vd_reply_text(module, receipt->call, 507, text);
	else if (vd_json_add_number(receipt->body, "record", (double)seq))
		vd_reply(module, receipt->call, 200, receipt->body);
	else
		vd_reply(module, receipt->call, 500, NULL);
	receipt->body = vd_json_free(receipt->body);
}

static struct vd_receipt *find_free(struct vd_receipts *receipts)
{
	for (size_t i = 0; i < VD_RECEIPTS; i++) {
		if (!receipts->waiting[i].body)
			return &receipts->waiting[i];
	}
	return NULL;
}

static const char *failure_text(int r)
{
	if (r == VD_MODULE_FULL)
		return "the agent does not take records now";
	return r < 0 ? strerror(-r) : "the agent is gone";
}

void vd_receipts_publish(struct vd_receipts *receipts, struct vd_module *module, int64_t call,
			 struct vd_publication *publication)
{
	struct vd_receipt *receipt = find_free(receipts);
	int r;

	if (!receipt) {
		vd_reply_text(module, call, 429, "too many records wait for the agent");
		return;
	}
	*receipt = (struct vd_receipt){ call, cJSON_Duplicate(publication->body, true) };
	if (!receipt->body) {
		vd_reply(module, call, 500, NULL);
		return;
	}
	publication->on_stored = on_stored;
	publication->argument = receipt;
	r = vd_module_publish(module, publication, NULL);
	if (r == 0)
		return;
	receipt->body = vd_json_free(receipt->body);
	vd_reply_text(module, call, 503, failure_text(r));
}

void vd_receipts_fini(struct vd_receipts *receipts)
{
	for (size_t i = 0; i < VD_RECEIPTS; i++)
		receipts->waiting[i].body = vd_json_free(receipts->waiting[i].body);
}
