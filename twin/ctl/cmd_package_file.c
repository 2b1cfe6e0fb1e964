/* SPDX-License-Identifier: Apache-2.0 */
/* vedettectl package keygen, build and sign: no hub is asked, so that keys may live on a machine apart */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/signature.h"
#include "twin/ctl/ctl.h"
#include "twin/ctl/pack.h"
#include "twin/ctl/say.h"
#include "twin/document/manifest.h"

static const char *passphrase(void)
{
	const char *text = getenv("VEDETTE_KEY_PASSPHRASE");

	return text && text[0] ? text : NULL;
}

/* A file that is new, and durable. */
static int write_new(const char *stem, const char *suffix, mode_t mode, const struct vd_buf *text)
{
	VD_CLEANUP(vd_close) int fd = -1;
	char path[PATH_MAX];

	if (snprintf(path, sizeof path, "%s%s", stem, suffix) >= (int)sizeof path)
		return vd_say_error(VD_EXIT_USAGE, "%s: the path is too long", stem);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd < 0)
		return vd_say_error(errno == EEXIST ? VD_EXIT_CONFLICT : VD_EXIT_FAILED, "%s: %s",
				    path, strerror(errno));
	if (write(fd, text->data, text->len) != (ssize_t)text->len || fsync(fd) < 0) {
		(void)unlink(path);
		return vd_say_error(VD_EXIT_FAILED, "%s: %s", path, strerror(errno));
	}
	return VD_EXIT_OK;
}

int vd_cmd_package_keygen(struct vd_ctl *ctl)
{
	VD_CLEANUP(vd_private_key_free) struct vd_private_key *key = NULL;
	VD_CLEANUP(vd_buf_fini) struct vd_buf pem = { 0 };
	VD_CLEANUP(vd_buf_fini) struct vd_buf line = { 0 };
	VD_CLEANUP(vd_buf_fini) struct vd_buf file = { 0 };
	struct vd_public_key public;
	char id[VD_KEY_ID_TEXT];
	int r;

	if (vd_private_key_new(&key) < 0 || vd_private_key_public(key, &public) < 0 ||
	    vd_private_key_write(key, passphrase(), &pem) < 0 ||
	    vd_public_key_write(&public, &line) < 0 ||
	    vd_buf_printf(&file, "untrusted comment: Vedette package key %s\n%s\n",
			  vd_key_id_text(&public, id), line.data) < 0)
		return vd_say_error(VD_EXIT_FAILED, "no key could be made");
	r = write_new(ctl->arguments[0], ".key", 0600, &pem);
	explicit_bzero(pem.data, pem.len);
	if (r == VD_EXIT_OK)
		r = write_new(ctl->arguments[0], ".pub", 0644, &file);
	if (r != VD_EXIT_OK)
		return r;
	if (ctl->is_json)
		(void)printf("{\"keyId\":\"%s\",\"publicKey\":\"%s\"}\n", id, line.data);
	else
		(void)printf("%s\n", line.data);
	return VD_EXIT_OK;
}

int vd_cmd_package_build(struct vd_ctl *ctl)
{
	const struct vd_pack pack = { ctl->arguments[0], ctl->arch, ctl->out ? ctl->out : "." };
	VD_CLEANUP(vd_buf_fini) struct vd_buf stem = { 0 };
	struct vd_fault fault = { 0 };

	if (vd_pack_make(&pack, &stem, &fault) < 0)
		return vd_say_error(VD_EXIT_FAILED, "%s%s%s", fault.pointer,
				    fault.pointer[0] ? ": " : "",
				    fault.text[0] ? fault.text : strerror(ENOMEM));
	(void)printf("%s.json\n", stem.data);
	return VD_EXIT_OK;
}

/* Nobody else may read it: a key that leaked once signs for ever. */
static int check_mode(const char *path)
{
	struct stat file;

	if (stat(path, &file) < 0)
		return vd_say_error(VD_EXIT_FAILED, "%s: %s", path, strerror(errno));
	if (file.st_mode & 077)
		return vd_say_error(VD_EXIT_FAILED,
				    "%s: others may read this key; it wants mode 0600", path);
	return VD_EXIT_OK;
}

static int read_key(const char *path, struct vd_private_key **ret_key)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf pem = { 0 };
	struct vd_fault fault = { 0 };
	int r = check_mode(path);

	if (r != VD_EXIT_OK)
		return r;
	r = vd_file_read(path, VD_SIGNATURE_FILE_BYTES, &pem, &fault);
	if (r == 0)
		r = vd_private_key_read(pem.data ? pem.data : "", pem.len, passphrase(), ret_key,
					&fault);
	if (pem.data)
		explicit_bzero(pem.data, pem.len);
	if (r < 0)
		return vd_say_error(VD_EXIT_FAILED, "%s: %s%s", path, fault.text,
				    r == -EACCES ? " (VEDETTE_KEY_PASSPHRASE)" : "");
	return VD_EXIT_OK;
}

static int sign(const char *path, const struct vd_private_key *key)
{
	VD_CLEANUP(vd_manifest_fini) struct vd_manifest manifest = { 0 };
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };
	VD_CLEANUP(vd_buf_fini) struct vd_buf signature = { 0 };
	char out[PATH_MAX], comment[256];
	struct vd_fault fault = { 0 };
	int r = vd_file_read(path, VD_MANIFEST_BYTES, &text, &fault);

	if (r == 0)
		r = vd_manifest_parse(text.data ? text.data : "", text.len, &manifest, &fault);
	if (r < 0)
		return vd_say_error(VD_EXIT_FAILED, "%s: %s%s%s", path, fault.pointer,
				    fault.pointer[0] ? ": " : "", fault.text);
	(void)snprintf(comment, sizeof comment, "%s %s %s", manifest.name, manifest.version,
		       manifest.arch);
	if (vd_signature_make(key, comment, text.data, text.len, &signature) < 0 ||
	    snprintf(out, sizeof out, "%s.sig", path) >= (int)sizeof out)
		return vd_say_error(VD_EXIT_FAILED, "%s: it cannot be signed", path);
	r = vd_file_write(out, signature.data, signature.len, 0644);
	if (r < 0)
		return vd_say_error(VD_EXIT_FAILED, "%s: %s", out, strerror(-r));
	(void)printf("%s\n", out);
	return VD_EXIT_OK;
}

int vd_cmd_package_sign(struct vd_ctl *ctl)
{
	VD_CLEANUP(vd_private_key_free) struct vd_private_key *key = NULL;
	int r;

	if (!ctl->key)
		return vd_say_error(VD_EXIT_USAGE, "give the private key with --key FILE");
	r = read_key(ctl->key, &key);
	return r == VD_EXIT_OK ? sign(ctl->arguments[0], key) : r;
}
