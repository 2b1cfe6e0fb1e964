/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/fault.h"

/*
 * Azure's shared access signatures:
 *   SharedAccessSignature sr={resource}&sig={base64 HMAC-SHA256(key, sr "\n" se)}&se={unix seconds}[&skn={policy}]
 * The fields come in any order; sr is signed as it stands in the token, encoded or not.
 */
struct vd_sas {
	char resource[512];     /* sr, URL-decoded, host in lower case: "hub.example/devices/d1" */
	char policy[128];       /* skn, "" if absent */
	int64_t expires_s;      /* se */
	char signed_text[1024]; /* sr as in the token, "\n", se: what was signed */
	uint8_t signature[32];
};

/* Takes a token apart, at most 2048 bytes. 401 in fault and -EINVAL: what of it is wrong. */
VD_MUST int vd_sas_parse(const char *token, size_t len, struct vd_sas *ret_sas,
			 struct vd_fault *fault);

/*
 * Was sas signed with this base64 key, has it not expired at now_s, and does its resource
 * cover the wanted one, segment by segment ("h/devices/d1" covers "h/devices/d1/modules/m", not
 * "h/devices/d10")? The wanted host may stand with or without a port on either side.
 * 0; or 401 in fault and -EACCES. Constant time in the signature.
 */
VD_MUST int vd_sas_verify(const struct vd_sas *sas, const char *key_base64,
			  const char *wanted_resource, int64_t now_s, struct vd_fault *fault);

/* Appends a token; policy NULL: no skn. -EINVAL: key is not base64. */
VD_MUST int vd_sas_make(const char *resource, const char *key_base64, const char *policy,
			int64_t expires_s, struct vd_buf *out);
