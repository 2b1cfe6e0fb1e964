/* SPDX-License-Identifier: Apache-2.0 */
/* A station of VIO from anybody: read, and made into a desired document. */
#include <stdint.h>
#include <stdlib.h>

#include "twin/import/desired.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *no_reason(const char *key)
{
	return NULL;
}

static void import(cJSON *document, struct vd_rest *rest)
{
	const struct vd_import_choices choices = { .instance = "station",
						   .package_version = "1.0.0",
						   .data_folder = "/data" };
	VD_CLEANUP(vd_json_free) cJSON *desired = NULL;
	struct vd_vio_station station;
	struct vd_fault fault = { 0 };

	if (vd_vio_read(document, "fuzz", rest, &station, &fault) < 0)
		return;
	if (vd_desired_new(&choices, &desired) < 0 ||
	    vd_desired_add(desired, &station, &choices, rest, &fault) < 0)
		return;
	vd_desired_finish(desired, &choices);
	(void)!vd_rest_list(rest, document, no_reason);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	VD_CLEANUP(vd_json_free) cJSON *document = NULL;
	VD_CLEANUP(vd_rest_fini) struct vd_rest rest = { 0 };
	struct vd_fault fault;

	if (vd_json_parse((const char *)data, size, &document, &fault) == 0 &&
	    vd_rest_init(&rest) == 0)
		import(document, &rest);
	return 0;
}
