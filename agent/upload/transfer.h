/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "agent/upload/offer.h"
#include "agent/upload/request.h"
#include "agent/upload/uploader.h"

/*
 * One file on its way, step by step; each step is one request.
 *
 *	ASK --> SEND --> SEND … --> JOIN --> NOTIFY --> done
 *	 ^        |                   |         a file of one block is sent whole and needs no JOIN
 *	 +--------+-------------------+         the address is no longer good
 */
struct vd_transfer {
	const struct vd_uploader_config *config;
	struct vd_uploader_file file;
	enum vd_stage stage;
	struct vd_offer offer;
	unsigned next_block, doubts;
	bool is_verified;
	int fd;
	char *block; /* of config->block_bytes */
};

void vd_transfer_begin(struct vd_transfer *transfer, const struct vd_uploader_config *config,
		       const struct vd_uploader_file *file);
void vd_transfer_end(struct vd_transfer *transfer);

/*
 * Makes the next request. ON: go on with the next step at once, *ret_done if that was all;
 * AGAIN, ANEW: later; REFUSE: it will never go, the reason is in fault as in the other two.
 * -ECANCELED, -ENOMEM.
 */
VD_MUST int vd_transfer_step(struct vd_transfer *transfer, struct vd_requester *requester,
			     uint64_t bytes_per_second, bool *ret_done, uint64_t *ret_sent,
			     struct vd_fault *fault);
