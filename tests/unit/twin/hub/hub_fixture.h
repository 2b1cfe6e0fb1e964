/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "vd_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "twin/hub/devices.h"
#include "twin/hub/store/store.h"
#include "twin/hub/twins.h"

/* A store in a folder of its own, the services on it, and what they announced. */
struct fixture {
	char folder[64];
	char database[96], journal[96], spool[96];
	struct vd_store *store;
	struct vd_identities_writer *writer;
	struct vd_devices *devices;
	struct vd_twins *twins;
	int kicks;
	char last_kick[VD_ID_BYTES];
	int notices;
	char last_notice[2048];
	int64_t last_version;
	char last_event[2048];
};

static inline void fixture_kick(const struct vd_name *name, void *argument)
{
	struct fixture *f = argument;

	f->kicks++;
	(void)vd_name_text(name, f->last_kick);
}

static inline void fixture_changed(const struct vd_name *name, const char *operation,
				   void *argument)
{
	struct fixture *f = argument;

	(void)snprintf(f->last_event, sizeof f->last_event, "%s", operation);
}

static inline void fixture_desired(const struct vd_name *name, const cJSON *notice, int64_t version,
				   void *argument)
{
	struct fixture *f = argument;
	char *text = vd_json_text(notice);

	f->notices++;
	f->last_version = version;
	(void)snprintf(f->last_notice, sizeof f->last_notice, "%s", text);
	free(text);
}

static inline void fixture_twin(const struct vd_name *name, const char *operation,
				const cJSON *body, void *argument)
{
	fixture_changed(name, operation, argument);
}

static inline int fixture_set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	const struct vd_devices_events device_events = { fixture_kick, fixture_changed, f };
	const struct vd_twins_events twin_events = { fixture_desired, fixture_twin, f };

	(void)snprintf(f->folder, sizeof f->folder, "/tmp/vedette-hub-XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	(void)snprintf(f->database, sizeof f->database, "%s/hub.sqlite", f->folder);
	(void)snprintf(f->journal, sizeof f->journal, "%s/identities", f->folder);
	(void)snprintf(f->spool, sizeof f->spool, "%s/spool", f->folder);
	assert_int_equal(vd_store_open(f->database, true, &f->store, NULL), 0);
	assert_int_equal(vd_identities_writer_new(f->journal, &f->writer, NULL), 0);
	assert_int_equal(vd_devices_new(f->store, f->writer, &device_events, &f->devices), 0);
	assert_int_equal(vd_twins_new(f->store, &twin_events, &f->twins), 0);
	assert_int_equal(vd_devices_export(f->devices), 0);
	*state = f;
	return 0;
}

static inline int fixture_tear_down(void **state)
{
	struct fixture *f = *state;
	char command[128];

	f->twins = vd_twins_free(f->twins);
	f->devices = vd_devices_free(f->devices);
	f->writer = vd_identities_writer_free(f->writer);
	f->store = vd_store_free(f->store);
	(void)snprintf(command, sizeof command, "%s-wal", f->database);
	(void)unlink(command);
	(void)snprintf(command, sizeof command, "%s-shm", f->database);
	(void)unlink(command);
	(void)unlink(f->database);
	(void)unlink(f->journal);
	(void)rmdir(f->spool);
	(void)rmdir(f->folder);
	free(f);
	return 0;
}

static inline struct vd_name name_of(const char *id)
{
	struct vd_name name;

	assert_int_equal(vd_name_parse(id, &name), 0);
	return name;
}

static inline cJSON *json_of(const char *text)
{
	cJSON *json = NULL;

	assert_int_equal(vd_json_parse(text, strlen(text), &json, NULL), 0);
	return json;
}

/* Registers a device with the given body at time 1000. */
static inline void register_device(struct fixture *f, const char *id, const char *body)
{
	struct vd_name name = name_of(id);
	struct vd_device device;
	cJSON *json = json_of(body);

	assert_int_equal(vd_devices_put(f->devices, &name, NULL, json, 1000, &device, NULL), 0);
	(void)vd_json_free(json);
}
