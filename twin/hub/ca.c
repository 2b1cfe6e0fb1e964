/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/hub/ca.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "base/digest.h"
#include "base/file.h"

/* Devices' clocks may be behind the hub's. */
enum { BACKDATE_S = 300, FILE_BYTES = 65536, SERIAL_BITS = 127, RSA_MIN = 2048, RSA_MAX = 4096 };

struct vd_ca {
	X509 *certificate;
	EVP_PKEY *key;
	X509_STORE *store;
	struct vd_buf pem;
	int64_t end_ms;
};

struct vd_csr {
	X509_REQ *request;
	char common_name[VD_COMMON_NAME_BYTES];
	char public_key[VD_SHA256_TEXT];
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

/* A PEM block is no place to ask a person for a passphrase. */
static int no_passphrase(char *text, int size, int is_writing, void *argument)
{
	return -1;
}

static int refuse(struct vd_fault *fault, int code, const char *pointer, const char *text)
{
	vd_fault_set(fault, code, pointer, "%s", text);
	return -EINVAL;
}

static int64_t time_ms(const ASN1_TIME *time)
{
	struct tm broken = { 0 };

	return ASN1_TIME_to_tm(time, &broken) == 1 ? (int64_t)timegm(&broken) * 1000 : 0;
}

/* --- the authority --- */

static int check_key_file(const char *path, struct vd_fault *fault)
{
	struct stat file;

	if (stat(path, &file) < 0) {
		vd_fault_set(fault, 500, "/enrolment/caKeyFile", "%s: %s", path, strerror(errno));
		return -errno;
	}
	if (file.st_mode & 077) {
		vd_fault_set(fault, 500, "/enrolment/caKeyFile",
			     "%s: others than its owner may use it (mode %03o)", path,
			     (unsigned)file.st_mode & 0777U);
		return -EACCES;
	}
	return 0;
}

static int read_certificate(struct vd_ca *ca, const char *path, struct vd_fault *fault)
{
	VD_CLEANUP(bio_free) BIO *bio = NULL;
	int r = vd_file_read(path, FILE_BYTES, &ca->pem, fault);

	if (r < 0)
		return r;
	bio = BIO_new_mem_buf(ca->pem.data, (int)ca->pem.len);
	ca->certificate = bio ? PEM_read_bio_X509(bio, NULL, no_passphrase, NULL) : NULL;
	ca->store = X509_STORE_new();
	if (!ca->certificate || !ca->store ||
	    X509_STORE_add_cert(ca->store, ca->certificate) != 1 ||
	    X509_check_ca(ca->certificate) == 0) {
		vd_fault_set(fault, 500, "/enrolment/caFile", "%s: no CA certificate", path);
		return -EINVAL;
	}
	ca->end_ms = time_ms(X509_get0_notAfter(ca->certificate));
	return 0;
}

static int read_key(struct vd_ca *ca, const char *path, struct vd_fault *fault)
{
	VD_CLEANUP(bio_free) BIO *bio = NULL;
	int r = check_key_file(path, fault);

	if (r < 0)
		return r;
	bio = BIO_new_file(path, "re");
	ca->key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;
	if (!ca->key || X509_check_private_key(ca->certificate, ca->key) != 1) {
		vd_fault_set(fault, 500, "/enrolment/caKeyFile",
			     "%s: not the private key of the CA certificate", path);
		return -EINVAL;
	}
	return 0;
}

int vd_ca_new(const char *certificate_file, const char *key_file, struct vd_ca **ret_ca,
	      struct vd_fault *fault)
{
	VD_CLEANUP(vd_ca_free) struct vd_ca *ca = calloc(1, sizeof *ca);
	int r = ca ? read_certificate(ca, certificate_file, fault) : -ENOMEM;

	if (r == 0)
		r = read_key(ca, key_file, fault);
	if (r == 0)
		*ret_ca = VD_TAKE(ca);
	return r;
}

struct vd_ca *vd_ca_free(struct vd_ca *ca)
{
	if (ca) {
		X509_free(ca->certificate);
		EVP_PKEY_free(ca->key);
		X509_STORE_free(ca->store);
		vd_buf_fini(&ca->pem);
		free(ca);
	}
	return NULL;
}

const char *vd_ca_pem(const struct vd_ca *ca)
{
	return ca->pem.data;
}

int64_t vd_ca_end_ms(const struct vd_ca *ca)
{
	return ca->end_ms;
}

/* --- requests --- */

/* Exactly one common name, without a NUL in it; else -EINVAL. */
static int read_common_name(const X509_NAME *subject, char name[static VD_COMMON_NAME_BYTES])
{
	int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
	unsigned char *utf8 = NULL;
	int len;

	if (at < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0)
		return -EINVAL;
	len = ASN1_STRING_to_UTF8(&utf8,
				  X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
	if (len <= 0 || len >= VD_COMMON_NAME_BYTES || memchr(utf8, '\0', (size_t)len)) {
		OPENSSL_free(utf8);
		return -EINVAL;
	}
	(void)memcpy(name, utf8, (size_t)len);
	name[len] = '\0';
	OPENSSL_free(utf8);
	return 0;
}

static bool is_good_key(const EVP_PKEY *key)
{
	int bits = EVP_PKEY_get_bits(key);

	switch (EVP_PKEY_get_base_id(key)) {
	case EVP_PKEY_EC:
		return bits == 256 || bits == 384 || bits == 521;
	case EVP_PKEY_RSA:
		return bits >= RSA_MIN && bits <= RSA_MAX;
	case EVP_PKEY_ED25519:
		return true;
	default:
		return false;
	}
}

static int digest_key(X509_REQ *request, char text[static VD_SHA256_TEXT])
{
	unsigned char *der = NULL;
	int len = i2d_X509_PUBKEY(X509_REQ_get_X509_PUBKEY(request), &der);
	int r = len > 0 ? vd_sha256_text(der, (size_t)len, text) : -ENOMEM;

	OPENSSL_free(der);
	return r;
}

static int check_request(struct vd_csr *csr, struct vd_fault *fault)
{
	EVP_PKEY *key = X509_REQ_get0_pubkey(csr->request);

	if (!key || !is_good_key(key))
		return refuse(fault, 400, "/csr",
			      "its key is none of P-256, P-384, P-521, Ed25519, RSA 2048 to 4096");
	if (X509_REQ_verify(csr->request, key) != 1)
		return refuse(fault, 400, "/csr", "its signature is not of its own key");
	if (read_common_name(X509_REQ_get_subject_name(csr->request), csr->common_name) < 0)
		return refuse(fault, 400, "/csr", "needs one common name of 1 to 64 characters");
	return digest_key(csr->request, csr->public_key);
}

int vd_csr_read(const char *pem, size_t len, struct vd_csr **ret_csr, struct vd_fault *fault)
{
	VD_CLEANUP(vd_csr_free) struct vd_csr *csr = calloc(1, sizeof *csr);
	VD_CLEANUP(bio_free) BIO *bio = NULL;
	int r;

	if (len > VD_CSR_BYTES)
		return refuse(fault, 400, "/csr", "is larger than 8192 bytes");
	bio = BIO_new_mem_buf(pem, (int)len);
	if (!csr || !bio)
		return -ENOMEM;
	csr->request = PEM_read_bio_X509_REQ(bio, NULL, no_passphrase, NULL);
	if (!csr->request)
		return refuse(fault, 400, "/csr", "is no certificate request in PEM");
	r = check_request(csr, fault);
	if (r == 0)
		*ret_csr = VD_TAKE(csr);
	return r;
}

struct vd_csr *vd_csr_free(struct vd_csr *csr)
{
	if (csr) {
		X509_REQ_free(csr->request);
		free(csr);
	}
	return NULL;
}

const char *vd_csr_common_name(const struct vd_csr *csr)
{
	return csr->common_name;
}

const char *vd_csr_public_key(const struct vd_csr *csr)
{
	return csr->public_key;
}

/* --- issuing --- */

static bool add_extension(X509 *x509, X509V3_CTX *context, int nid, const char *value)
{
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, context, nid, value);
	bool is_added = extension && X509_add_ext(x509, extension, -1) == 1;

	X509_EXTENSION_free(extension);
	return is_added;
}

static bool add_extensions(X509 *x509, X509 *issuer)
{
	X509V3_CTX context;

	X509V3_set_ctx_nodb(&context);
	X509V3_set_ctx(&context, issuer, x509, NULL, NULL, 0);
	return add_extension(x509, &context, NID_basic_constraints, "critical,CA:FALSE") &&
	       add_extension(x509, &context, NID_key_usage, "critical,digitalSignature") &&
	       add_extension(x509, &context, NID_ext_key_usage, "clientAuth") &&
	       add_extension(x509, &context, NID_subject_key_identifier, "hash");
}

static bool set_serial(X509 *x509)
{
	BIGNUM *number = BN_new();
	bool is_set = number &&
		      BN_rand(number, SERIAL_BITS, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
		      BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x509));

	BN_free(number);
	return is_set;
}

static bool set_times(const struct vd_ca *ca, X509 *x509, int64_t now_ms, int days)
{
	int64_t end_ms = now_ms + (int64_t)days * 86400000;
	time_t begin = (time_t)(now_ms / 1000 - BACKDATE_S);
	time_t end = (time_t)((end_ms < ca->end_ms ? end_ms : ca->end_ms) / 1000);

	return X509_time_adj_ex(X509_getm_notBefore(x509), 0, 0, &begin) &&
	       X509_time_adj_ex(X509_getm_notAfter(x509), 0, 0, &end);
}

static bool set_subject(X509 *x509, const char *common_name)
{
	return X509_NAME_add_entry_by_NID(X509_get_subject_name(x509), NID_commonName,
					  MBSTRING_UTF8, (const unsigned char *)common_name, -1, -1,
					  0) == 1;
}

static bool sign(const struct vd_ca *ca, X509 *x509)
{
	bool is_ed = EVP_PKEY_get_base_id(ca->key) == EVP_PKEY_ED25519;

	return X509_sign(x509, ca->key, is_ed ? NULL : EVP_sha256()) > 0;
}

static X509 *make(const struct vd_ca *ca, const struct vd_csr *csr, int64_t now_ms, int days)
{
	VD_CLEANUP(x509_free) X509 *x509 = X509_new();

	if (!x509 || X509_set_version(x509, X509_VERSION_3) != 1 || !set_serial(x509) ||
	    !set_times(ca, x509, now_ms, days) || !set_subject(x509, csr->common_name) ||
	    X509_set_issuer_name(x509, X509_get_subject_name(ca->certificate)) != 1 ||
	    X509_set_pubkey(x509, X509_REQ_get0_pubkey(csr->request)) != 1 ||
	    !add_extensions(x509, ca->certificate) || !sign(ca, x509))
		return NULL;
	return VD_TAKE(x509);
}

static void to_hex(const unsigned char *bytes, size_t len, char *text)
{
	for (size_t i = 0; i < len; i++)
		(void)snprintf(text + 2 * i, 3, "%02x", bytes[i]);
}

static bool read_thumbprint(const X509 *x509, char text[static VD_SHA256_TEXT])
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	if (X509_digest(x509, EVP_sha256(), digest, &len) != 1 || len != VD_SHA256_BYTES)
		return false;
	to_hex(digest, len, text);
	return true;
}

static int write_pem(X509 *x509, struct vd_buf *out)
{
	VD_CLEANUP(bio_free) BIO *bio = BIO_new(BIO_s_mem());
	char *data = NULL;
	long len;

	if (!bio || PEM_write_bio_X509(bio, x509) != 1)
		return -ENOMEM;
	len = BIO_get_mem_data(bio, &data);
	return len > 0 ? vd_buf_append(out, data, (size_t)len) : -ENOMEM;
}

static int describe(X509 *x509, struct vd_issued *issued)
{
	const ASN1_INTEGER *serial = X509_get0_serialNumber(x509);
	size_t len = (size_t)ASN1_STRING_length(serial);

	if (2 * len >= sizeof issued->serial || !read_thumbprint(x509, issued->thumbprint))
		return -ENOMEM;
	to_hex(ASN1_STRING_get0_data(serial), len, issued->serial);
	issued->not_before_ms = time_ms(X509_get0_notBefore(x509));
	issued->not_after_ms = time_ms(X509_get0_notAfter(x509));
	return write_pem(x509, &issued->pem);
}

int vd_ca_issue(const struct vd_ca *ca, const struct vd_csr *csr, int64_t now_ms, int days,
		struct vd_issued *ret_issued, struct vd_fault *fault)
{
	VD_CLEANUP(x509_free) X509 *x509 = NULL;
	VD_CLEANUP(vd_issued_fini) struct vd_issued issued = { 0 };
	int r;

	if (now_ms >= ca->end_ms) {
		vd_fault_set(fault, 500, "", "the hub's CA certificate has expired");
		return -EKEYEXPIRED;
	}
	x509 = make(ca, csr, now_ms, days);
	r = x509 ? describe(x509, &issued) : -ENOMEM;
	if (r < 0)
		return r;
	*ret_issued = issued;
	issued.pem = (struct vd_buf){ 0 };
	return 0;
}

void vd_issued_fini(struct vd_issued *issued)
{
	vd_buf_fini(&issued->pem);
}

/* --- recognising --- */

static bool is_ours(const struct vd_ca *ca, X509 *x509, int64_t now_ms)
{
	X509_STORE_CTX *context = X509_STORE_CTX_new();
	bool is_good = context && X509_STORE_CTX_init(context, ca->store, x509, NULL) == 1 &&
		       X509_STORE_CTX_set_purpose(context, X509_PURPOSE_SSL_CLIENT) == 1;

	if (is_good) {
		X509_STORE_CTX_set_time(context, 0, (time_t)(now_ms / 1000));
		is_good = X509_verify_cert(context) == 1;
	}
	X509_STORE_CTX_free(context);
	return is_good;
}

int vd_ca_check(const struct vd_ca *ca, const char *pem, size_t len, int64_t now_ms,
		struct vd_presented *ret_presented, struct vd_fault *fault)
{
	VD_CLEANUP(bio_free) BIO *bio = len > VD_CSR_BYTES ? NULL : BIO_new_mem_buf(pem, (int)len);
	VD_CLEANUP(x509_free) X509 *x509 = NULL;
	struct vd_presented presented;

	x509 = bio ? PEM_read_bio_X509(bio, NULL, no_passphrase, NULL) : NULL;
	if (!x509)
		return refuse(fault, 401, "", "there is no client certificate");
	if (!is_ours(ca, x509, now_ms))
		return refuse(fault, 401, "", "the certificate is not of our CA, or not valid now");
	if (read_common_name(X509_get_subject_name(x509), presented.common_name) < 0 ||
	    !read_thumbprint(x509, presented.thumbprint))
		return refuse(fault, 401, "", "the certificate names no device");
	*ret_presented = presented;
	return 0;
}
