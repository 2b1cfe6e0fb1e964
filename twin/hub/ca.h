/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/fault.h"

/*
 * The hub's certificate authority: signs what devices ask for, within limits of its own, and
 * knows its certificates again. Extensions that a request asks for are passed over. What is
 * wrong with a request or certificate is -EINVAL with 400 or 401 and the text in fault.
 */
struct vd_ca;

/* PEM files; the key's must be closed to group and others. -errno with the reason in fault. */
VD_MUST int vd_ca_new(const char *certificate_file, const char *key_file, struct vd_ca **ret_ca,
		      struct vd_fault *fault);
struct vd_ca *vd_ca_free(struct vd_ca *ca);
VD_DEFINE_CLEANUP(struct vd_ca, vd_ca_free)

const char *vd_ca_pem(const struct vd_ca *ca);
int64_t vd_ca_end_ms(const struct vd_ca *ca); /* its own notAfter */

/* A request whose signature was checked: whoever made it has the key. */
enum { VD_COMMON_NAME_BYTES = 65, VD_CSR_BYTES = 8192 };
struct vd_csr;
VD_MUST int vd_csr_read(const char *pem, size_t len, struct vd_csr **ret_csr,
			struct vd_fault *fault);
struct vd_csr *vd_csr_free(struct vd_csr *csr);
VD_DEFINE_CLEANUP(struct vd_csr, vd_csr_free)
const char *vd_csr_common_name(const struct vd_csr *csr);
const char *vd_csr_public_key(const struct vd_csr *csr); /* SHA-256 of it, hexadecimal */

struct vd_issued {
	char serial[41], thumbprint[65]; /* hexadecimal, lower case */
	int64_t not_before_ms, not_after_ms;
	struct vd_buf pem;
};
void vd_issued_fini(struct vd_issued *issued);
VD_UNUSED static inline void vd_issued_fini_p(struct vd_issued *issued)
{
	vd_issued_fini(issued);
}

/* For TLS clients, common name as in the request, from now (less five minutes) for days. */
VD_MUST int vd_ca_issue(const struct vd_ca *ca, const struct vd_csr *csr, int64_t now_ms, int days,
			struct vd_issued *ret_issued, struct vd_fault *fault);

/* A certificate of this CA, for TLS clients, valid now: its name and thumbprint. */
struct vd_presented {
	char common_name[VD_COMMON_NAME_BYTES], thumbprint[65];
};
VD_MUST int vd_ca_check(const struct vd_ca *ca, const char *pem, size_t len, int64_t now_ms,
			struct vd_presented *ret_presented, struct vd_fault *fault);
