/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "twin/query/aggregate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char twin_text[] =
	"{\"deviceId\":\"d\",\"tags\":{\"a\":3,\"b c\":\"x\",\"on\":true,\"o\":{\"p\":[1]}},"
	"\"properties\":{\"desired\":{\"$version\":4},\"reported\":{\"a\":null}}}";

static void ask(const struct vd_query *query, const cJSON *twin)
{
	VD_CLEANUP(vd_aggregate_free) struct vd_aggregate *aggregate = NULL;
	VD_CLEANUP(vd_json_free) cJSON *row = NULL;
	int r;

	if (!vd_query_is_aggregate(query)) {
		r = vd_query_project(query, twin, &row);
		assert(r == 0);
		return;
	}
	r = vd_aggregate_new(query, &aggregate);
	assert(r == 0);
	r = vd_aggregate_add(aggregate, twin, NULL);
	assert(r == 0);
	r = vd_aggregate_finish(aggregate, &row);
	assert(r == 0);
}

/* What is read is printed, read again, and is then the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static cJSON *twin;
	VD_CLEANUP(vd_query_free) struct vd_query *query = NULL;
	VD_CLEANUP(vd_query_free) struct vd_query *again = NULL;
	VD_CLEANUP(vd_buf_fini) struct vd_buf once = { 0 }, twice = { 0 };
	struct vd_fault fault = { 0 };
	int r = twin ? 0 : vd_json_parse(twin_text, strlen(twin_text), &twin, NULL);

	assert(r == 0);
	r = vd_query_parse((const char *)data, size, &query, &fault);
	if (r < 0) {
		assert(r == -EINVAL && (fault.code == 400 || fault.code == 413) && *fault.text);
		return 0;
	}
	ask(query, twin);
	r = vd_query_print(query, &once);
	assert(r == 0);
	if (once.len > VD_QUERY_BYTES)
		return 0;
	r = vd_query_parse(once.data, once.len, &again, NULL);
	assert(r == 0);
	r = vd_query_print(again, &twice);
	assert(r == 0 && once.len == twice.len && !memcmp(once.data, twice.data, once.len));
	assert(vd_query_matches(query, twin) == vd_query_matches(again, twin));
	return 0;
}
