/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "agent/vedette-enrol/identity.h"
#include "base/json.h"

/*
 * What lies in the folder of a box:
 *   identity.pem     certificate and key, mode 0600
 *   identity.key.new key of a request that is not answered yet, mode 0600
 *   ca.pem           who the hub must be certified by
 *   enrolment.json   where the hub is, for renewals
 *   vedetted.conf    configuration of vedetted(8); one that exists is left alone
 */
struct vd_folder {
	char identity[4096], new_key[4096], ca[4096], enrolment[4096], config[4096];
};
/* -ENAMETOOLONG. */
VD_MUST int vd_folder_name(const char *folder, struct vd_folder *ret_folder);

/*
 * Puts the hub's answer in its place. The identity comes last: until then the old one, if there
 * is one, is in force, and the request can be repeated.
 */
VD_MUST int vd_answer_store(const struct vd_folder *folder, const cJSON *answer, const char *hub,
			    int mqtt_port, const struct vd_key *key, const char *common_name,
			    struct vd_fault *fault);
