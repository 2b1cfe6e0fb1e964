/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/vedette-enrol/identity.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/file.h"

enum { FILE_BYTES = 65536 };

struct vd_key {
	EVP_PKEY *pkey;
};

static BIO *bio_free(BIO *bio)
{
	BIO_free_all(bio);
	return NULL;
}
VD_DEFINE_CLEANUP(BIO, bio_free)

static X509 *x509_free(X509 *x509)
{
	X509_free(x509);
	return NULL;
}
VD_DEFINE_CLEANUP(X509, x509_free)

static X509_REQ *request_free(X509_REQ *request)
{
	X509_REQ_free(request);
	return NULL;
}
VD_DEFINE_CLEANUP(X509_REQ, request_free)

static void wipe_p(struct vd_buf *secret)
{
	if (secret->data)
		explicit_bzero(secret->data, secret->len);
	vd_buf_fini(secret);
}

static int no_passphrase(char *text, int size, int is_writing, void *argument)
{
	return -1;
}

struct vd_key *vd_key_free(struct vd_key *key)
{
	if (key) {
		EVP_PKEY_free(key->pkey);
		free(key);
	}
	return NULL;
}

static int take(BIO *bio, struct vd_buf *out)
{
	char *data = NULL;
	long len = BIO_get_mem_data(bio, &data);

	return len > 0 ? vd_buf_append(out, data, (size_t)len) : -ENOMEM;
}

static int key_pem(const struct vd_key *key, struct vd_buf *out)
{
	VD_CLEANUP(bio_free) BIO *bio = BIO_new(BIO_s_secmem());

	if (!bio || PEM_write_bio_PrivateKey(bio, key->pkey, NULL, NULL, 0, NULL, NULL) != 1)
		return -ENOMEM;
	return take(bio, out);
}

static int make_key(const char *path, struct vd_key *key, struct vd_fault *fault)
{
	VD_CLEANUP(wipe) struct vd_buf pem = { 0 };
	int r;

	key->pkey = EVP_EC_gen("P-256");
	r = key->pkey ? key_pem(key, &pem) : -ENOMEM;
	if (r == 0)
		r = vd_file_write(path, pem.data, pem.len, 0600);
	if (r < 0)
		vd_fault_set(fault, 500, "", "%s: %s", path, strerror(-r));
	return r;
}

static int read_key(const char *path, struct vd_key *key, struct vd_fault *fault)
{
	VD_CLEANUP(wipe) struct vd_buf pem = { 0 };
	VD_CLEANUP(bio_free) BIO *bio = NULL;
	struct stat file;
	int r = vd_file_read(path, FILE_BYTES, &pem, fault);

	if (r < 0)
		return r;
	if (stat(path, &file) < 0 || file.st_mode & 077) {
		vd_fault_set(fault, 500, "", "%s: others may read this key; remove it", path);
		return -EACCES;
	}
	bio = BIO_new_mem_buf(pem.data, (int)pem.len);
	key->pkey = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;
	if (!key->pkey) {
		vd_fault_set(fault, 500, "", "%s: no private key in it; remove it", path);
		return -EINVAL;
	}
	return 0;
}

int vd_key_keep(const char *path, struct vd_key **ret_key, struct vd_fault *fault)
{
	VD_CLEANUP(vd_key_free) struct vd_key *key = calloc(1, sizeof *key);
	struct stat file;
	int r;

	if (!key)
		return -ENOMEM;
	r = stat(path, &file) == 0 ? read_key(path, key, fault) : make_key(path, key, fault);
	if (r == 0)
		*ret_key = VD_TAKE(key);
	return r;
}

int vd_key_request(const struct vd_key *key, const char *common_name, struct vd_buf *out,
		   struct vd_fault *fault)
{
	VD_CLEANUP(request_free) X509_REQ *request = X509_REQ_new();
	VD_CLEANUP(bio_free) BIO *bio = BIO_new(BIO_s_mem());

	if (!request || !bio)
		return -ENOMEM;
	if (X509_NAME_add_entry_by_NID(X509_REQ_get_subject_name(request), NID_commonName,
				       MBSTRING_UTF8, (const unsigned char *)common_name, -1, -1,
				       0) != 1) {
		vd_fault_set(fault, 400, "", "\"%s\" is no name of 1 to 64 characters",
			     common_name);
		return -EINVAL;
	}
	if (X509_REQ_set_version(request, X509_REQ_VERSION_1) != 1 ||
	    X509_REQ_set_pubkey(request, key->pkey) != 1 ||
	    X509_REQ_sign(request, key->pkey, EVP_sha256()) <= 0 ||
	    PEM_write_bio_X509_REQ(bio, request) != 1)
		return -ENOMEM;
	return take(bio, out);
}

/* --- the certificate --- */

static int64_t time_ms(const ASN1_TIME *time)
{
	struct tm broken = { 0 };

	return ASN1_TIME_to_tm(time, &broken) == 1 ? (int64_t)timegm(&broken) * 1000 : 0;
}

static X509 *parse_certificate(const char *pem, size_t len)
{
	VD_CLEANUP(bio_free) BIO *bio = BIO_new_mem_buf(pem, (int)len);

	return bio ? PEM_read_bio_X509(bio, NULL, no_passphrase, NULL) : NULL;
}

static bool has_name(const X509 *x509, const char *name)
{
	char found[65] = "";

	return X509_NAME_get_text_by_NID(X509_get_subject_name(x509), NID_commonName, found,
					 sizeof found) > 0 &&
	       strcmp(found, name) == 0;
}

int vd_identity_write(const char *path, const char *certificate, const struct vd_key *key,
		      const char *common_name, struct vd_fault *fault)
{
	VD_CLEANUP(x509_free) X509 *x509 = parse_certificate(certificate, strlen(certificate));
	VD_CLEANUP(wipe) struct vd_buf both = { 0 };
	int r;

	if (!x509 || !has_name(x509, common_name) || X509_check_private_key(x509, key->pkey) != 1) {
		vd_fault_set(fault, 502, "", "the hub's answer is no certificate for our key");
		return -EBADMSG;
	}
	r = vd_buf_append(&both, certificate, strlen(certificate));
	if (r == 0)
		r = key_pem(key, &both);
	if (r == 0)
		r = vd_file_write(path, both.data, both.len, 0600);
	if (r < 0)
		vd_fault_set(fault, 500, "", "%s: %s", path, strerror(-r));
	return r;
}

int vd_identity_read(const char *path, struct vd_identity_dates *ret_dates, struct vd_fault *fault)
{
	VD_CLEANUP(wipe) struct vd_buf pem = { 0 };
	VD_CLEANUP(x509_free) X509 *x509 = NULL;
	struct vd_identity_dates dates = { 0 };
	int r = vd_file_read(path, FILE_BYTES, &pem, fault);

	if (r < 0)
		return r;
	x509 = parse_certificate(pem.data ? pem.data : "", pem.len);
	if (!x509 || X509_NAME_get_text_by_NID(X509_get_subject_name(x509), NID_commonName,
					       dates.common_name, sizeof dates.common_name) <= 0) {
		vd_fault_set(fault, 500, "", "%s: no certificate in it", path);
		return -EINVAL;
	}
	dates.not_before_ms = time_ms(X509_get0_notBefore(x509));
	dates.not_after_ms = time_ms(X509_get0_notAfter(x509));
	*ret_dates = dates;
	return 0;
}

bool vd_identity_is_due(const struct vd_identity_dates *dates, int64_t now_ms)
{
	int64_t life = dates->not_after_ms - dates->not_before_ms;

	return now_ms >= dates->not_before_ms + life / 3 * 2;
}
