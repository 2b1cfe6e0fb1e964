/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/hub/config.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/schema.h"
#include "twin/hub/files/packages.h"
#include "twin/hub/queries/query_index.h"

extern const char vd_hub_schema[];
extern const size_t vd_hub_schema_len;

enum { CONFIG_BYTES = 65536 };

static int read_schema(cJSON **ret_schema, struct vd_fault *fault)
{
	int r = vd_json_parse(vd_hub_schema, vd_hub_schema_len, ret_schema, fault);

	return r < 0 ? r : vd_schema_verify(*ret_schema, fault);
}

static void fill_in(struct vd_config *config, cJSON *json)
{
	config->host_name = vd_json_string(json, "hostName", "");
	config->state_folder = vd_json_string(json, "stateFolder", "");
	config->socket = vd_json_string(json, "socket", "");
	config->broker_socket = vd_json_string(json, "brokerSocket", "");
	config->spool_folder = vd_json_string(json, "spoolFolder", "");
	config->identities_file = vd_json_string(json, "identitiesFile", "");
	config->ca_file = vd_json_string(vd_json_get(json, "enrolment"), "caFile", NULL);
	config->ca_key_file = vd_json_string(vd_json_get(json, "enrolment"), "caKeyFile", NULL);
	config->certificate_days =
		(int)vd_json_int(vd_json_get(json, "enrolment"), "certificateDays", 0);
	config->image_folder = vd_json_string(json, "imageFolder", "");
	config->image_bytes = vd_json_int(json, "imageMaxBytes", 0);
	config->image_store_bytes = vd_json_int(json, "imageStoreBytes", 0);
	config->image_retention_days = (int)vd_json_int(json, "imageRetentionDays", 0);
	config->package_folder = vd_json_string(json, "packageFolder", "");
	config->package_bytes = vd_json_int(json, "packageMaxBytes", 0);
	config->package_store_bytes = vd_json_int(json, "packageStoreBytes", 0);
	config->package_days = (int)vd_json_int(json, "packageKeepDays", 0);
	config->package_keys = vd_json_array(json, "packageKeys");
	config->daily_messages = vd_json_int(json, "dailyMessages", 0);
	config->daily_bytes = vd_json_int(json, "dailyBytes", 0);
	config->audit_days = (int)vd_json_int(json, "auditRetentionDays", 0);
	config->message_ttl_s = (int)vd_json_int(json, "messageTtlS", 0);
	config->message_max_delivery_count = (int)vd_json_int(json, "messageMaxDeliveryCount", 0);
	config->retention_days = (int)vd_json_int(json, "telemetryRetentionDays", 0);
	config->has_query_index = vd_json_bool(json, "queryIndex", true);
	config->query_index_paths = vd_json_array(json, "queryIndexPaths");
	if (vd_log_level_parse(vd_json_string(json, "logLevel", "info"), &config->log_level) < 0)
		config->log_level = VD_INFO; /* the schema allows no other */
}

static int check_package_keys(const struct vd_config *config, struct vd_fault *fault)
{
	struct vd_public_key keys[VD_PACKAGE_KEYS_MAX];
	size_t count;

	return vd_packages_read_keys(config->package_keys, keys, &count, fault);
}

int vd_config_parse(const char *text, size_t len, struct vd_config *ret_config,
		    struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *schema = NULL;
	VD_CLEANUP(vd_json_free) cJSON *json = NULL;
	int r = read_schema(&schema, fault);

	if (r == 0)
		r = vd_json_parse_commented(text, len, &json, fault);
	if (r == 0)
		r = vd_schema_check(schema, json, fault);
	if (r == 0)
		r = vd_schema_fill(schema, json);
	if (r < 0)
		return r;
	*ret_config = (struct vd_config){ 0 };
	fill_in(ret_config, json);
	ret_config->json = VD_TAKE(json);
	r = vd_query_index_check(ret_config, fault);
	if (r == 0)
		r = check_package_keys(ret_config, fault);
	if (r < 0)
		vd_config_fini(ret_config);
	return r;
}

int vd_config_read(const char *path, struct vd_config *ret_config, struct vd_fault *fault)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };
	int r = vd_file_read(path, CONFIG_BYTES, &text, fault);

	if (r < 0)
		return r;
	r = vd_config_parse(text.data ? text.data : "", text.len, ret_config, fault);
	if (r < 0)
		vd_fault_prefix(fault, "%s", path);
	return r;
}

void vd_config_explain(FILE *out)
{
	VD_CLEANUP(vd_json_free) cJSON *schema = NULL;

	if (read_schema(&schema, NULL) == 0)
		vd_schema_explain(schema, out);
}

void vd_config_fini(struct vd_config *config)
{
	config->json = vd_json_free(config->json);
}
