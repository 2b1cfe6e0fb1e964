/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/fault.h"
#include "twin/broker/identities.h"
#include "twin/broker/topics.h"

/*
 * May this CONNECT in? Pure: the identities, the request and the time decide.
 */
struct vd_certificate {
	char common_name[VD_TOPIC_IDENTITY]; /* "" if there is none, or several */
	char sha1[41], sha256[65];           /* of the whole certificate, lower-case hexadecimal */
	bool chained;                        /* issued by our CA, for clients, valid now */
	bool in_time;                        /* now is between its dates */
};

struct vd_connect {
	const char *client_id;
	const char *username;                     /* {host}/{client id}[/][?api-version=…] */
	const char *password;                     /* SAS token; NULL or "" with a certificate */
	const struct vd_certificate *certificate; /* NULL: none was presented */
	int64_t now_s;
};

struct vd_grant {
	char identity[VD_TOPIC_IDENTITY];
	int64_t expires_s; /* 0: as long as the connection lives */
	enum { VD_BY_KEY, VD_BY_POLICY, VD_BY_CERTIFICATE } by;
};

/*
 * hosts are the names that this hub answers to, comma-separated. 0; or -EACCES, or -ENOMEM, with 401
 * (credentials), 403 (disabled, not allowed) or 404 (unknown) and the reason in fault. The
 * reason is for the log: the device learns only that it was refused.
 */
VD_MUST int vd_auth_check(const struct vd_identities *identities, const char *hosts,
			  const struct vd_connect *connect, struct vd_grant *ret_grant,
			  struct vd_fault *fault);

/*
 * Is what was granted still so, after the identities changed? Unknown, disabled and re-keyed
 * identities must go; the check cannot see an old token's key, so any change of keys ends the connection.
 * Take a fingerprint when granting and compare later: 0 is "not allowed any more".
 */
uint64_t vd_auth_fingerprint(const struct vd_identities *identities, const char *identity);
