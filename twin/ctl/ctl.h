/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>

#include "twin/ctl/connection.h"

/* What every command of vedettectl(1) is given, and the exit codes that it promises. */
enum vd_exit {
	VD_EXIT_OK,
	VD_EXIT_FAILED, /* refused by the hub or the device, or a bug */
	VD_EXIT_USAGE,
	VD_EXIT_NOT_FOUND,
	VD_EXIT_UNAUTHORIZED,
	VD_EXIT_UNREACHABLE, /* the hub */
	VD_EXIT_TIMED_OUT,   /* waiting for a device */
	VD_EXIT_CONFLICT,    /* it exists already, or was changed meanwhile */
};

struct vd_client;

/* Options and arguments as they were given; texts are borrowed from argv or the environment. */
struct vd_ctl {
	struct vd_client *client;
	struct vd_connection connection;
	bool is_json;
	const char *const *arguments; /* after the command's two words; NULL ends them */
	int argument_count;
	/* of single commands */
	const char *file, *device, *module, *class_name, *verdict, *payload, *auth;
	const char *thumbprint[2];
	const char *section; /* "desired", "reported" or "tags" */
	bool is_replace, is_follow, is_all, is_disabled, is_credentials;
	const char *tags, *expires, *serial, *reason, *actor, *action, *anchor;
	bool is_any, is_dry_run;
	const char *arch, *out, *key, *comment, *from, *to, *where, *recipe;
	const char *item, *sha256, *boxes, *since, *coco;
	int days;                                                 /* -1: not given */
	int limit, wait_s, timeout_s, connect_timeout_s, older_s; /* -1: not given */
};

/* Each returns an enum vd_exit and has said on stderr what went wrong. */
int vd_cmd_device_list(struct vd_ctl *ctl);
int vd_cmd_device_show(struct vd_ctl *ctl);
int vd_cmd_device_create(struct vd_ctl *ctl);
int vd_cmd_device_delete(struct vd_ctl *ctl);
int vd_cmd_device_enable(struct vd_ctl *ctl);
int vd_cmd_device_disable(struct vd_ctl *ctl);
int vd_cmd_twin_get(struct vd_ctl *ctl);
int vd_cmd_twin_set(struct vd_ctl *ctl);
int vd_cmd_twin_diff(struct vd_ctl *ctl);
int vd_cmd_twin_history(struct vd_ctl *ctl);
int vd_cmd_verdicts(struct vd_ctl *ctl);
int vd_cmd_events(struct vd_ctl *ctl);
int vd_cmd_enrolment_create(struct vd_ctl *ctl);
int vd_cmd_enrolment_list(struct vd_ctl *ctl);
int vd_cmd_enrolment_delete(struct vd_ctl *ctl);
int vd_cmd_certificate_list(struct vd_ctl *ctl);
int vd_cmd_certificate_revoke(struct vd_ctl *ctl);
int vd_cmd_audit_list(struct vd_ctl *ctl);
int vd_cmd_audit_verify(struct vd_ctl *ctl);
int vd_cmd_audit_export(struct vd_ctl *ctl);
int vd_cmd_drift(struct vd_ctl *ctl);
int vd_cmd_deadletter_list(struct vd_ctl *ctl);
int vd_cmd_deadletter_show(struct vd_ctl *ctl);
int vd_cmd_deadletter_replay(struct vd_ctl *ctl);
int vd_cmd_package_keygen(struct vd_ctl *ctl);
int vd_cmd_package_build(struct vd_ctl *ctl);
int vd_cmd_package_sign(struct vd_ctl *ctl);
int vd_cmd_package_upload(struct vd_ctl *ctl);
int vd_cmd_package_list(struct vd_ctl *ctl);
int vd_cmd_package_channel(struct vd_ctl *ctl);
int vd_cmd_package_history(struct vd_ctl *ctl);
int vd_cmd_package_gc(struct vd_ctl *ctl);
int vd_cmd_images_export(struct vd_ctl *ctl);
int vd_cmd_label_add(struct vd_ctl *ctl);
int vd_cmd_label_list(struct vd_ctl *ctl);
int vd_cmd_stats(struct vd_ctl *ctl);
int vd_cmd_usage(struct vd_ctl *ctl);
int vd_cmd_method_invoke(struct vd_ctl *ctl);
int vd_cmd_message_send(struct vd_ctl *ctl);
int vd_cmd_message_purge(struct vd_ctl *ctl);
