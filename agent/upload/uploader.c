/* SPDX-License-Identifier: Apache-2.0 */
/*
 *   loop's thread                 lock                        the uploader's thread
 *   give, allow, status   -- file, is_allowed, rate -->  one step after another (transfer.h)
 *   on_ended              <-- ended, refusal --          pauses after failures
 */
#include "agent/upload/uploader.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "agent/cloud/backoff.h"
#include "agent/upload/transfer.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"

enum { DEFAULT_BLOCK_BYTES = 1 << 20, PAUSE_NO_MEMORY_MS = 5000 };

struct vd_uploader {
	struct vd_uploader_config config;
	char *texts[6]; /* of config */
	struct vd_uploader_handlers handlers;
	void *argument;
	int wake_fd;
	struct vd_source *source;
	struct vd_requester *requester;
	pthread_t thread;
	bool has_thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	/* Under the lock. */
	struct vd_uploader_file file;
	bool has_file, is_ended, is_allowed, is_stopping;
	struct vd_fault refusal; /* of what ended; code 0: none */
	uint64_t bytes_per_second;
	struct vd_uploader_status status;
	/* The thread's own. */
	struct vd_backoff backoff;
};

/* --- the thread --- */

static bool may_work(const struct vd_uploader *u)
{
	return u->has_file && !u->is_ended && u->is_allowed;
}

/* Waits until a step may be made. False: the end. */
static bool wait_for_turn(struct vd_uploader *u, uint64_t *ret_bytes_per_second)
{
	bool is_stopping;

	(void)pthread_mutex_lock(&u->lock);
	while (!u->is_stopping && !may_work(u))
		(void)pthread_cond_wait(&u->wake, &u->lock);
	*ret_bytes_per_second = u->bytes_per_second;
	is_stopping = u->is_stopping;
	(void)pthread_mutex_unlock(&u->lock);
	return !is_stopping;
}

static void pause_ms(struct vd_uploader *u, uint32_t delay_ms)
{
	struct timespec t;
	int r = 0;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += delay_ms / 1000;
	t.tv_nsec += (long)(delay_ms % 1000) * 1000000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_nsec -= 1000000000;
		t.tv_sec++;
	}
	(void)pthread_mutex_lock(&u->lock);
	while (!u->is_stopping && r != ETIMEDOUT)
		r = pthread_cond_timedwait(&u->wake, &u->lock, &t);
	(void)pthread_mutex_unlock(&u->lock);
}

static void note_failure(struct vd_uploader *u, const struct vd_fault *fault)
{
	(void)pthread_mutex_lock(&u->lock);
	u->status.failures++;
	(void)snprintf(u->status.last_error, sizeof u->status.last_error, "%s", fault->text);
	(void)pthread_mutex_unlock(&u->lock);
}

static void back_off(struct vd_uploader *u, const struct vd_transfer *t,
		     const struct vd_fault *fault)
{
	uint32_t random, delay_ms;

	vd_random(&random, sizeof random);
	delay_ms = vd_backoff_next(&u->backoff, random);
	note_failure(u, fault);
	vd_log(VD_INFO, "upload.failed", "blob=%s block=%u retryMs=%u reason=\"%s\"", t->file.blob,
	       t->next_block, delay_ms, fault->text);
	pause_ms(u, delay_ms);
}

static void end_file(struct vd_uploader *u, const struct vd_fault *refusal)
{
	uint64_t one = 1;

	(void)pthread_mutex_lock(&u->lock);
	u->is_ended = true;
	u->refusal = *refusal;
	(void)!write(u->wake_fd, &one, sizeof one);
	(void)pthread_mutex_unlock(&u->lock);
}

/* Makes a step. True: the file is done with, one way or the other. */
static bool work(struct vd_uploader *u, struct vd_transfer *t, uint64_t bytes_per_second)
{
	struct vd_fault fault = { 0 };
	bool is_done = false;
	uint64_t sent = 0;
	int r = vd_transfer_step(t, u->requester, bytes_per_second, &is_done, &sent, &fault);

	(void)pthread_mutex_lock(&u->lock);
	u->status.sent_bytes += sent;
	(void)pthread_mutex_unlock(&u->lock);
	if (r == -ENOMEM)
		pause_ms(u, PAUSE_NO_MEMORY_MS);
	if (r == VD_COURSE_AGAIN || r == VD_COURSE_ANEW)
		back_off(u, t, &fault);
	if (r == VD_COURSE_REFUSE)
		note_failure(u, &fault);
	if (r == VD_COURSE_ON && (sent || is_done))
		vd_backoff_reset(&u->backoff);
	if (!is_done && r != VD_COURSE_REFUSE)
		return false;
	if (is_done)
		fault = (struct vd_fault){ 0 };
	end_file(u, &fault);
	return true;
}

static void *run(void *argument)
{
	struct vd_uploader *u = argument;
	struct vd_transfer transfer = { .fd = -1 };
	bool has_transfer = false;
	uint64_t bytes_per_second;

	(void)pthread_setname_np(pthread_self(), "vd-upload");
	while (wait_for_turn(u, &bytes_per_second)) {
		if (!has_transfer) {
			(void)pthread_mutex_lock(&u->lock);
			vd_transfer_begin(&transfer, &u->config, &u->file);
			(void)pthread_mutex_unlock(&u->lock);
			has_transfer = true;
		}
		if (work(u, &transfer, bytes_per_second)) {
			vd_transfer_end(&transfer);
			has_transfer = false;
		}
	}
	vd_transfer_end(&transfer);
	return NULL;
}

/* --- the loop's side --- */

static void on_wake(int fd, int ready, void *argument)
{
	struct vd_uploader *u = argument;
	struct vd_fault refusal = { 0 };
	bool is_ended;
	uint64_t count;
	int64_t id;

	(void)ready;
	(void)!read(fd, &count, sizeof count);
	(void)pthread_mutex_lock(&u->lock);
	is_ended = u->is_ended;
	id = u->file.id;
	refusal = u->refusal;
	if (is_ended)
		u->has_file = u->is_ended = false;
	(void)pthread_mutex_unlock(&u->lock);
	if (is_ended)
		u->handlers.on_ended(u->argument, id, refusal.code ? &refusal : NULL);
}

static int copy_config(struct vd_uploader *u, const struct vd_uploader_config *c)
{
	const char *from[] = { c->host,     c->device_id, c->key, c->certificate_file,
			       c->key_file, c->trust_file };

	for (size_t i = 0; i < VD_COUNT(from); i++)
		if (from[i] && !(u->texts[i] = strdup(from[i])))
			return -ENOMEM;
	u->config = *c;
	u->config.host = u->texts[0];
	u->config.device_id = u->texts[1];
	u->config.key = u->texts[2];
	u->config.certificate_file = u->texts[3];
	u->config.key_file = u->texts[4];
	u->config.trust_file = u->texts[5];
	u->config.port = c->port ? c->port : 443;
	u->config.token_lifetime_s = c->token_lifetime_s ? c->token_lifetime_s : 3600;
	u->config.block_bytes = c->block_bytes ? c->block_bytes : DEFAULT_BLOCK_BYTES;
	u->backoff.first_ms = c->backoff_first_ms ? c->backoff_first_ms : 500;
	u->backoff.ceiling_ms = c->backoff_ceiling_ms ? c->backoff_ceiling_ms : 60000;
	return 0;
}

static int make_parts(struct vd_uploader *u, struct vd_loop *loop)
{
	const struct vd_requester_config config = {
		.trust_file = u->config.trust_file,
		.certificate_file = u->config.certificate_file,
		.key_file = u->config.key_file,
	};
	pthread_condattr_t attributes;
	int r;

	(void)pthread_condattr_init(&attributes);
	(void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&u->wake, &attributes);
	(void)pthread_condattr_destroy(&attributes);
	u->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (u->wake_fd < 0)
		return -errno;
	r = vd_requester_new(&config, &u->requester);
	if (r == 0)
		r = vd_loop_fd(loop, u->wake_fd, VD_READABLE, on_wake, u, &u->source);
	if (r == 0)
		r = -pthread_create(&u->thread, NULL, run, u);
	u->has_thread = r == 0;
	return r;
}

int vd_uploader_new(struct vd_loop *loop, const struct vd_uploader_config *config,
		    const struct vd_uploader_handlers *handlers, void *argument,
		    struct vd_uploader **ret_uploader, struct vd_fault *fault)
{
	VD_CLEANUP(vd_uploader_free) struct vd_uploader *u = calloc(1, sizeof *u);
	int r;

	if (!u)
		return -ENOMEM;
	(void)pthread_mutex_init(&u->lock, NULL);
	u->wake_fd = -1;
	u->handlers = *handlers;
	u->argument = argument;
	r = copy_config(u, config);
	if (r == 0)
		r = make_parts(u, loop);
	if (r < 0) {
		vd_fault_set(fault, 500, "", "uploads: %s", strerrordesc_np(-r));
		return r;
	}
	*ret_uploader = VD_TAKE(u);
	return 0;
}

struct vd_uploader *vd_uploader_free(struct vd_uploader *u)
{
	if (!u)
		return NULL;
	(void)pthread_mutex_lock(&u->lock);
	u->is_stopping = true;
	(void)pthread_cond_signal(&u->wake);
	(void)pthread_mutex_unlock(&u->lock);
	if (u->requester)
		vd_requester_cancel(u->requester);
	if (u->has_thread)
		(void)pthread_join(u->thread, NULL);
	u->source = vd_source_free(u->source);
	u->requester = vd_requester_free(u->requester);
	vd_close(&u->wake_fd);
	(void)pthread_cond_destroy(&u->wake);
	(void)pthread_mutex_destroy(&u->lock);
	if (u->texts[2])
		explicit_bzero(u->texts[2], strlen(u->texts[2]));
	for (size_t i = 0; i < VD_COUNT(u->texts); i++)
		free(u->texts[i]);
	free(u);
	return NULL;
}

int vd_uploader_give(struct vd_uploader *u, const struct vd_uploader_file *file)
{
	int r = -EBUSY;

	(void)pthread_mutex_lock(&u->lock);
	if (!u->has_file) {
		u->file = *file;
		u->has_file = true;
		(void)pthread_cond_signal(&u->wake);
		r = 0;
	}
	(void)pthread_mutex_unlock(&u->lock);
	return r;
}

void vd_uploader_allow(struct vd_uploader *u, bool is_allowed, uint64_t bytes_per_second)
{
	bool could_work;

	(void)pthread_mutex_lock(&u->lock);
	could_work = may_work(u);
	u->is_allowed = is_allowed;
	u->bytes_per_second = bytes_per_second;
	if (!could_work && may_work(u))
		(void)pthread_cond_signal(&u->wake);
	(void)pthread_mutex_unlock(&u->lock);
}

void vd_uploader_status(struct vd_uploader *u, struct vd_uploader_status *ret_status)
{
	(void)pthread_mutex_lock(&u->lock);
	*ret_status = u->status;
	ret_status->is_busy = u->has_file;
	(void)pthread_mutex_unlock(&u->lock);
}
