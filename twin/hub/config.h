/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdio.h>

#include "base/fault.h"
#include "base/json.h"
#include "base/log.h"

/* The configuration file of vedette-hub; its table is config.schema.json. */
struct vd_config {
	cJSON *json; /* owns the texts below */
	const char *host_name, *state_folder, *socket, *broker_socket, *spool_folder;
	const char *identities_file;
	enum vd_log_level log_level;
	int retention_days;                /* 0: for ever */
	const char *ca_file, *ca_key_file; /* NULL: nobody enrols */
	int certificate_days;
	int message_ttl_s, message_max_delivery_count;
	const char *image_folder; /* "": images in state_folder */
	int64_t image_bytes, image_store_bytes;
	int image_retention_days;   /* 0: for ever */
	const char *package_folder; /* "": packages in state_folder */
	int64_t package_bytes, package_store_bytes;
	int package_days;
	const cJSON *package_keys;
	int64_t daily_messages, daily_bytes; /* of a device; 0: no bound */
	int audit_days;                      /* 0: for ever */
	bool has_query_index;
	const cJSON *query_index_paths; /* texts, beside tags */
};

/* -errno, with the file, the pointer and the reason in fault. */
VD_MUST int vd_config_read(const char *path, struct vd_config *ret_config, struct vd_fault *fault);
VD_MUST int vd_config_parse(const char *text, size_t len, struct vd_config *ret_config,
			    struct vd_fault *fault);
void vd_config_explain(FILE *out);
void vd_config_fini(struct vd_config *config);
VD_UNUSED static inline void vd_config_fini_p(struct vd_config *config)
{
	vd_config_fini(config);
}
