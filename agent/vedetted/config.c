/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/vedetted/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/schema.h"

enum { CONFIG_BYTES = 256 * 1024, KEY_BYTES = 1024 };

extern const char vd_config_schema[];
extern const size_t vd_config_schema_len;

static int load_schema(cJSON **ret_schema, struct vd_fault *fault)
{
	return vd_json_parse(vd_config_schema, vd_config_schema_len, ret_schema, fault);
}

void vd_config_explain(FILE *out)
{
	VD_CLEANUP(vd_json_free) cJSON *schema = NULL;

	if (load_schema(&schema, NULL) == 0)
		vd_schema_explain(schema, out);
}

static int check_readable(const char *file, const char *pointer, struct vd_fault *fault)
{
	if (file && access(file, R_OK) == 0)
		return 0;
	if (file)
		vd_fault_set(fault, 400, pointer, "%s: %s", file, strerror(errno));
	else
		vd_fault_set(fault, 400, pointer, "is missing for this type of authentication");
	return -EINVAL;
}

/* The key is used as text, but a file that holds something else is told of now, not at connect. */
static int read_key(struct vd_config *c, const char *file, struct vd_fault *fault)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 }, key = { 0 };
	int r = vd_file_read(file, KEY_BYTES, &text, fault);

	if (r < 0) {
		vd_fault_under(fault, "keyFile");
		vd_fault_under(fault, "authentication");
		vd_fault_under(fault, "hub");
		return r;
	}
	while (text.len && strchr(" \t\r\n", text.data[text.len - 1]))
		text.data[--text.len] = '\0';
	if (!text.len || vd_base64_decode(text.data, text.len, &key) < 0) {
		vd_fault_set(fault, 400, "/hub/authentication/keyFile",
			     "%s does not hold a base64 key", file);
		return -EINVAL;
	}
	explicit_bzero(key.data, key.len);
	c->key = text.data;
	text = (struct vd_buf){ 0 };
	return 0;
}

static int read_authentication(struct vd_config *c, const cJSON *a, struct vd_fault *fault)
{
	const char *key_file = vd_json_string(a, "keyFile", NULL);
	int r;

	c->token_life_s = (int)vd_json_int(a, "tokenLifeS", 0);
	if (!strcmp(vd_json_string(a, "type", ""), "sas")) {
		r = check_readable(key_file, "/hub/authentication/keyFile", fault);
		return r < 0 ? r : read_key(c, key_file, fault);
	}
	c->certificate_file = vd_json_string(a, "certificateFile", NULL);
	c->private_key_file = vd_json_string(a, "privateKeyFile", NULL);
	r = check_readable(c->certificate_file, "/hub/authentication/certificateFile", fault);
	return r < 0 ? r
		     : check_readable(c->private_key_file, "/hub/authentication/privateKeyFile",
				      fault);
}

static int read_members(struct vd_config *c, struct vd_fault *fault)
{
	const cJSON *hub = vd_json_object(c->json, "hub");
	int r;

	c->device_id = vd_json_string(c->json, "deviceId", "");
	c->host = vd_json_string(hub, "host", "");
	c->port = (int)vd_json_int(hub, "port", 0);
	c->https_port = (int)vd_json_int(hub, "httpsPort", 0);
	c->trusted_ca_file = vd_json_string(hub, "trustedCaFile", NULL);
	c->keep_alive_s = (int)vd_json_int(hub, "keepAliveS", 0);
	c->connect_timeout_s = (int)vd_json_int(hub, "connectTimeoutS", 0);
	c->backoff_first_ms = (uint32_t)vd_json_int(hub, "backoffFirstMs", 0);
	c->backoff_limit_ms = (uint32_t)vd_json_int(hub, "backoffLimitMs", 0);
	c->state_folder = vd_json_string(c->json, "stateFolder", "");
	c->run_folder = vd_json_string(c->json, "runFolder", "");
	c->package_folders = vd_json_array(c->json, "packageFolders");
	c->compress_batches = vd_json_bool(c->json, "compressBatches", true);
	c->window = (int)vd_json_int(c->json, "window", 1);
	r = vd_log_level_parse(vd_json_string(c->json, "logLevel", "info"), &c->log_level);
	if (r < 0)
		return r;
	if (c->backoff_first_ms > c->backoff_limit_ms) {
		vd_fault_set(fault, 400, "/hub/backoffFirstMs", "%u is above backoffLimitMs, %u",
			     c->backoff_first_ms, c->backoff_limit_ms);
		return -EINVAL;
	}
	r = check_readable(c->trusted_ca_file, "/hub/trustedCaFile", fault);
	return r < 0 ? r : read_authentication(c, vd_json_object(hub, "authentication"), fault);
}

int vd_config_read(struct vd_config *config, const char *path, struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *schema = NULL;
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };
	int r;

	*config = (struct vd_config){ 0 };
	r = vd_file_read(path, CONFIG_BYTES, &text, fault);
	if (r < 0)
		return r;
	r = vd_json_parse_commented(text.data ? text.data : "", text.len, &config->json, fault);
	if (r == 0)
		r = load_schema(&schema, fault);
	if (r == 0)
		r = vd_schema_check(schema, config->json, fault);
	if (r == 0)
		r = vd_schema_fill(schema, config->json);
	if (r == 0)
		r = read_members(config, fault);
	if (r < 0)
		vd_fault_prefix(fault, "%s", path);
	return r;
}

void vd_config_fini(struct vd_config *config)
{
	if (config->key)
		explicit_bzero(config->key, strlen(config->key));
	free(config->key);
	config->json = vd_json_free(config->json);
	*config = (struct vd_config){ 0 };
}
