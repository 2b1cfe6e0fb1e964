/* SPDX-License-Identifier: Apache-2.0 */
#include "vd_test.h"

#include <errno.h>

#include "base/loop.h"
#include "twin/document/audit.h"
#include "twin/hub/api/api.h"
#include "twin/hub/drift.h"
#include "twin/hub/telemetry/ingest.h"
#include "twin/hub/telemetry/letters.h"
#include "twin/hub/telemetry/quota.h"
#include "twin/hub/store/trust.h"
#include "unit/twin/hub/hub_fixture.h"

#define DAY_MS 86400000LL

/* --- dead letters --- */

static void take(struct fixture *f, const char *payload)
{
	const struct vd_spool_record message = { .identity = "d1",
						 .bag = "vd-batch=1&class=event",
						 .payload = payload,
						 .payload_len = strlen(payload),
						 .received_ms = 5000 };

	assert_int_equal(vd_store_begin(f->store), 0);
	assert_int_equal(vd_ingest_take(f->store, &message), 0);
	assert_int_equal(vd_store_commit(f->store), 0);
}

static int note_id(int64_t id, const struct vd_dead_letter *letter, void *argument)
{
	int64_t *last = argument;

	*last = id;
	return 0;
}

static int64_t last_letter(struct fixture *f)
{
	int64_t id = 0;

	assert_int_equal(vd_store_letter_each(f->store, "d1", 0, 100, note_id, &id), 0);
	return id;
}

static void a_letter_that_still_cannot_be_read_comes_back(void **state)
{
	struct fixture *f = *state;
	int64_t first, count = 0;

	take(f, "no array");
	first = last_letter(f);
	assert_true(first > 0);
	assert_int_equal(vd_letter_replay(f->store, first), VD_LETTERS_AGAIN);
	assert_true(last_letter(f) > first);
	assert_int_equal(vd_store_dead_letter_count(f->store, &count), 0);
	assert_int_equal(count, 1);
	assert_int_equal(vd_letter_replay(f->store, first), VD_STORE_NONE);
}

static int add_up(const char *class_name, const char *verdict, int64_t count, void *argument)
{
	int64_t *sum = argument;

	*sum += count;
	return 0;
}

static int sum_usage(const struct vd_usage_row *row, void *argument)
{
	int64_t *messages = argument;

	*messages += row->messages;
	return 0;
}

/* As by a hub of before that could not read it. */
static void what_can_be_read_now_is_stored_once_and_counted_no_second_time(void **state)
{
	struct fixture *f = *state;
	static const char good[] =
		"[{\"deviceId\":\"d1\",\"bootId\":\"11111111-1111-4111-8111-111111111111\",\"seq\":"
		"1,"
		"\"tMono\":1,\"tWall\":\"2026-01-01T00:00:00.000Z\",\"class\":\"event\","
		"\"module\":\"m\",\"body\":{}}]";
	const struct vd_dead_letter letter = { .name = { .device = "d1" },
					       .received_ms = 5000,
					       .reason = "unknown",
					       .properties = "vd-batch=1&class=event",
					       .payload = good,
					       .payload_len = sizeof good - 1 };
	int64_t sum = 0, messages = 0;

	take(f, good);
	assert_int_equal(vd_store_dead_letter_add(f->store, &letter), 0);
	assert_int_equal(vd_letter_replay(f->store, last_letter(f)), 0);
	assert_int_equal(last_letter(f), 0);
	assert_int_equal(vd_store_record_counts(f->store, "d1", add_up, &sum), 0);
	assert_int_equal(sum, 1);
	assert_int_equal(vd_store_usage_each(f->store, "d1", 0, 0, 10, sum_usage, &messages), 0);
	assert_int_equal(messages, 1);
}

static void letters_are_bounded(void **state)
{
	struct fixture *f = *state;
	const struct vd_dead_letter letter = {
		.name = { .device = "d1" }, .reason = "x", .properties = "", .payload_len = 0
	};
	int64_t count = 0;

	assert_int_equal(vd_store_begin(f->store), 0);
	for (int i = 0; i < VD_DEAD_LETTERS_MAX + 5; i++)
		assert_int_equal(vd_store_dead_letter_add(f->store, &letter), 0);
	assert_int_equal(vd_store_commit(f->store), 0);
	assert_int_equal(vd_store_dead_letter_count(f->store, &count), 0);
	assert_int_equal(count, VD_DEAD_LETTERS_MAX);
}

/* --- drift --- */

static void set_twin(struct fixture *f, const char *id, const char *text, const char *comment,
		     int64_t now_ms)
{
	struct vd_name name = name_of(id);
	VD_CLEANUP(vd_json_free) cJSON *body = json_of(text);
	const struct vd_twin_update update = {
		.body = body, .author = "me", .comment = comment, .now_ms = now_ms
	};
	cJSON *twin = NULL;

	assert_int_equal(vd_twins_update(f->twins, &name, &update, &twin, NULL), 0);
	(void)vd_json_free(twin);
}

static void report(struct fixture *f, const char *id, int in_force)
{
	struct vd_name name = name_of(id);
	char text[100];
	VD_CLEANUP(vd_json_free) cJSON *patch = NULL;
	int64_t version;

	(void)snprintf(text, sizeof text, "{\"desired\":{\"inForce\":%d,\"code\":400}}", in_force);
	patch = json_of(text);
	assert_int_equal(vd_twins_report(f->twins, &name, patch, -1, 1, &version, NULL), 0);
}

static void drifted(struct fixture *f, int64_t before_ms, const char *after, int limit, char *out)
{
	VD_CLEANUP(vd_call_fini) struct vd_call call = { 0 };
	const cJSON *item;

	out[0] = '\0';
	assert_int_equal(vd_drift_list(NULL, f->store, &call, before_ms, after, limit, NULL), 0);
	cJSON_ArrayForEach(item, vd_json_array(call.reply.body, "items"))(void) snprintf(
		out + strlen(out), 100, "%s:%lld/%lld ", vd_json_string(item, "deviceId", ""),
		(long long)vd_json_int(item, "inForce", -1),
		(long long)vd_json_int(item, "desiredVersion", 0));
}

static void devices_behind_their_document_for_long_are_listed(void **state)
{
	struct fixture *f = *state;
	static const char patch[] = "{\"properties\":{\"desired\":{\"x\":1}}}";
	static const char other[] = "{\"properties\":{\"desired\":{\"x\":2}}}";
	char text[1000];

	for (const char *id = "a\0b\0c\0d\0"; *id; id += 2) {
		register_device(f, id, "{}");
		if (*id != 'a')
			set_twin(f, id, patch, NULL, 10000);
	}
	report(f, "b", 2); /* all is well */
	set_twin(f, "c", other, NULL, 20000);
	report(f, "c", 2); /* since the second change */
	drifted(f, 15000, NULL, 10, text);
	assert_string_equal(text, "d:-1/2 ");
	drifted(f, 25000, NULL, 10, text);
	assert_string_equal(text, "c:2/3 d:-1/2 ");
	drifted(f, 25000, NULL, 1, text);
	assert_string_equal(text, "c:2/3 ");
	drifted(f, 25000, "c", 1, text);
	assert_string_equal(text, "d:-1/2 ");
}

static int note_comment(const struct vd_history *entry, void *argument)
{
	char *out = argument;

	(void)snprintf(out + strlen(out), 50, "%lld:%s;", (long long)entry->version,
		       entry->comment);
	return 0;
}

static void a_change_keeps_its_comment(void **state)
{
	struct fixture *f = *state;
	struct vd_name name = name_of("a");
	char text[200] = "";

	register_device(f, "a", "{}");
	set_twin(f, "a", "{\"properties\":{\"desired\":{\"x\":1}}}", "new lamp", 2000);
	set_twin(f, "a", "{\"properties\":{\"desired\":{\"x\":2}}}", NULL, 3000);
	assert_int_equal(vd_store_history_each(f->store, &name, 10, note_comment, text), 0);
	assert_string_equal(text, "3:;2:new lamp;1:;");
}

/* --- the audit log --- */

struct chain {
	int64_t id;
	char hash[VD_AUDIT_HASH_BYTES];
	int expiries;
};

static int follow(const struct vd_audit_entry *entry, void *argument)
{
	struct chain *chain = argument;
	VD_CLEANUP(vd_json_free) cJSON *json = vd_audit_json(entry);

	assert_int_equal(entry->id, chain->id + 1);
	assert_int_equal(vd_audit_hash(chain->hash, json, chain->hash), 0);
	assert_string_equal(chain->hash, entry->hash);
	chain->id = entry->id;
	chain->expiries += strcmp(entry->action, "audit.expire") == 0;
	return 0;
}

static void the_chain_goes_on_from_what_was_deleted(void **state)
{
	struct fixture *f = *state;
	const struct vd_audit_filter all = { .limit = 1000 };
	struct vd_audit_filter rest = { .limit = 1000 };
	struct chain chain = { .hash = VD_AUDIT_START };

	for (int i = 0; i < 20; i++) {
		const struct vd_audit_entry entry = {
			.time_ms = i * DAY_MS, .actor = "me", .action = "x", .target = "t"
		};

		assert_int_equal(vd_store_audit_add(f->store, &entry), 0);
	}
	assert_int_equal(vd_store_audit_each(f->store, &all, follow, &chain), 0);
	assert_int_equal(vd_store_audit_expire(f->store, 10 * DAY_MS, 4, 20 * DAY_MS), 4);
	assert_int_equal(vd_store_audit_expire(f->store, 10 * DAY_MS, 100, 20 * DAY_MS), 6);
	assert_int_equal(vd_store_audit_expire(f->store, 10 * DAY_MS, 100, 20 * DAY_MS), 0);
	assert_int_equal(vd_store_audit_anchor(f->store, &chain.id, chain.hash), 0);
	assert_int_equal(chain.id, 10);
	rest.after = 0;
	assert_int_equal(vd_store_audit_each(f->store, &rest, follow, &chain), 0);
	assert_int_equal(chain.id, 22);
	assert_int_equal(chain.expiries, 2);
}

static void the_last_entry_always_stays(void **state)
{
	struct fixture *f = *state;
	const struct vd_audit_entry entry = {
		.time_ms = 1, .actor = "me", .action = "x", .target = "t"
	};

	assert_int_equal(vd_store_audit_add(f->store, &entry), 0);
	assert_int_equal(vd_store_audit_expire(f->store, INT64_MAX, 100, 5), 0);
}

/* --- quotas --- */

static int alarms(struct fixture *f, int per_cent)
{
	int64_t count = 0;

	assert_int_equal(vd_store_usage_alarmed(f->store, 0, per_cent, &count), 0);
	return (int)count;
}

static void a_device_is_told_of_at_80_and_100_per_cent_of_its_quota(void **state)
{
	struct fixture *f = *state;
	const struct vd_config config = { .daily_messages = 100 };
	VD_CLEANUP(vd_quota_free) struct vd_quota *quota = NULL;
	struct vd_events *events = NULL;
	struct vd_loop *loop = NULL;

	assert_int_equal(vd_loop_new(&loop), 0);
	assert_int_equal(vd_events_new(loop, f->store, &events), 0);
	assert_int_equal(vd_quota_new(f->store, events, &config, &quota), 0);
	register_device(f, "a", "{}");
	register_device(f, "b", "{}");
	register_device(f, "c", "{}");
	set_twin(f, "b", "{\"tags\":{\"quota\":{\"messages\":1000}}}", NULL, 1);
	set_twin(f, "c", "{\"tags\":{\"quota\":{\"messages\":0,\"bytes\":50}}}", NULL, 1);
	for (const char *id = "a\0b\0c\0"; *id; id += 2)
		assert_int_equal(vd_store_usage_add(f->store, id, 1, 79, 49), 0);
	assert_false(vd_quota_look(quota, 1));
	assert_int_equal(alarms(f, 80), 1); /* c has 98 per cent of its bytes */
	assert_int_equal(vd_store_usage_add(f->store, "a", 1, 1, 1), 0);
	assert_int_equal(vd_store_usage_add(f->store, "c", 1, 1, 1), 0);
	assert_false(vd_quota_look(quota, 1));
	assert_int_equal(alarms(f, 80), 2);
	assert_int_equal(alarms(f, 100), 1);
	assert_int_equal(vd_store_usage_add(f->store, "b", 1, 1000, 1), 0);
	assert_false(vd_quota_look(quota, 1));
	assert_int_equal(alarms(f, 100), 2);
	events = vd_events_free(events);
	loop = vd_loop_free(loop);
}

static void more_devices_than_a_turn_are_looked_at_one_turn_after_the_other(void **state)
{
	struct fixture *f = *state;
	const struct vd_config config = { .daily_messages = 1 };
	VD_CLEANUP(vd_quota_free) struct vd_quota *quota = NULL;
	struct vd_events *events = NULL;
	struct vd_loop *loop = NULL;
	int turns = 1;

	assert_int_equal(vd_loop_new(&loop), 0);
	assert_int_equal(vd_events_new(loop, f->store, &events), 0);
	assert_int_equal(vd_quota_new(f->store, events, &config, &quota), 0);
	assert_int_equal(vd_store_begin(f->store), 0);
	for (int i = 0; i < VD_QUOTA_A_TURN + 50; i++) {
		char id[16];

		(void)snprintf(id, sizeof id, "d%d", i);
		assert_int_equal(vd_store_usage_add(f->store, id, 1, 1, 1), 0);
	}
	assert_int_equal(vd_store_commit(f->store), 0);
	while (vd_quota_look(quota, 1))
		turns++;
	assert_int_equal(turns, 2);
	assert_int_equal(alarms(f, 100), VD_QUOTA_A_TURN + 50);
	events = vd_events_free(events);
	loop = vd_loop_free(loop);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_letter_that_still_cannot_be_read_comes_back),
		TEST(what_can_be_read_now_is_stored_once_and_counted_no_second_time),
		TEST(letters_are_bounded),
		TEST(devices_behind_their_document_for_long_are_listed),
		TEST(a_change_keeps_its_comment),
		TEST(the_chain_goes_on_from_what_was_deleted),
		TEST(the_last_entry_always_stays),
		TEST(a_device_is_told_of_at_80_and_100_per_cent_of_its_quota),
		TEST(more_devices_than_a_turn_are_looked_at_one_turn_after_the_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
