/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/hub/files/image_files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PORTION = 256 * 1024 };

struct vd_image_job {
	char staging[PATH_MAX], joined[PATH_MAX];
	struct vd_buf parts;
	size_t next; /* in parts */
	char *upload;
	int in, out;
	struct vd_sha256_state *digest;
	int64_t bytes;
	struct vd_source *turn;
	vd_image_job_fn done;
	void *argument;
	char *buffer;
};

static int write_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

static int open_next(struct vd_image_job *job)
{
	const char *part = job->parts.data + job->next;
	char path[PATH_MAX];
	int len = snprintf(path, sizeof path, "%s/%s/%s", job->staging, job->upload, part);

	if (len < 0 || (size_t)len >= sizeof path)
		return -ENAMETOOLONG;
	job->next += strlen(part) + 1;
	job->in = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	return job->in < 0 ? -errno : 0;
}

/* One portion. 1: there is more. */
static int copy_portion(struct vd_image_job *job)
{
	ssize_t n;
	int r;

	if (job->in < 0) {
		if (job->next == job->parts.len)
			return 0;
		r = open_next(job);
		if (r < 0)
			return r;
	}
	n = read(job->in, job->buffer, PORTION);
	if (n < 0)
		return errno == EINTR ? 1 : -errno;
	if (n == 0) {
		(void)close(job->in);
		job->in = -1;
		return 1;
	}
	job->bytes += n;
	r = vd_sha256_add(job->digest, job->buffer, (size_t)n);
	if (r == 0)
		r = write_all(job->out, job->buffer, (size_t)n);
	/* Begun now, so that the sync at the end is short. */
	if (r == 0)
		(void)sync_file_range(job->out, job->bytes - n, n, SYNC_FILE_RANGE_WRITE);
	return r < 0 ? r : 1;
}

static int finish(struct vd_image_job *job, char digest[static VD_SHA256_TEXT])
{
	char ready[PATH_MAX + VD_SHA256_TEXT + 8];
	int r = vd_sha256_end(&job->digest, digest);

	if (r == 0 && fsync(job->out) < 0)
		r = -errno;
	(void)snprintf(ready, sizeof ready, "%s/%s.ready", job->staging, digest);
	return r == 0 && rename(job->joined, ready) < 0 ? -errno : r;
}

static void on_turn(void *argument)
{
	struct vd_image_job *job = argument;
	char digest[VD_SHA256_TEXT] = "";
	int r = copy_portion(job);

	if (r > 0)
		r = vd_timer_arm(job->turn, 0) == 0 ? 1 : -ENOMEM;
	if (r > 0)
		return;
	if (r == 0)
		r = finish(job, digest);
	job->done(r, digest, job->bytes, job->argument);
	(void)vd_image_job_free(job);
}

static int open_job(struct vd_image_job *job, const char *folder)
{
	int len = snprintf(job->staging, sizeof job->staging, "%s/staging", folder);

	if (len < 0 || (size_t)len >= sizeof job->staging)
		return -ENAMETOOLONG;
	len = snprintf(job->joined, sizeof job->joined, "%s/%s.joined", job->staging, job->upload);
	if (len < 0 || (size_t)len >= sizeof job->joined)
		return -ENAMETOOLONG;
	job->out = open(job->joined, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (job->out < 0)
		return -errno;
	return vd_sha256_begin(&job->digest);
}

int vd_image_job_new(struct vd_loop *loop, const char *folder, const char *upload,
		     struct vd_buf *parts, vd_image_job_fn done, void *argument,
		     struct vd_image_job **ret_job)
{
	struct vd_image_job *job = calloc(1, sizeof *job);
	int r;

	if (!job)
		return -ENOMEM;
	job->in = job->out = -1;
	job->done = done;
	job->argument = argument;
	job->upload = strdup(upload);
	job->buffer = malloc(PORTION);
	r = job->upload && job->buffer ? open_job(job, folder) : -ENOMEM;
	if (r == 0)
		r = vd_loop_timer(loop, on_turn, job, &job->turn);
	if (r == 0)
		r = vd_timer_arm(job->turn, 0);
	if (r < 0) {
		(void)vd_image_job_free(job);
		return r;
	}
	job->parts = *parts;
	*parts = (struct vd_buf){ 0 };
	*ret_job = job;
	return 0;
}

struct vd_image_job *vd_image_job_free(struct vd_image_job *job)
{
	if (!job)
		return NULL;
	job->turn = vd_source_free(job->turn);
	(void)vd_sha256_free(job->digest);
	if (job->in >= 0)
		(void)close(job->in);
	if (job->out >= 0) {
		(void)close(job->out);
		(void)unlink(job->joined); /* unless it was renamed */
	}
	vd_buf_fini(&job->parts);
	free(job->upload);
	free(job->buffer);
	free(job);
	return NULL;
}
