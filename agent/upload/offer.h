/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stddef.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/fault.h"

/*
 * The words of a file upload as Azure's IoT Hub and Blob storage speak them, without the network:
 * the address that the hub gives, what its answers mean, names and lists of blocks.
 */
enum { VD_CORRELATION_BYTES = 257, VD_ADDRESS_BYTES = 4096 };
struct vd_offer {
	char correlation_id[VD_CORRELATION_BYTES];
	char host[256];
	char address[VD_ADDRESS_BYTES]; /* behind the host, encoded, with the signature */
};

/* What POST /devices/{id}/files answered. -EINVAL and 400 in fault: not an address; -ENOMEM. */
VD_MUST int vd_offer_read(const char *text, size_t len, struct vd_offer *ret_offer,
			  struct vd_fault *fault);

enum vd_stage {
	VD_STAGE_ASK,    /* for an address */
	VD_STAGE_SEND,   /* a block, or the whole file */
	VD_STAGE_JOIN,   /* the list of blocks */
	VD_STAGE_NOTIFY, /* it is there */
};
enum vd_course {
	VD_COURSE_ON,
	VD_COURSE_AGAIN,  /* the same, later */
	VD_COURSE_ANEW,   /* from the beginning, later: the address is no longer good */
	VD_COURSE_DOUBT,  /* as ANEW; but the second time as REFUSED */
	VD_COURSE_REFUSE, /* for good */
};
/* What an HTTP status means at this stage; 0: no answer. Pure. */
enum vd_course vd_stage_judge(enum vd_stage stage, long status);

/* Every byte but unreserved ones as %XX; '/' and what is %XX already stay if is_path. */
VD_MUST int vd_offer_encode(const char *text, int is_path, struct vd_buf *out);

/* The id of the block with this number, as it stands in lists and addresses: all of one length. */
enum { VD_BLOCK_ID_BYTES = 9 };
void vd_block_id(unsigned number, char id[static VD_BLOCK_ID_BYTES]);
VD_MUST int vd_block_list(unsigned count, struct vd_buf *out);

/* "ErrorCode:Name;text", or XML's <Message>, or whatever it is, in a line. */
void vd_answer_reason(const char *text, size_t len, char *out, size_t size);
