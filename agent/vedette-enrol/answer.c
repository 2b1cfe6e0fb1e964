/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/vedette-enrol/answer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

static int name_file(const char *folder, const char *name, char out[static 4096])
{
	int len = snprintf(out, 4096, "%s/%s", folder, name);

	return len < 0 || len >= 4000 ? -ENAMETOOLONG : 0; /* room for what vd_file_write adds */
}

int vd_folder_name(const char *folder, struct vd_folder *ret_folder)
{
	if (name_file(folder, "identity.pem", ret_folder->identity) < 0 ||
	    name_file(folder, "identity.key.new", ret_folder->new_key) < 0 ||
	    name_file(folder, "ca.pem", ret_folder->ca) < 0 ||
	    name_file(folder, "enrolment.json", ret_folder->enrolment) < 0 ||
	    name_file(folder, "vedetted.conf", ret_folder->config) < 0)
		return -ENAMETOOLONG;
	return 0;
}

static int write_text(const char *path, const char *text, struct vd_fault *fault)
{
	int r = vd_file_write(path, text, strlen(text), 0644);

	if (r < 0)
		vd_fault_set(fault, 500, "", "%s: %s", path, strerror(-r));
	return r;
}

static int write_json(const char *path, const cJSON *json, struct vd_fault *fault)
{
	VD_CLEANUP(vd_free) char *text = vd_json_text(json);

	return text ? write_text(path, text, fault) : -ENOMEM;
}

static bool add_authentication(cJSON *hub, const char *identity)
{
	cJSON *authentication = cJSON_AddObjectToObject(hub, "authentication");

	return authentication && vd_json_add_string(authentication, "type", "x509") &&
	       vd_json_add_string(authentication, "certificateFile", identity) &&
	       vd_json_add_string(authentication, "privateKeyFile", identity);
}

/* Of HOST[:PORT]; 0: none is there. */
static int port_of(const char *hub)
{
	const char *colon = strrchr(hub, ':');

	return colon && !strchr(colon, ']') ? (int)strtol(colon + 1, NULL, 10) : 0;
}

static int write_config(const struct vd_folder *folder, const cJSON *answer, const char *address,
			int mqtt_port, struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *config = cJSON_CreateObject();
	struct stat file;
	cJSON *hub;

	if (stat(folder->config, &file) == 0)
		return 0;
	if (!config ||
	    !vd_json_add_string(config, "deviceId", vd_json_string(answer, "deviceId", "")))
		return -ENOMEM;
	hub = cJSON_AddObjectToObject(config, "hub");
	if (!hub || !vd_json_add_string(hub, "host", vd_json_string(answer, "hostName", "")) ||
	    !vd_json_add_number(hub, "port", mqtt_port) ||
	    (port_of(address) > 0 && !vd_json_add_number(hub, "httpsPort", port_of(address))) ||
	    !vd_json_add_string(hub, "trustedCaFile", folder->ca) ||
	    !add_authentication(hub, folder->identity))
		return -ENOMEM;
	return write_json(folder->config, config, fault);
}

static int write_enrolment(const struct vd_folder *folder, const cJSON *answer, const char *hub,
			   struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *json = cJSON_CreateObject();

	if (!json || !vd_json_add_string(json, "hub", hub) ||
	    !vd_json_add_string(json, "serial", vd_json_string(answer, "serial", "")) ||
	    !vd_json_add_string(json, "notAfter", vd_json_string(answer, "notAfter", "")))
		return -ENOMEM;
	return write_json(folder->enrolment, json, fault);
}

int vd_answer_store(const struct vd_folder *folder, const cJSON *answer, const char *hub,
		    int mqtt_port, const struct vd_key *key, const char *common_name,
		    struct vd_fault *fault)
{
	const char *ca = vd_json_string(answer, "ca", "");
	int r;

	if (!strstr(ca, "-----BEGIN CERTIFICATE-----") ||
	    strcmp(vd_json_string(answer, "deviceId", ""), common_name) != 0) {
		vd_fault_set(fault, 502, "",
			     "the hub's answer lacks its CA, or is for another box");
		return -EBADMSG;
	}
	r = write_text(folder->ca, ca, fault);
	if (r == 0)
		r = write_enrolment(folder, answer, hub, fault);
	if (r == 0)
		r = write_config(folder, answer, hub, mqtt_port, fault);
	if (r == 0)
		r = vd_identity_write(folder->identity, vd_json_string(answer, "certificate", ""),
				      key, common_name, fault);
	if (r == 0 && unlink(folder->new_key) < 0 && errno != ENOENT) {
		r = -errno;
		vd_fault_set(fault, 500, "", "%s: %s", folder->new_key, strerror(errno));
	}
	return r;
}
