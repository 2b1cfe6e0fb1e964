/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "agent/cloud/link.h"
#include "agent/store/outbox.h"
#include "agent/store/store.h"
#include "agent/supervise/supervisor.h"
#include "agent/upload/uploader.h"
#include "agent/vedetted/config.h"
#include "agent/vedetted/instance.h"
#include "agent/vedetted/reported.h"
#include "agent/vedetted/set.h"
#include "base/digest.h"
#include "base/loop.h"

/*
 * The agent: the only place where the parts meet. Store, link and supervisor know nothing of
 * each other; what passes between them passes through one of these files:
 *
 *	settle.c   a desired document becomes the set that runs, or is refused
 *	modules.c  what modules say: publish, report, applied, refused; and how they end
 *	cloud.c    what the hub says, and what goes to it
 *	images.c   images from the store to the hub, behind the records
 *	report.c   what is told of all this: reported state
 *	methods.c  what may be asked, by the local socket (local.c) and by direct methods
 */
struct vd_local;

/* The outcome for one whole document, as reported. */
struct vd_outcome {
	int64_t version; /* -1: none yet */
	int code;        /* 200, or the fault's */
	char pointer[256], text[256];
};

struct vd_agent {
	struct vd_loop *loop;
	struct vd_config config;
	char boot_id[VD_UUID_TEXT];
	int64_t started_wall_ms;
	uint64_t started_mono_ms;
	struct vd_source *signals[3];

	struct vd_store *store;
	struct vd_link *link;
	struct vd_uploader *uploader;
	char image[VD_BLOB_BYTES]; /* that the uploader has; "": none */
	char last_refusal[256];    /* of an image; "": none since the start */
	struct vd_supervisor *supervisor;
	struct vd_local *local;

	/* The last document received, applied or not: patches build on it. */
	cJSON *latest;
	int64_t latest_version; /* -1: none since start */
	struct vd_outcome outcome;

	struct vd_set *set;       /* in force; NULL before the first document */
	struct vd_set *candidate; /* being settled; NULL when nothing is */
	uint64_t candidate_token; /* of the document put; 0: not put yet */
	bool has_newer;           /* latest is to be settled after the candidate */
	bool is_reverting;        /* modules are being given the old parameters back */
	struct vd_source *settle_timer;

	struct vd_instance *instances; /* every module of set and candidate */
	struct vd_publication *publications;
	uint64_t next_token;

	struct vd_reported *reported;
	struct vd_source *report_timer;
	bool is_twin_fresh; /* the hub's reported state is known since the link came up */

	struct vd_call *calls; /* to modules, not answered yet */
	struct vd_source *watchdog_timer;
	uint64_t watchdog_ms;
	bool is_stopping;
	uint64_t routed_messages, dropped_messages;
};

/* settle.c */
VD_MUST int vd_agent_boot_document(struct vd_agent *agent); /* the last good one, from the store */
void vd_agent_take_document(struct vd_agent *agent, cJSON **document, int64_t version);
void vd_agent_take_patch(struct vd_agent *agent, int64_t version, const cJSON *patch);
void vd_agent_module_answered(struct vd_agent *agent, struct vd_instance *instance);
void vd_agent_document_stored(struct vd_agent *agent, uint64_t token, const struct vd_fault *fault);
const struct vd_set *
vd_agent_target(const struct vd_agent *agent); /* the candidate, else the set in force */
void vd_agent_settle_timeout(void *agent);

/* modules.c */
extern const struct vd_supervisor_handlers vd_agent_supervisor_handlers;
void vd_agent_stored(struct vd_agent *agent, uint64_t token, uint64_t seq,
		     const struct vd_fault *refusal);
void vd_agent_drop_publications(struct vd_agent *agent);
void vd_agent_load_evidence(struct vd_agent *agent, struct vd_instance *instance);

/* cloud.c */
extern const struct vd_link_handlers vd_agent_link_handlers;
extern const struct vd_store_handlers vd_agent_store_handlers;
void vd_agent_pump(struct vd_agent *agent);

/* images.c */
extern const struct vd_uploader_handlers vd_agent_uploader_handlers;
/* Something changed that they depend on: the link, the window, what is desired, the store. */
void vd_agent_images(struct vd_agent *agent);

/* report.c */
enum vd_urgency { VD_REPORT_SOON, VD_REPORT_SHORTLY, VD_REPORT_LAZILY };
void vd_agent_report(struct vd_agent *agent, enum vd_urgency urgency);
void vd_agent_report_now(void *agent); /* the report timer's callback */
cJSON *vd_agent_reported_document(struct vd_agent *agent);
cJSON *vd_agent_link_json(const struct vd_agent *agent);
cJSON *vd_agent_store_json(const struct vd_agent *agent);
cJSON *vd_agent_module_json(const struct vd_agent *agent, const struct vd_instance *instance);

/* methods.c */
struct vd_reply {
	void (*send)(struct vd_reply *reply, struct vd_agent *agent, int status, const cJSON *body);
	struct vd_local_client *client; /* NULL: a direct method */
	double id;                      /* of the client's call */
	char rid[64];                   /* of the direct method */
};
void vd_agent_call(struct vd_agent *agent, const char *method, const cJSON *body,
		   const struct vd_reply *reply);
void vd_agent_answered(struct vd_agent *agent, const char *instance, const cJSON *packet);
void vd_agent_forget_client(struct vd_agent *agent, const struct vd_local_client *client);
void vd_agent_drop_calls(struct vd_agent *agent);

/* local.c */
VD_MUST int vd_local_new(struct vd_agent *agent, const char *run_folder,
			 struct vd_local **ret_local, struct vd_fault *fault);
struct vd_local *vd_local_free(struct vd_local *local);
void vd_local_answer(struct vd_reply *reply, struct vd_agent *agent, int status, const cJSON *body);
