/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <openssl/x509.h>

#include "base/fault.h"
#include "twin/broker/auth.h"

/* Client certificates, on OpenSSL. */

/* The CA certificates of a PEM file; 500 in fault, -EINVAL or -ENOMEM. Free with X509_STORE_free. */
VD_MUST int vd_certificate_store_new(const char *ca_file, X509_STORE **ret_store,
				     struct vd_fault *fault);

/* store NULL: nothing is chained. -EINVAL: it cannot be read whole. */
VD_MUST int vd_certificate_read(X509 *x509, X509_STORE *store,
				struct vd_certificate *ret_certificate);
