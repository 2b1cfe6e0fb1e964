/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The chain is checked here and not left to the TLS handshake: selfSigned identities come with
 * certificates that no CA vouches for, on the same port. The handshake still proves that the
 * client has the certificate's key.
 */
#include "twin/broker/certificate.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

int vd_certificate_store_new(const char *ca_file, X509_STORE **ret_store, struct vd_fault *fault)
{
	X509_STORE *store = X509_STORE_new();

	if (!store)
		return -ENOMEM;
	if (X509_STORE_load_file(store, ca_file) != 1) {
		vd_fault_set(fault, 500, "", "%s: no CA certificates in it", ca_file);
		X509_STORE_free(store);
		return -EINVAL;
	}
	*ret_store = store;
	return 0;
}

static int read_digest(const X509 *x509, const EVP_MD *type, char *text, size_t size)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	if (X509_digest(x509, type, digest, &len) != 1 || 2 * (size_t)len + 1 != size)
		return -EINVAL;
	for (unsigned i = 0; i < len; i++)
		(void)snprintf(text + 2 * (size_t)i, 3, "%02x", digest[i]);
	return 0;
}

/* Exactly one common name, without a NUL in it; else "". */
static void read_common_name(const X509 *x509, char name[static VD_TOPIC_IDENTITY])
{
	const X509_NAME *subject = X509_get_subject_name(x509);
	int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
	const ASN1_STRING *text;
	unsigned char *utf8 = NULL;
	int len;

	name[0] = '\0';
	if (at < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0)
		return;
	text = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
	len = ASN1_STRING_to_UTF8(&utf8, text);
	if (len > 0 && len < VD_TOPIC_IDENTITY && !memchr(utf8, '\0', (size_t)len)) {
		memcpy(name, utf8, (size_t)len);
		name[len] = '\0';
	}
	OPENSSL_free(utf8);
}

static bool is_chained(X509 *x509, X509_STORE *store)
{
	X509_STORE_CTX *context = store ? X509_STORE_CTX_new() : NULL;
	bool good = context && X509_STORE_CTX_init(context, store, x509, NULL) == 1 &&
		    X509_STORE_CTX_set_purpose(context, X509_PURPOSE_SSL_CLIENT) == 1 &&
		    X509_verify_cert(context) == 1;

	X509_STORE_CTX_free(context);
	return good;
}

int vd_certificate_read(X509 *x509, X509_STORE *store, struct vd_certificate *ret_certificate)
{
	struct vd_certificate certificate = { 0 };

	if (read_digest(x509, EVP_sha1(), certificate.sha1, sizeof certificate.sha1) < 0 ||
	    read_digest(x509, EVP_sha256(), certificate.sha256, sizeof certificate.sha256) < 0)
		return -EINVAL;
	read_common_name(x509, certificate.common_name);
	certificate.in_time = X509_cmp_current_time(X509_get0_notBefore(x509)) < 0 &&
			      X509_cmp_current_time(X509_get0_notAfter(x509)) > 0;
	certificate.chained = is_chained(x509, store);
	*ret_certificate = certificate;
	return 0;
}
