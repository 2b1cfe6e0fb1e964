/* SPDX-License-Identifier: Apache-2.0 */
#include "vd_test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/upload/offer.h"

static const char azure[] =
	"{\"correlationId\":\"MjAyMQ==\",\"hostName\":\"a1.blob.core.windows.net\","
	"\"containerName\":\"up-loads\",\"blobName\":\"d 1/2026-11-22/x%3F.jpg\","
	"\"sasToken\":\"?sv=2018-03-28&sr=b&sig=mB%2Bx%3D&se=2026-11-22T05%3A00%3A00Z&sp=rw\"}";

static int read_text(const char *text, struct vd_offer *offer)
{
	struct vd_fault fault = { 0 };
	int r = vd_offer_read(text, strlen(text), offer, &fault);

	assert_int_equal(r == 0, fault.code == 0);
	return r;
}

static void an_address_of_azures_shape_is_put_together_and_encoded(void **state)
{
	struct vd_offer offer;

	(void)state;
	assert_int_equal(read_text(azure, &offer), 0);
	assert_string_equal(offer.correlation_id, "MjAyMQ==");
	assert_string_equal(offer.host, "a1.blob.core.windows.net");
	assert_string_equal(offer.address,
			    "/up-loads/d%201/2026-11-22/x%3F.jpg?sv=2018-03-28&sr=b&sig=mB%2Bx%3D"
			    "&se=2026-11-22T05%3A00%3A00Z&sp=rw");
}

/* azure with one piece of it replaced */
static int read_with(const char *piece, const char *other)
{
	const char *at = strstr(azure, piece);
	char text[1024];
	struct vd_offer offer;

	assert_non_null(at);
	(void)snprintf(text, sizeof text, "%.*s%s%s", (int)(at - azure), azure, other,
		       at + strlen(piece));
	return read_text(text, &offer);
}

static void an_address_that_leads_elsewhere_than_it_seems_is_refused(void **state)
{
	(void)state;
	assert_int_equal(read_with("a1.blob", "user@evil/a1.blob"), -EINVAL);
	assert_int_equal(read_with("a1.blob", "evil:99"), -EINVAL);
	assert_int_equal(read_with("a1.blob.core.windows.net", ""), -EINVAL);
	assert_int_equal(read_with("?sv", "sv"), -EINVAL);
	assert_int_equal(read_with("&sr=b", " HTTP/1.1\\r\\nX: y"), -EINVAL);
	assert_int_equal(read_with("up-loads", ""), -EINVAL);
	assert_int_equal(read_with("MjAyMQ==", ""), -EINVAL);
	assert_int_equal(read_with("{", "["), -EINVAL);
}

static void an_address_that_is_too_long_is_refused(void **state)
{
	char text[8192];
	struct vd_offer offer;

	(void)state;
	(void)snprintf(text, sizeof text,
		       "{\"correlationId\":\"1\",\"hostName\":\"h\",\"containerName\":\"c\","
		       "\"blobName\":\"b\",\"sasToken\":\"?%05000d\"}",
		       1);
	assert_int_equal(read_text(text, &offer), -EINVAL);
}

static void what_may_pass_is_tried_again_and_what_will_not_is_refused(void **state)
{
	(void)state;
	for (int stage = VD_STAGE_ASK; stage <= VD_STAGE_NOTIFY; stage++) {
		static const long passing[] = { 0, 408, 409, 429, 500, 502, 503, 504 };

		for (size_t i = 0; i < VD_COUNT(passing); i++)
			assert_int_equal(vd_stage_judge((enum vd_stage)stage, passing[i]),
					 VD_COURSE_AGAIN);
	}
	assert_int_equal(vd_stage_judge(VD_STAGE_ASK, 200), VD_COURSE_ON);
	assert_int_equal(vd_stage_judge(VD_STAGE_ASK, 400), VD_COURSE_REFUSE);
	assert_int_equal(vd_stage_judge(VD_STAGE_ASK, 401), VD_COURSE_AGAIN);
	assert_int_equal(vd_stage_judge(VD_STAGE_ASK, 403), VD_COURSE_AGAIN);
	assert_int_equal(vd_stage_judge(VD_STAGE_SEND, 201), VD_COURSE_ON);
	assert_int_equal(vd_stage_judge(VD_STAGE_SEND, 413), VD_COURSE_REFUSE);
	assert_int_equal(vd_stage_judge(VD_STAGE_SEND, 403), VD_COURSE_ANEW);
	assert_int_equal(vd_stage_judge(VD_STAGE_JOIN, 400), VD_COURSE_DOUBT);
	assert_int_equal(vd_stage_judge(VD_STAGE_NOTIFY, 204), VD_COURSE_ON);
	assert_int_equal(vd_stage_judge(VD_STAGE_NOTIFY, 404), VD_COURSE_ON);
	assert_int_equal(vd_stage_judge(VD_STAGE_NOTIFY, 401), VD_COURSE_AGAIN);
}

static void blocks_have_ids_of_one_length_and_stand_in_their_order(void **state)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf list = { 0 };
	char id[VD_BLOCK_ID_BYTES];

	(void)state;
	vd_block_id(0, id);
	assert_string_equal(id, "MDAwMDAw");
	vd_block_id(999999, id);
	assert_string_equal(id, "OTk5OTk5");
	assert_int_equal(vd_block_list(2, &list), 0);
	assert_string_equal(list.data,
			    "<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>"
			    "<Latest>MDAwMDAw</Latest><Latest>MDAwMDAx</Latest></BlockList>");
}

static void the_reason_is_found_in_either_hubs_words(void **state)
{
	static const char *const said[][2] = {
		{ "{\"Message\":\"ErrorCode:X;too large\"}", "too large" },
		{ "<?xml?><Error><Code>C</Code><Message>no\nsuch</Message></Error>", "no such" },
		{ "plain", "plain" },
		{ "", "" },
		{ "<Message>cut", "cut" },
	};
	char reason[16];

	(void)state;
	for (size_t i = 0; i < VD_COUNT(said); i++) {
		vd_answer_reason(said[i][0], strlen(said[i][0]), reason, sizeof reason);
		assert_string_equal(reason, said[i][1]);
	}
}

VD_TEST_MAIN(cmocka_unit_test(an_address_of_azures_shape_is_put_together_and_encoded),
	     cmocka_unit_test(an_address_that_leads_elsewhere_than_it_seems_is_refused),
	     cmocka_unit_test(an_address_that_is_too_long_is_refused),
	     cmocka_unit_test(what_may_pass_is_tried_again_and_what_will_not_is_refused),
	     cmocka_unit_test(blocks_have_ids_of_one_length_and_stand_in_their_order),
	     cmocka_unit_test(the_reason_is_found_in_either_hubs_words), )
