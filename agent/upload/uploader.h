/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/fault.h"
#include "base/loop.h"

/*
 * Takes files to the hub, one at a time, by Azure IoT Hub's file upload: asks the hub for an
 * address, puts the file there as a block blob, and tells the hub. It never gives up by itself:
 * what fails for a while is tried again with growing, jittered pauses, and blocks that have arrived
 * are not sent again as long as the address is good. What is refused for good is told.
 *
 * A thread of its own waits for the network. Functions and the handler belong to the loop's thread,
 * and none of them waits, but vd_uploader_free for the request under way to let go. While it has
 * no file, or may not send, nothing wakes up.
 */
struct vd_uploader;

/* Strings are copied. Either key (base64), or certificate_file and key_file (PEM). */
struct vd_uploader_config {
	const char *host;
	uint16_t port; /* 0: 443; also of an address on the same host */
	const char *device_id;
	const char *key;
	const char *certificate_file, *key_file;
	const char *trust_file;                        /* PEM, for the hub and for its storage */
	uint32_t token_lifetime_s;                     /* 0: 3600 */
	uint32_t backoff_first_ms, backoff_ceiling_ms; /* 0: 500, 60000 */
	uint32_t block_bytes;                          /* 0: 1 MiB */
};

struct vd_uploader_file {
	int64_t id;
	char path[PATH_MAX];
	char blob[192];
	char media_type[64];
	char sha256[65];
	uint64_t bytes;
};

struct vd_uploader_handlers {
	/* The hub has it, and knows (refusal NULL); or it never will, for this reason. */
	void (*on_ended)(void *argument, int64_t id, const struct vd_fault *refusal);
};

/* -ENOMEM, or another -errno of the thread; 400 in fault and -EINVAL. */
VD_MUST int vd_uploader_new(struct vd_loop *loop, const struct vd_uploader_config *config,
			    const struct vd_uploader_handlers *handlers, void *argument,
			    struct vd_uploader **ret_uploader, struct vd_fault *fault);
struct vd_uploader *vd_uploader_free(struct vd_uploader *uploader); /* returns NULL */
VD_DEFINE_CLEANUP(struct vd_uploader, vd_uploader_free)

/* The next file; -EBUSY while there is one. */
VD_MUST int vd_uploader_give(struct vd_uploader *uploader, const struct vd_uploader_file *file);

/* Whether it may begin a request (at first not), and how fast. bytes_per_second 0: no limit. */
void vd_uploader_allow(struct vd_uploader *uploader, bool is_allowed, uint64_t bytes_per_second);

struct vd_uploader_status {
	bool is_busy;         /* it has a file */
	uint64_t sent_bytes;  /* of bodies that arrived, since the start */
	uint64_t failures;    /* requests that failed, since the start */
	char last_error[256]; /* "": none so far; stays after a success */
};
void vd_uploader_status(struct vd_uploader *uploader, struct vd_uploader_status *ret_status);
