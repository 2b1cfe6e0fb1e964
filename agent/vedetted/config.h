/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdio.h>

#include "base/json.h"
#include "base/log.h"

/*
 * The agent's configuration file, vedetted.conf(5): JSON with comments, checked whole
 * against config.schema.json before anything starts.
 */
struct vd_config {
	cJSON *json; /* owns every text below */
	const char *device_id, *host, *trusted_ca_file;
	int port, https_port, keep_alive_s, connect_timeout_s, token_life_s;
	uint32_t backoff_first_ms, backoff_limit_ms;
	char *key; /* base64, NULL with X.509 */
	const char *certificate_file, *private_key_file;
	const char *state_folder, *run_folder;
	const cJSON *package_folders; /* array of texts */
	bool compress_batches;
	int window;
	enum vd_log_level log_level;
};

/*
 * Reads and checks path; files that it names must be there and be readable. The fault names
 * the file and, in pointer, the place in it. End with vd_config_fini, also after a failure.
 */
VD_MUST int vd_config_read(struct vd_config *config, const char *path, struct vd_fault *fault);
void vd_config_fini(struct vd_config *config);

void vd_config_explain(FILE *out);
