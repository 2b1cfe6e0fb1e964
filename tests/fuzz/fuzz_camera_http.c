/* SPDX-License-Identifier: Apache-2.0 */
/* Headers and body of a camera's answer, an empty line between them; judged twice, as of two captures. */
#include <assert.h>
#include <string.h>

#include "modules/camera/http_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vd_http_picture last = { 0 };
	struct vd_http_answer answer;
	size_t at = 0;

	vd_http_answer_begin(&answer);
	while (at < size) {
		const uint8_t *end = memchr(data + at, '\n', size - at);
		size_t len = end ? (size_t)(end - (data + at)) + 1 : size - at;

		if (vd_http_answer_header(&answer, (const char *)data + at, len) != 0)
			return 0;
		at += len;
		if (len <= 2)
			break;
	}
	(void)!vd_http_answer_check(&answer, data + at, size - at, NULL);
	for (int i = 0; i < 2; i++) {
		int r = vd_http_answer_fresh(&answer, data + at, size - at, &last, 1000000, &last,
					     NULL);

		assert(r <= 0 && (r != 0 || answer.age_s == 0));
	}
	return 0;
}
