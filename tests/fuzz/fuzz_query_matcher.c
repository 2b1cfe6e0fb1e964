/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "twin/query/matcher.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const conditions[] = {
	"IS_DEFINED(tags.a) OR tags.a.b = 'x'",
	"tags.n > 1 AND NOT tags.on",
	"deviceId = 'd' OR tags.[[a\"b]] = null",
	"tags.a = tags.n OR properties.reported.a IN [1, 'x', true]",
};

static bool ask(const struct vd_query *query, const char *text, size_t len, bool must_be_read)
{
	VD_CLEANUP(vd_matcher_free) struct vd_matcher *matcher = NULL;
	struct vd_query_part part = { "", text, len };
	bool matches = false;
	int r = vd_matcher_new(query, &matcher);

	assert(r == 0);
	r = vd_matcher_ask(matcher, &part, 1, &matches);
	assert(r == 0 || !must_be_read);
	return matches;
}

/* Any bytes do no harm; the text of a document matches when the document does. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	VD_CLEANUP(vd_json_free) cJSON *twin = NULL;
	VD_CLEANUP(vd_free) char *text = NULL;
	int r = vd_json_parse((const char *)data, size, &twin, NULL);

	if (r == 0 && cJSON_IsObject(twin)) {
		text = vd_json_text(twin);
		assert(text);
	}
	for (size_t i = 0; i < VD_COUNT(conditions); i++) {
		VD_CLEANUP(vd_query_free) struct vd_query *query = NULL;

		r = vd_condition_parse(conditions[i], strlen(conditions[i]), &query, NULL);
		assert(r == 0);
		(void)ask(query, (const char *)data, size, false);
		if (text)
			assert(ask(query, text, strlen(text), true) ==
			       vd_query_matches(query, twin));
	}
	return 0;
}
