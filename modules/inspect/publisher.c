/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/publisher.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

enum { RETRY_MS = 20, NAME_BYTES = 96 };

struct waiting {
	struct waiting *next;
	struct vd_done done;
};

struct vd_publisher {
	struct vd_module *module;
	struct vd_publisher_handlers handlers;
	void *argument;
	struct vd_source *retry;
	struct waiting *first, **end;
	size_t waiting, unstored;
};

static void try_all(void *argument);

int vd_publisher_new(struct vd_module *module, const struct vd_publisher_handlers *handlers,
		     void *argument, struct vd_publisher **ret_publisher)
{
	VD_CLEANUP(vd_publisher_free) struct vd_publisher *publisher = NULL;
	int r;

	publisher = calloc(1, sizeof *publisher);
	if (!publisher)
		return -ENOMEM;
	publisher->module = module;
	publisher->handlers = *handlers;
	publisher->argument = argument;
	publisher->end = &publisher->first;
	r = vd_loop_timer(vd_module_loop(module), try_all, publisher, &publisher->retry);
	if (r == 0)
		*ret_publisher = VD_TAKE(publisher);
	return r;
}

static void pop(struct vd_publisher *publisher)
{
	struct waiting *waiting = publisher->first;

	publisher->first = waiting->next;
	if (!publisher->first)
		publisher->end = &publisher->first;
	publisher->waiting--;
	vd_done_fini(&waiting->done);
	free(waiting);
}

struct vd_publisher *vd_publisher_free(struct vd_publisher *publisher)
{
	if (!publisher)
		return NULL;
	while (publisher->first)
		pop(publisher);
	(void)vd_source_free(publisher->retry);
	free(publisher);
	return NULL;
}

size_t vd_publisher_waiting(const struct vd_publisher *publisher)
{
	return publisher->waiting;
}

size_t vd_publisher_unstored(const struct vd_publisher *publisher)
{
	return publisher->unstored;
}

static void on_stored(struct vd_module *module, uint64_t id, int64_t seq, const char *text,
		      void *argument)
{
	struct vd_publisher *publisher = argument;

	publisher->unstored--;
	if (text)
		vd_log(VD_ERROR, "verdict.refused", "id=%llu text=\"%s\"", (unsigned long long)id,
		       text);
	publisher->handlers.on_answer(text, publisher->argument);
}

/* ---- attachments ---- */

struct evidence {
	struct vd_attachment list[VD_ATTACHMENTS];
	unsigned count;
	char names[VD_ATTACHMENTS][NAME_BYTES];
	struct vd_buf grey[VD_ATTACHMENTS]; /* grey frames with a header, else empty */
};

static void evidence_fini(struct evidence *evidence)
{
	for (unsigned i = 0; i < VD_ATTACHMENTS; i++)
		vd_buf_fini(&evidence->grey[i]);
}

static void evidence_fini_p(struct evidence *evidence)
{
	evidence_fini(evidence);
}

static void attach(struct evidence *evidence, const char *type, const void *data, size_t bytes)
{
	evidence->list[evidence->count] = (struct vd_attachment){
		.name = evidence->names[evidence->count],
		.type = type,
		.data = data,
		.fd = -1,
		.bytes = bytes,
	};
	evidence->count++;
}

/* A raw frame becomes a PGM: a head of a line, then the same bytes. */
static void attach_grey(struct evidence *evidence, const struct vd_shot *shot)
{
	struct vd_buf *out = &evidence->grey[evidence->count];
	int r = vd_buf_printf(out, "P5\n%d %d\n255\n", shot->width, shot->height);

	for (int y = 0; r == 0 && y < shot->height; y++)
		r = vd_buf_append(out, shot->bytes.data + (size_t)y * (size_t)shot->stride,
				  (size_t)shot->width);
	if (r == 0)
		attach(evidence, "image/x-portable-graymap", out->data, out->len);
}

static void attach_shot(struct evidence *evidence, const struct vd_item *item, int camera)
{
	const struct vd_shot *shot = &item->shots[camera];
	const bool is_only_one = item->recipe->camera_count == 1;

	(void)snprintf(evidence->names[evidence->count], NAME_BYTES, "original%s%s.%s",
		       is_only_one ? "" : "-", is_only_one ? "" : item->recipe->cameras[camera],
		       shot->is_jpeg ? "jpg" : "pgm");
	if (shot->is_jpeg)
		attach(evidence, "image/jpeg", shot->bytes.data, shot->bytes.len);
	else if ((size_t)shot->stride * (size_t)(shot->height - 1) + (size_t)shot->width <=
		 shot->bytes.len)
		attach_grey(evidence, shot);
}

/* The overlay first: of more cameras than there is room for, some originals stay behind. */
static void collect(struct evidence *evidence, const struct vd_done *done)
{
	const struct vd_item *item = done->item;

	if (!done->outcome.keeps_images)
		return;
	if (done->outcome.overlay.len > 0) {
		(void)snprintf(evidence->names[0], NAME_BYTES, "overlay.jpg");
		attach(evidence, "image/jpeg", done->outcome.overlay.data,
		       done->outcome.overlay.len);
	}
	for (int i = 0; i < item->recipe->camera_count && evidence->count < VD_ATTACHMENTS; i++) {
		if (item->shots[i].bytes.len > 0)
			attach_shot(evidence, item, i);
	}
}

/* ---- publishing ---- */

static int publish(struct vd_publisher *publisher, const struct vd_done *done)
{
	VD_CLEANUP(evidence_fini) struct evidence evidence = { 0 };
	struct vd_publication publication = {
		.output = "verdict",
		.record_class = "verdict",
		.body = done->outcome.body,
		.attachments = evidence.list,
		.on_stored = on_stored,
		.argument = publisher,
	};
	int r;

	collect(&evidence, done);
	publication.attachment_count = evidence.count;
	r = vd_module_publish(publisher->module, &publication, NULL);
	if (r == -E2BIG) {
		/* Never for the details' sake: the verdict itself must get through. */
		cJSON_DeleteItemFromObjectCaseSensitive(done->outcome.body, "steps");
		r = vd_module_publish(publisher->module, &publication, NULL);
	}
	if (r < 0 && r != -E2BIG && evidence.count > 0) {
		vd_log(VD_ERROR, "verdict.withoutImages", "itemId=%s text=\"%s\"", done->item->id,
		       strerror(-r));
		publication.attachment_count = 0;
		r = vd_module_publish(publisher->module, &publication, NULL);
	}
	return r;
}

static void retry_later(struct vd_publisher *publisher)
{
	const int r = vd_timer_arm(publisher->retry, RETRY_MS);

	if (r < 0)
		vd_log(VD_ERROR, "verdict.noRetry", "text=\"%s\"", strerror(-r));
}

static void try_all(void *argument)
{
	struct vd_publisher *publisher = argument;

	while (publisher->first) {
		struct vd_done *done = &publisher->first->done;
		const int r = publish(publisher, done);

		if (r == VD_MODULE_GONE)
			return;
		if (r != 0) {
			if (r < 0)
				vd_log(VD_ERROR, "verdict.notPublished", "itemId=%s text=\"%s\"",
				       done->item->id, strerror(-r));
			retry_later(publisher);
			return;
		}
		publisher->unstored++;
		pop(publisher);
	}
}

int vd_publisher_put(struct vd_publisher *publisher, struct vd_done *done)
{
	struct waiting *waiting = calloc(1, sizeof *waiting);

	if (!waiting || !done->outcome.body) {
		free(waiting);
		vd_done_fini(done);
		return -ENOMEM;
	}
	waiting->done = *done;
	*done = (struct vd_done){ 0 };
	*publisher->end = waiting;
	publisher->end = &waiting->next;
	publisher->waiting++;
	if (!vd_timer_is_armed(publisher->retry))
		try_all(publisher);
	return 0;
}
