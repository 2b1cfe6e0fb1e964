/* SPDX-License-Identifier: Apache-2.0 */
#include "vd_test.h"

#include "twin/document/audit.h"
#include "twin/hub/metrics.h"
#include "twin/hub/store/trust.h"
#include "unit/twin/hub/hub_fixture.h"

/* What the log says, checked link by link. */
struct chain {
	int count;
	char hash[VD_SHA256_TEXT], last_action[64];
};

static int follow(const struct vd_audit_entry *entry, void *argument)
{
	struct chain *chain = argument;
	cJSON *json = vd_audit_json(entry);
	char hash[VD_SHA256_TEXT];

	assert_int_equal(entry->id, chain->count + 1);
	assert_int_equal(vd_audit_hash(chain->hash, json, hash), 0);
	assert_string_equal(hash, entry->hash);
	(void)vd_json_free(json);
	(void)snprintf(chain->hash, sizeof chain->hash, "%s", hash);
	(void)snprintf(chain->last_action, sizeof chain->last_action, "%s", entry->action);
	chain->count++;
	return 0;
}

static struct chain chain_of(struct fixture *f)
{
	const struct vd_audit_filter all = { .limit = 1000 };
	struct chain chain = { .hash = VD_AUDIT_START };

	assert_int_equal(vd_store_audit_each(f->store, &all, follow, &chain), 0);
	return chain;
}

static const struct vd_audit_entry call = {
	.time_ms = 1000, .actor = "policy:p", .action = "PUT x", .target = "t"
};

static void a_calls_entry_is_committed_with_its_change(void **state)
{
	struct fixture *f = *state;

	vd_store_audit_begin(f->store, &call);
	assert_int_equal(vd_store_begin(f->store), 0);
	assert_int_equal(vd_store_commit(f->store), 0);
	assert_true(vd_store_audit_end(f->store));
	assert_int_equal(chain_of(f).count, 1);
}

static void an_entry_goes_with_a_change_that_is_rolled_back(void **state)
{
	struct fixture *f = *state;

	vd_store_audit_begin(f->store, &call);
	assert_int_equal(vd_store_begin(f->store), 0);
	assert_int_equal(vd_store_audit_add(f->store, &call), 0);
	vd_store_rollback(f->store);
	assert_false(vd_store_audit_end(f->store));
	assert_int_equal(chain_of(f).count, 0);
}

static void a_change_that_says_more_stands_for_its_call(void **state)
{
	struct fixture *f = *state;
	struct chain chain;

	vd_store_audit_begin(f->store, &call);
	register_device(f, "d1", "{}");
	assert_true(vd_store_audit_end(f->store));
	chain = chain_of(f);
	assert_int_equal(chain.count, 1);
	assert_string_equal(chain.last_action, "createDeviceIdentity");
}

static void a_token_is_used_once(void **state)
{
	struct fixture *f = *state;
	const struct vd_enrolment made = { .id = "0123456789abcdef",
					   .secret_digest = "x",
					   .device = "d1",
					   .author = "p",
					   .created_ms = 1,
					   .expires_ms = 5000 };
	int64_t open = 0;

	assert_int_equal(vd_store_enrolment_add(f->store, &made), 0);
	assert_int_equal(vd_store_enrolment_open_count(f->store, 10, &open), 0);
	assert_int_equal(open, 1);
	assert_int_equal(vd_store_enrolment_use(f->store, made.id, "d1", "key", 10), 0);
	assert_int_equal(vd_store_enrolment_use(f->store, made.id, "d1", "key", 11), VD_STORE_NONE);
	assert_int_equal(vd_store_enrolment_expire(f->store, 4000), 0);
	assert_int_equal(vd_store_enrolment_expire(f->store, 6000), 1);
}

static int sum(const struct vd_usage_row *row, void *argument)
{
	int64_t *bytes = argument;

	*bytes += row->bytes;
	return 0;
}

static void usage_is_added_up_by_day_and_forgotten(void **state)
{
	struct fixture *f = *state;
	const int64_t day_ms = 86400000;
	int64_t bytes = 0;

	assert_int_equal(vd_store_usage_add(f->store, "d1", day_ms, 1, 10), 0);
	assert_int_equal(vd_store_usage_add(f->store, "d1", day_ms + 5, 1, 20), 0);
	assert_int_equal(vd_store_usage_add(f->store, "d1", 2 * day_ms, 1, 40), 0);
	assert_int_equal(vd_store_usage_each(f->store, "d1", 1, 1, 10, sum, &bytes), 0);
	assert_int_equal(bytes, 30);
	assert_int_equal(vd_store_usage_expire(f->store, 2), 1);
	bytes = 0;
	assert_int_equal(vd_store_usage_each(f->store, NULL, 0, 9, 10, sum, &bytes), 0);
	assert_int_equal(bytes, 40);
}

static void metrics_escape_what_a_label_cannot_hold(void **state)
{
	struct fixture *f = *state;
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };
	struct vd_metrics_view view = { .store = f->store, .with_each_device = true };

	register_device(f, "a$b'c", "{}");
	for (int i = 0; i < 1000; i++)
		vd_metrics_request("GET", "x", i); /* more than are told apart */
	assert_int_equal(vd_metrics_write(&view, &text), 0);
	assert_non_null(strstr(text.data, "vedette_device_connected{device=\"a$b'c\"} 0\n"));
	assert_non_null(strstr(text.data, "code=\"other\"} 600\n"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)
VD_TEST_MAIN(TEST(a_calls_entry_is_committed_with_its_change),
	     TEST(an_entry_goes_with_a_change_that_is_rolled_back),
	     TEST(a_change_that_says_more_stands_for_its_call), TEST(a_token_is_used_once),
	     TEST(usage_is_added_up_by_day_and_forgotten),
	     TEST(metrics_escape_what_a_label_cannot_hold))
