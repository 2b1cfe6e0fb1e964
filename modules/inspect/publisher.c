/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/publisher.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

enum { RETRY_MS = 20, NAME_BYTES = 96, OUTPUT_BYTES = 32 };
enum { BACK_OFF_LEAST_MS = 100, BACK_OFF_MOST_MS = 30000 };

/* One record on its way: waiting, then offered, then gone or refused. */
struct parcel {
	struct parcel *next;
	struct vd_publisher *publisher;
	struct vd_done done; /* of a verdict; else only outcome.body */
	char output[OUTPUT_BYTES], record_class[OUTPUT_BYTES];
	char item_id[VD_UUID_TEXT]; /* of a verdict, and what the agent tells it by; else "" */
	size_t kept_bytes;          /* of images */
	int offers;
	uint64_t due_ms; /* refused: when it is offered again */
};

struct list {
	struct parcel *first, **end;
	size_t count;
};

struct vd_publisher {
	struct vd_module *module;
	struct vd_publisher_handlers handlers;
	void *argument;
	struct vd_source *retry, *again;
	struct list waiting, refused;
	struct parcel *offered; /* in any order; linked by next */
	size_t unstored, kept_bytes;
	bool hurries;
};

static void try_all(void *argument);
static void offer_again(void *argument);

static void push(struct list *list, struct parcel *parcel)
{
	if (!list->end)
		list->end = &list->first;
	parcel->next = NULL;
	*list->end = parcel;
	list->end = &parcel->next;
	list->count++;
}

static struct parcel *pop(struct list *list)
{
	struct parcel *parcel = list->first;

	if (!parcel)
		return NULL;
	list->first = parcel->next;
	if (!list->first)
		list->end = &list->first;
	list->count--;
	return parcel;
}

static void free_parcel(struct parcel *parcel)
{
	parcel->publisher->kept_bytes -= parcel->kept_bytes;
	vd_done_fini(&parcel->done);
	free(parcel);
}

int vd_publisher_new(struct vd_module *module, const struct vd_publisher_handlers *handlers,
		     void *argument, struct vd_publisher **ret_publisher)
{
	VD_CLEANUP(vd_publisher_free) struct vd_publisher *publisher = NULL;
	struct vd_loop *loop = vd_module_loop(module);
	int r;

	publisher = calloc(1, sizeof *publisher);
	if (!publisher)
		return -ENOMEM;
	publisher->module = module;
	publisher->handlers = *handlers;
	publisher->argument = argument;
	r = vd_loop_timer(loop, try_all, publisher, &publisher->retry);
	if (r == 0)
		r = vd_loop_timer(loop, offer_again, publisher, &publisher->again);
	if (r == 0)
		*ret_publisher = VD_TAKE(publisher);
	return r;
}

static const char *item_of(const struct parcel *parcel)
{
	return parcel->item_id;
}

struct vd_publisher *vd_publisher_free(struct vd_publisher *publisher)
{
	struct parcel *parcel;

	if (!publisher)
		return NULL;
	while ((parcel = pop(&publisher->waiting)) || (parcel = pop(&publisher->refused)))
		free_parcel(parcel);
	while ((parcel = publisher->offered)) {
		publisher->offered = parcel->next;
		free_parcel(parcel);
	}
	(void)vd_source_free(publisher->retry);
	(void)vd_source_free(publisher->again);
	free(publisher);
	return NULL;
}

size_t vd_publisher_waiting(const struct vd_publisher *publisher)
{
	return publisher->waiting.count;
}

size_t vd_publisher_unstored(const struct vd_publisher *publisher)
{
	return publisher->unstored;
}

size_t vd_publisher_refused(const struct vd_publisher *publisher)
{
	return publisher->refused.count;
}

/* ---- answers ---- */

static void arm(struct vd_source *timer, uint64_t delay_ms)
{
	const int r = vd_timer_arm(timer, delay_ms);

	if (r < 0)
		vd_log(VD_ERROR, "verdict.noRetry", "text=\"%s\"", strerror(-r));
}

static void give_up(struct parcel *parcel, const char *text)
{
	struct vd_publisher *publisher = parcel->publisher;

	vd_log(VD_ERROR, "verdict.lost", "itemId=%s output=%s offers=%d text=\"%s\"",
	       item_of(parcel), parcel->output, parcel->offers, text);
	if (parcel->done.item)
		vd_item_enter(parcel->done.item, VD_ITEM_LOST);
	publisher->handlers.on_lost(item_of(parcel), text, publisher->argument);
	free_parcel(parcel);
}

static uint64_t back_off_ms(int offers)
{
	const uint64_t delay = (uint64_t)BACK_OFF_LEAST_MS << (offers < 16 ? offers - 1 : 15);

	return delay < BACK_OFF_MOST_MS ? delay : BACK_OFF_MOST_MS;
}

static void keep_refused(struct vd_publisher *publisher, struct parcel *parcel, const char *text)
{
	if (publisher->hurries || parcel->offers >= VD_OFFERS_MOST) {
		give_up(parcel, text);
		return;
	}
	parcel->due_ms = vd_clock_mono_ms() + back_off_ms(parcel->offers);
	push(&publisher->refused, parcel);
	if (publisher->refused.count > VD_REFUSED_MOST)
		give_up(pop(&publisher->refused), "too many are refused");
	offer_again(publisher);
}

static void on_stored(struct vd_module *module, uint64_t id, int64_t seq, const char *text,
		      void *argument)
{
	struct parcel *parcel = argument, **at;
	struct vd_publisher *publisher = parcel->publisher;
	VD_CLEANUP(vd_item_free) struct vd_item *item = NULL;
	char item_id[VD_UUID_TEXT];

	for (at = &publisher->offered; *at != parcel; at = &(*at)->next)
		;
	*at = parcel->next;
	publisher->unstored--;
	if (text)
		vd_log(VD_WARN, "verdict.refused", "id=%llu itemId=%s offers=%d text=\"%s\"",
		       (unsigned long long)id, item_of(parcel), parcel->offers, text);
	(void)snprintf(item_id, sizeof item_id, "%s", item_of(parcel));
	if (text) {
		keep_refused(publisher, parcel, text);
	} else {
		item = VD_TAKE(parcel->done.item);
		free_parcel(parcel);
	}
	if (item)
		vd_item_enter(item, VD_ITEM_STORED);
	publisher->handlers.on_answer(item_id, &item, seq, text, publisher->argument);
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

static void attach_grey(struct evidence *evidence, const struct vd_shot *shot)
{
	struct vd_buf *out = &evidence->grey[evidence->count];

	if (vd_shot_pgm(shot, out) == 0)
		attach(evidence, "image/x-portable-graymap", out->data, out->len);
}

/* A frame with areas to blur never goes out as it came: as it may be stored, or not at all. */
static void attach_shot(struct evidence *evidence, const struct vd_done *done, int camera)
{
	const struct vd_item *item = done->item;
	const struct vd_shot *shot = &item->shots[camera];
	const bool is_veiled = item->recipe->veils[camera].is_set;
	const struct vd_buf *bytes = is_veiled ? &done->outcome.veiled[camera].jpeg : &shot->bytes;
	const bool is_only_one = item->recipe->camera_count == 1;

	if (bytes->len == 0)
		return;

	(void)snprintf(evidence->names[evidence->count], NAME_BYTES, "%s%s%s.%s",
		       is_veiled ? "blurred" : "original", is_only_one ? "" : "-",
		       is_only_one ? "" : item->recipe->cameras[camera],
		       shot->is_jpeg || is_veiled ? "jpg" : "pgm");
	if (shot->is_jpeg || is_veiled)
		attach(evidence, "image/jpeg", bytes->data, bytes->len);
	else
		attach_grey(evidence, shot);
}

static void attach_made(struct evidence *evidence, const struct vd_done *done,
			const struct vd_made *made)
{
	(void)snprintf(evidence->names[evidence->count], NAME_BYTES, "image-%s.jpg",
		       done->item->recipe->steps[made->step].id);
	attach(evidence, "image/jpeg", made->jpeg.data, made->jpeg.len);
}

/* The overlay first: of more cameras than there is room for, some originals stay behind. */
static void collect(struct evidence *evidence, const struct vd_done *done)
{
	const struct vd_item *item = done->item;

	if (!item || !done->outcome.keeps_images)
		return;
	if (done->outcome.overlay.len > 0) {
		(void)snprintf(evidence->names[0], NAME_BYTES, "overlay.jpg");
		attach(evidence, "image/jpeg", done->outcome.overlay.data,
		       done->outcome.overlay.len);
	}
	for (int i = 0; i < item->recipe->camera_count && evidence->count < VD_ATTACHMENTS; i++) {
		attach_shot(evidence, done, i);
	}
	for (int i = 0; i < done->outcome.made_count && evidence->count < VD_ATTACHMENTS; i++)
		attach_made(evidence, done, &done->outcome.made[i]);
}

/* ---- publishing ---- */

static int publish(struct vd_publisher *publisher, struct parcel *parcel)
{
	const struct vd_done *done = &parcel->done;
	VD_CLEANUP(evidence_fini) struct evidence evidence = { 0 };
	struct vd_publication publication = {
		.output = parcel->output,
		.record_class = parcel->record_class,
		.body = done->outcome.body,
		.attachments = evidence.list,
		.on_stored = on_stored,
		.argument = parcel,
		.key = parcel->item_id[0] ? parcel->item_id : NULL,
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
		vd_log(VD_ERROR, "verdict.withoutImages", "itemId=%s text=\"%s\"", item_of(parcel),
		       strerror(-r));
		publication.attachment_count = 0;
		r = vd_module_publish(publisher->module, &publication, NULL);
	}
	return r;
}

static void drop_images(struct parcel *parcel)
{
	vd_buf_fini(&parcel->done.outcome.overlay);
	for (int i = 0; i < VD_CAMERAS_MOST; i++)
		vd_buf_fini(&parcel->done.outcome.veiled[i].jpeg);
	for (int i = 0; i < parcel->done.outcome.made_count; i++)
		vd_buf_fini(&parcel->done.outcome.made[i].jpeg);
	parcel->done.outcome.made_count = 0;
	if (parcel->done.item)
		vd_item_drop_frames(parcel->done.item);
	parcel->done.outcome.keeps_images = false;
}

/* Images are kept for another offer as far as there is room; the verdict always is. */
static void keep_offered(struct vd_publisher *publisher, struct parcel *parcel)
{
	size_t bytes = parcel->done.outcome.overlay.len;

	for (int i = 0; parcel->done.item && i < VD_CAMERAS_MOST; i++)
		bytes += parcel->done.item->shots[i].bytes.len +
			 parcel->done.outcome.veiled[i].jpeg.len;
	for (int i = 0; i < parcel->done.outcome.made_count; i++)
		bytes += parcel->done.outcome.made[i].jpeg.len;
	if (parcel->kept_bytes == 0 && publisher->kept_bytes + bytes > VD_KEPT_BYTES) {
		drop_images(parcel);
	} else if (parcel->kept_bytes == 0) {
		parcel->kept_bytes = bytes;
		publisher->kept_bytes += bytes;
	}
	parcel->next = publisher->offered;
	publisher->offered = parcel;
	parcel->offers++;
	publisher->unstored++;
}

static void try_all(void *argument)
{
	struct vd_publisher *publisher = argument;

	while (publisher->waiting.first) {
		struct parcel *parcel = publisher->waiting.first;
		const int r = publish(publisher, parcel);

		if (r == VD_MODULE_GONE)
			return;
		if (r != 0) {
			if (r < 0)
				vd_log(VD_ERROR, "verdict.notPublished", "itemId=%s text=\"%s\"",
				       item_of(parcel), strerror(-r));
			arm(publisher->retry, RETRY_MS);
			return;
		}
		keep_offered(publisher, pop(&publisher->waiting));
	}
}

/* The refused list is in the order of refusals, not of due times: it is short. */
static void offer_again(void *argument)
{
	struct vd_publisher *publisher = argument;
	const uint64_t now = vd_clock_mono_ms();
	uint64_t next = UINT64_MAX;

	for (size_t left = publisher->refused.count; left > 0; left--) {
		struct parcel *parcel = pop(&publisher->refused);
		const bool is_due = publisher->hurries || parcel->due_ms <= now;

		if (!is_due && parcel->due_ms < next)
			next = parcel->due_ms;
		push(is_due ? &publisher->waiting : &publisher->refused, parcel);
	}
	if (next != UINT64_MAX)
		arm(publisher->again, next - now);
	if (publisher->waiting.first && !vd_timer_is_armed(publisher->retry))
		arm(publisher->retry, 0);
}

void vd_publisher_hurry(struct vd_publisher *publisher)
{
	publisher->hurries = true;
	offer_again(publisher);
}

static int put(struct vd_publisher *publisher, const char *output, const char *record_class,
	       const char *item_id, struct vd_done *done)
{
	struct parcel *parcel = calloc(1, sizeof *parcel);

	if (!parcel || !done->outcome.body) {
		free(parcel);
		vd_done_fini(done);
		return -ENOMEM;
	}
	parcel->publisher = publisher;
	(void)snprintf(parcel->item_id, sizeof parcel->item_id, "%s", item_id);
	(void)snprintf(parcel->output, sizeof parcel->output, "%s", output);
	(void)snprintf(parcel->record_class, sizeof parcel->record_class, "%s", record_class);
	parcel->done = *done;
	*done = (struct vd_done){ 0 };
	push(&publisher->waiting, parcel);
	if (!vd_timer_is_armed(publisher->retry))
		try_all(publisher);
	return 0;
}

int vd_publisher_put(struct vd_publisher *publisher, struct vd_done *done)
{
	return put(publisher, done->item->supersedes[0] ? "override" : "verdict", "verdict",
		   done->item->id, done);
}

int vd_publisher_put_verdict(struct vd_publisher *publisher, const char *item_id, cJSON **body)
{
	struct vd_done done = { .outcome.body = VD_TAKE(*body) };

	return put(publisher, "verdict", "verdict", item_id, &done);
}

int vd_publisher_put_record(struct vd_publisher *publisher, const char *output,
			    const char *record_class, cJSON **body)
{
	struct vd_done done = { .outcome.body = VD_TAKE(*body) };

	return put(publisher, output, record_class, "", &done);
}
