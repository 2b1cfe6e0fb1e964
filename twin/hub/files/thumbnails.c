/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/hub/files/thumbnails.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/file.h"
#include "modules/image/jpeg.h"
#include "twin/hub/api/api.h"
#include "twin/hub/http.h"
#include "twin/hub/files/image_files.h"

enum { WAITING_MAX = 64, FILE_BYTES = 64 << 20, QUALITY = 80 };
static const int widths[] = { 160, 320, 640 };

struct wish {
	TAILQ_ENTRY(wish) link;
	char digest[VD_SHA256_TEXT];
	int width;
	struct vd_exchange *exchange; /* NULL: the client is gone */
	struct vd_thumbnails *thumbnails;
	int result;
};
TAILQ_HEAD(wishes, wish);

struct vd_thumbnails {
	const char *folder;
	int wake_fd;
	struct vd_source *source;
	pthread_t thread;
	bool has_thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	/* Under the lock. A wish that is being worked on is in none of them. */
	struct wishes waiting, done;
	bool is_stopping;
	/* The loop's. */
	int count;
};

int vd_thumbnail_width(int64_t wanted)
{
	for (size_t i = 0; i < VD_COUNT(widths); i++)
		if (wanted <= widths[i])
			return widths[i];
	return widths[VD_COUNT(widths) - 1];
}

/* --- files --- */

enum { NAME_BYTES = VD_SHA256_TEXT + 16 };

/* "t/ab12…-320" */
static void name_of(const char *digest, int width, char name[static NAME_BYTES])
{
	(void)snprintf(name, NAME_BYTES, "t/%.64s-%d", digest, width);
}

static int path_of(const char *folder, const char *name, char path[static PATH_MAX])
{
	int len = snprintf(path, PATH_MAX, "%s/%s", folder, name);

	return len < 0 || len >= PATH_MAX ? -ENAMETOOLONG : 0;
}

void vd_thumbnails_remove(const char *folder, const char *digest)
{
	char name[NAME_BYTES], path[PATH_MAX];

	for (size_t i = 0; i < VD_COUNT(widths); i++) {
		name_of(digest, widths[i], name);
		if (path_of(folder, name, path) == 0)
			(void)unlink(path);
	}
}

static int shrink(const char *folder, const char *digest, int width, struct vd_buf *out)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf bytes = { 0 };
	VD_CLEANUP(vd_image_fini) struct vd_image image = { 0 };
	char path[PATH_MAX], place[VD_SHA256_TEXT + 3];
	int r = path_of(folder, vd_image_files_place(digest, place), path);

	if (r == 0)
		r = vd_file_read(path, FILE_BYTES, &bytes, NULL);
	if (r == 0)
		r = vd_jpeg_decode_small(bytes.data ? bytes.data : "", bytes.len, NULL, width,
					 &image, NULL, NULL);
	return r < 0 ? r : vd_jpeg_encode(&image, QUALITY, out);
}

/* An image that was removed meanwhile leaves nothing behind. */
static int check_still_there(const char *folder, const char *digest, const char *small)
{
	char path[PATH_MAX], place[VD_SHA256_TEXT + 3];
	int r = path_of(folder, vd_image_files_place(digest, place), path);

	if (r < 0 || access(path, F_OK) == 0)
		return r;
	(void)unlink(small);
	return -ENOENT;
}

static int make(const char *folder, const char *digest, int width)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf small = { 0 };
	char name[NAME_BYTES], path[PATH_MAX], shelf[PATH_MAX];
	int r = shrink(folder, digest, width, &small);

	name_of(digest, width, name);
	if (r == 0)
		r = path_of(folder, name, path);
	if (r == 0)
		r = path_of(folder, "t", shelf);
	if (r == 0)
		r = vd_file_make_folders(shelf, 0700);
	if (r == 0)
		r = vd_file_write(path, small.data, small.len, 0600);
	return r == 0 ? check_still_there(folder, digest, path) : r;
}

/* --- the thread --- */

static void *run(void *argument)
{
	struct vd_thumbnails *t = argument;
	uint64_t one = 1;

	(void)pthread_setname_np(pthread_self(), "vd-thumbnails");
	(void)pthread_mutex_lock(&t->lock);
	while (!t->is_stopping) {
		struct wish *wish = TAILQ_FIRST(&t->waiting);

		if (!wish) {
			(void)pthread_cond_wait(&t->wake, &t->lock);
			continue;
		}
		TAILQ_REMOVE(&t->waiting, wish, link);
		(void)pthread_mutex_unlock(&t->lock);
		wish->result = make(t->folder, wish->digest, wish->width);
		(void)pthread_mutex_lock(&t->lock);
		TAILQ_INSERT_TAIL(&t->done, wish, link);
		(void)!write(t->wake_fd, &one, sizeof one);
	}
	(void)pthread_mutex_unlock(&t->lock);
	return NULL;
}

/* --- the loop's side --- */

static void fill(struct vd_reply *reply, const char *digest, int width)
{
	char name[NAME_BYTES];

	name_of(digest, width, name);
	reply->status = 200;
	(void)snprintf(reply->file, sizeof reply->file, "/.images/%s", name);
	(void)snprintf(reply->content_type, sizeof reply->content_type, "image/jpeg");
}

static int refuse(int result, struct vd_fault *fault)
{
	if (result == -EBADMSG || result == -EFBIG) {
		vd_fault_set(fault, 400, "", "there is no small copy of a file of this kind");
		return VD_REFUSED_ARGUMENT;
	}
	if (result == -ENOENT) {
		vd_fault_set(fault, 404, "", "there is no such image");
		return VD_REFUSED_NO_SUCH;
	}
	return result;
}

static void end(struct wish *wish, int result)
{
	struct vd_reply reply = { .status = 500 };
	struct vd_fault fault = { 0 };

	if (result == 0)
		fill(&reply, wish->digest, wish->width);
	else
		vd_reply_refuse(&reply, refuse(result, &fault), &fault);
	if (wish->exchange)
		vd_exchange_reply(wish->exchange, &reply);
	reply.body = vd_json_free(reply.body);
	wish->thumbnails->count--;
	free(wish);
}

static struct wish *take(struct vd_thumbnails *t, struct wishes *list)
{
	struct wish *wish;

	(void)pthread_mutex_lock(&t->lock);
	wish = TAILQ_FIRST(list);
	if (wish)
		TAILQ_REMOVE(list, wish, link);
	(void)pthread_mutex_unlock(&t->lock);
	return wish;
}

static void on_wake(int fd, int ready, void *argument)
{
	struct vd_thumbnails *t = argument;
	struct wish *wish;
	uint64_t count;

	(void)ready;
	(void)!read(fd, &count, sizeof count);
	while ((wish = take(t, &t->done)))
		end(wish, wish->result);
}

static void client_gone(void *argument)
{
	struct wish *wish = argument;
	struct vd_reply reply = { .status = 500 };

	vd_exchange_reply(wish->exchange, &reply);
	wish->exchange = NULL;
}

static int ask(struct vd_thumbnails *t, const char *digest, int width, struct vd_call *call)
{
	struct wish *wish = calloc(1, sizeof *wish);

	if (!wish)
		return -ENOMEM;
	(void)snprintf(wish->digest, sizeof wish->digest, "%s", digest);
	wish->width = width;
	wish->thumbnails = t;
	wish->exchange = call->exchange;
	if (wish->exchange)
		vd_exchange_on_closed(wish->exchange, client_gone, wish);
	t->count++;
	(void)pthread_mutex_lock(&t->lock);
	TAILQ_INSERT_TAIL(&t->waiting, wish, link);
	(void)pthread_cond_signal(&t->wake);
	(void)pthread_mutex_unlock(&t->lock);
	return VD_API_KEPT;
}

int vd_thumbnails_answer(struct vd_thumbnails *t, const char *digest, int width,
			 struct vd_call *call, struct vd_fault *fault)
{
	char name[NAME_BYTES], path[PATH_MAX];
	int r;

	name_of(digest, width, name);
	r = path_of(t->folder, name, path);
	if (r == 0 && access(path, R_OK) == 0) {
		fill(&call->reply, digest, width);
		return 0;
	}
	if (r == 0 && t->count >= WAITING_MAX) {
		vd_fault_set(fault, 503, "", "too many small copies are being made");
		return VD_REFUSED_UNAVAILABLE;
	}
	return r == 0 ? ask(t, digest, width, call) : r;
}

int vd_thumbnails_new(struct vd_loop *loop, const char *folder,
		      struct vd_thumbnails **ret_thumbnails)
{
	VD_CLEANUP(vd_thumbnails_free) struct vd_thumbnails *t = calloc(1, sizeof *t);
	int r;

	if (!t)
		return -ENOMEM;
	t->folder = folder;
	TAILQ_INIT(&t->waiting);
	TAILQ_INIT(&t->done);
	(void)pthread_mutex_init(&t->lock, NULL);
	(void)pthread_cond_init(&t->wake, NULL);
	t->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (t->wake_fd < 0)
		return -errno;
	r = vd_loop_fd(loop, t->wake_fd, VD_READABLE, on_wake, t, &t->source);
	if (r == 0)
		r = -pthread_create(&t->thread, NULL, run, t);
	t->has_thread = r == 0;
	if (r == 0)
		*ret_thumbnails = VD_TAKE(t);
	return r;
}

struct vd_thumbnails *vd_thumbnails_free(struct vd_thumbnails *t)
{
	struct wish *wish;

	if (!t)
		return NULL;
	(void)pthread_mutex_lock(&t->lock);
	t->is_stopping = true;
	(void)pthread_cond_signal(&t->wake);
	(void)pthread_mutex_unlock(&t->lock);
	if (t->has_thread)
		(void)pthread_join(t->thread, NULL);
	while ((wish = take(t, &t->done)) || (wish = take(t, &t->waiting)))
		end(wish, VD_REFUSED_UNAVAILABLE);
	t->source = vd_source_free(t->source);
	vd_close(&t->wake_fd);
	(void)pthread_cond_destroy(&t->wake);
	(void)pthread_mutex_destroy(&t->lock);
	free(t);
	return NULL;
}
