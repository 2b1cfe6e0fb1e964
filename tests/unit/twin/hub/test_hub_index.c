/* SPDX-License-Identifier: Apache-2.0 */
#include "vd_test.h"

#include <stdarg.h>

#include "base/buf.h"
#include "twin/hub/queries/query_count.h"
#include "twin/hub/store/configurations.h"
#include "twin/hub/store/twin_index.h"
#include "twin/hub/queries/twin_walk.h"
#include "unit/twin/hub/hub_fixture.h"

enum { NAMES_BYTES = 65536 };

/* --- random twins and queries, the same in each run --- */

static uint64_t seed;
static int counted; /* queries that the index alone has counted */

static unsigned random_below(unsigned n)
{
	seed = seed * 6364136223846793005U + 1442695040888963407U;
	return (unsigned)(seed >> 33) % n;
}

static const char *const values[] = {
	"1",     "2",     "2.5",    "-0",   "0.001",        "true",     "false",
	"\"1\"", "\"a\"", "\"ab\"", "\"\"", "\"\xc3\xa9\"", "\"LONG\"", "\"LONGER\"",
};
static const char *const paths[] = {
	"tags.a",
	"tags.b",
	"tags.o.a",
	"tags.[[x-y]]",
	"properties.reported.v",
	"properties.reported.deep.v",
	"properties.desired.d",
	"status",
	"connectionState",
	"configurations.c.status",
};
static const char *const states[] = { "'enabled'",      "'disabled'", "'Connected'",
				      "'Disconnected'", "'Applied'",  "'Targeted'" };

/* LONG is longer than what the index keeps. */
static void add_value(struct vd_buf *out, char quote)
{
	const char *value = values[random_below(VD_COUNT(values))];
	char text[256];

	(void)snprintf(text, sizeof text, "%s", value);
	if (strstr(value, "LONG"))
		(void)snprintf(text, sizeof text, "\"%0120d%zu\"", 7, strlen(value));
	for (char *p = text; *p; p++)
		*p = *p == '"' ? quote : *p;
	assert_int_equal(vd_buf_printf(out, "%s", text), 0);
}

static void add_constant(struct vd_buf *out, const char *path)
{
	if (strncmp(path, "tags", 4) != 0 && strncmp(path, "prop", 4) != 0)
		assert_int_equal(vd_buf_printf(out, "%s", states[random_below(6)]), 0);
	else
		add_value(out, '\'');
}

static void add_comparison(struct vd_buf *out)
{
	static const char *const signs[] = { "=", "=", "=", "<", "<=", ">", ">=", "!=" };
	const char *path = paths[random_below(VD_COUNT(paths))];

	switch (random_below(6)) {
	case 0:
		assert_int_equal(vd_buf_printf(out, "%s IN [", path), 0);
		for (unsigned n = random_below(4) + 1; n > 0; n--) {
			add_constant(out, path);
			assert_int_equal(vd_buf_printf(out, n > 1 ? "," : "]"), 0);
		}
		break;
	case 1:
		assert_int_equal(vd_buf_printf(out, "deviceId >= 'd%02u'", random_below(40)), 0);
		break;
	case 2:
		assert_int_equal(vd_buf_printf(out, "IS_DEFINED(%s)", path), 0);
		break;
	default:
		assert_int_equal(
			vd_buf_printf(out, "%s %s ", path, signs[random_below(VD_COUNT(signs))]),
			0);
		add_constant(out, path);
	}
}

static struct vd_query *random_query(void)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };
	struct vd_fault fault = { 0 };
	struct vd_query *query = NULL;

	assert_int_equal(vd_buf_printf(&text, "SELECT * FROM devices%s WHERE ",
				       random_below(4) ? "" : ".modules"),
			 0);
	for (unsigned n = random_below(3) + 1; n > 0; n--) {
		assert_int_equal(vd_buf_printf(&text, random_below(6) ? "" : "NOT "), 0);
		add_comparison(&text);
		if (n > 1)
			assert_int_equal(vd_buf_printf(&text, random_below(3) ? " AND " : " OR "),
					 0);
	}
	if (vd_query_parse(text.data, text.len, &query, &fault) < 0)
		fail_msg("%s: %s", text.data, fault.text);
	return query;
}

/* --- what a walk finds, and what looking at all finds --- */

struct found {
	char names[NAMES_BYTES];
	size_t len;
};

static void add_name(struct found *found, const struct vd_name *name)
{
	found->len += (size_t)snprintf(found->names + found->len, NAMES_BYTES - found->len,
				       "%s/%s ", name->device, name->module);
}

static int found_row(const struct vd_twin_row *row, void *argument)
{
	add_name(argument, &row->name);
	return random_below(3) ? 0 : random_below(2) ? VD_WALK_LAST : 0;
}

static void walk(struct fixture *f, const struct vd_query *query, struct found *found)
{
	struct vd_name at = { 0 };
	int r;

	*found = (struct found){ 0 };
	do {
		VD_CLEANUP(vd_twin_walk_free) struct vd_twin_walk *w = NULL;

		assert_int_equal(vd_twin_walk_new(f->store, query, 0, &at, &w), 0);
		do {
			r = vd_twin_walk_run(w, random_below(2) ? 0 : UINT64_MAX, found_row, found);
			if (r < VD_WALK_END)
				fail_msg("%d", r);
			at = *vd_twin_walk_at(w);
		} while (r == VD_WALK_TIME || (r == VD_WALK_LAST && random_below(2)));
	} while (r != VD_WALK_END);
}

struct look {
	struct fixture *f;
	const struct vd_query *query;
	struct found found;
};

static int look(const struct vd_device *device, void *argument)
{
	struct look *all = argument;
	bool of_modules = vd_query_source(all->query) == VD_QUERY_MODULES;
	cJSON *twin = NULL;

	if ((device->name.module[0] != '\0') != of_modules)
		return 0;
	assert_int_equal(vd_twins_get(all->f->twins, &device->name, &twin, NULL), 0);
	if (vd_query_matches(all->query, twin))
		add_name(&all->found, &device->name);
	(void)vd_json_free(twin);
	return 0;
}

static void compare(struct fixture *f, const struct vd_query *query)
{
	struct look all = { .f = f, .query = query };
	struct found found;
	int64_t count;

	walk(f, query, &found);
	assert_int_equal(vd_store_identities(f->store, look, &all), 0);
	if (vd_query_count(f->store, query, &count) == 0) {
		for (const char *p = all.found.names; *p; p++)
			count -= *p == ' ';
		assert_int_equal(count, 0);
		counted++;
	}
	if (strcmp(found.names, all.found.names) != 0) {
		struct vd_buf text = { 0 };

		(void)!vd_query_print(query, &text);
		fail_msg("%s\nfound: %s\nthere: %s", text.data, found.names, all.found.names);
	}
}

static void check(struct fixture *f)
{
	struct vd_twin_index_report report;

	assert_int_equal(vd_twin_index_check(f->store, &report), 0);
	assert_true(report.missing == 0 && report.stale == 0);
}

/* --- changes --- */

static void ask(struct fixture *f, const char *text, const char *expected)
{
	struct vd_query *query = NULL;
	struct found found;

	assert_int_equal(vd_query_parse(text, strlen(text), &query, NULL), 0);
	seed = 1;
	walk(f, query, &found);
	if (strcmp(found.names, expected) != 0)
		fail_msg("%s: %s", text, found.names);
	query = vd_query_free(query);
}

/* A null may be refused where the whole is replaced. */
static void update(struct fixture *f, const char *id, const char *body, bool is_replace)
{
	struct vd_name name = name_of(id);
	cJSON *json = json_of(body), *twin = NULL;
	const struct vd_twin_update made = {
		.body = json, .is_replace = is_replace, .author = "test", .now_ms = 2000
	};
	struct vd_fault fault = { 0 };
	int r = vd_twins_update(f->twins, &name, &made, &twin, &fault);

	if (r != 0 && !(is_replace && strstr(body, "null")))
		fail_msg("%s: %s %s", body, fault.pointer, fault.text);
	(void)vd_json_free(json);
	(void)vd_json_free(twin);
}

static void report(struct fixture *f, const char *id, const char *patch)
{
	struct vd_name name = name_of(id);
	cJSON *json = json_of(patch);
	int64_t version;

	assert_int_equal(vd_twins_report(f->twins, &name, json, VD_SECTION_ANY_VERSION, 2000,
					 &version, NULL),
			 0);
	(void)vd_json_free(json);
}

static void change_at_random(struct fixture *f, const char *id)
{
	static const char *const forms[] = { "{\"tags\":{\"%s\":", "{\"tags\":{\"o\":{\"%s\":",
					     "{\"properties\":{\"desired\":{\"%s\":" };
	static const char *const ends[] = { "}}", "}}}", "}}}" };
	static const char *const keys[] = { "a", "b", "x-y", "o" };
	VD_CLEANUP(vd_buf_fini) struct vd_buf body = { 0 };
	unsigned form = random_below(3);
	bool is_report = !random_below(3);
	char *value;

	assert_int_equal(vd_buf_printf(&body, "%s", ""), 0);
	if (is_report) {
		assert_int_equal(
			vd_buf_printf(&body, random_below(2) ? "{\"v\":" : "{\"deep\":{\"v\":"), 0);
	} else {
		/* NOLINTNEXTLINE(clang-diagnostic-format-nonliteral) */
		value = strstr(forms[form], "%s");
		assert_int_equal(vd_buf_append(&body, forms[form], (size_t)(value - forms[form])),
				 0);
		assert_int_equal(vd_buf_printf(&body, "%s%s",
					       form == 2 ? "d" : keys[random_below(form ? 2 : 4)],
					       value + 2),
				 0);
	}
	if (random_below(5))
		add_value(&body, '"');
	else
		assert_int_equal(vd_buf_printf(&body, "null"), 0);
	if (is_report)
		assert_int_equal(vd_buf_printf(&body, strstr(body.data, "deep") ? "}}" : "}"), 0);
	else
		assert_int_equal(vd_buf_printf(&body, "%s", ends[form]), 0);
	if (is_report)
		report(f, id, body.data);
	else
		update(f, id, body.data, !random_below(6));
}

static void come_again(struct fixture *f)
{
	struct vd_name name = name_of("d20");

	assert_int_equal(vd_devices_delete(f->devices, &name, "*", NULL), 0);
	register_device(f, "d20", "{}");
	register_device(f, "d20/m", "{}");
}

static void change_identity(struct fixture *f, const char *id)
{
	VD_CLEANUP(vd_json_free)
	cJSON *statuses = json_of(random_below(2)   ? "{\"c\":{\"status\":\"Applied\"}}"
				  : random_below(2) ? "{\"c\":{\"status\":\"Targeted\"}}"
						    : "{}");
	struct vd_name name = name_of(id);

	assert_int_equal(vd_store_set_connected(f->store, &name, random_below(2), 1), 0);
	assert_int_equal(vd_store_statuses_put(f->store, &name, statuses), 0);
}

static void add_configuration(struct fixture *f)
{
	struct vd_configuration c = { .id = "c", .target_text = (char *)(uintptr_t) "" };

	c.content = json_of("{}");
	c.labels = json_of("{}");
	c.metrics = json_of("{}");
	c.results = json_of("{}");
	assert_int_equal(vd_store_configuration_put(f->store, &c), 0);
	c.target_text = NULL;
	vd_configuration_fini(&c);
}

static void register_all(struct fixture *f)
{
	char id[32];

	add_configuration(f);
	for (int i = 0; i < 40; i++) {
		(void)snprintf(id, sizeof id, "d%02d", i);
		register_device(f, id, i % 7 ? "{}" : "{\"status\":\"disabled\"}");
		if (i % 5 == 0) {
			(void)snprintf(id, sizeof id, "d%02d/m", i);
			register_device(f, id, "{}");
		}
	}
}

static void change_some(struct fixture *f, int count)
{
	char id[32];

	for (int i = 0; i < count; i++) {
		unsigned n = random_below(40);

		(void)snprintf(id, sizeof id, n % 5 == 0 && random_below(2) ? "d%02u/m" : "d%02u",
			       n);
		if (random_below(10))
			change_at_random(f, id);
		else
			change_identity(f, id);
	}
}

/* --- tests --- */

static void an_index_gives_what_looking_at_all_gives(void **state)
{
	static const char *const indexed[] = { "tags", "properties.reported.v",
					       "properties.desired" };
	struct fixture *f = *state;

	seed = 42;
	register_all(f);
	assert_int_equal(vd_twin_index_set(f->store, indexed, 3), 0);
	for (int round = 0; round < 60; round++) {
		bool is_done;

		change_some(f, 12);
		if (round % 10 == 9)
			come_again(f);
		if (round == 30)
			assert_int_equal(vd_twin_index_empty(f->store), 0);
		/* Three slices, with changes in between. */
		assert_int_equal(vd_twin_index_build(f->store, 15, &is_done), 0);
		for (int i = 0; i < 40; i++) {
			struct vd_query *query = random_query();

			compare(f, query);
			query = vd_query_free(query);
		}
		if (is_done)
			check(f);
	}
	assert_true(counted > 100);
}

static void what_is_rolled_back_or_deleted_leaves_no_entry(void **state)
{
	struct fixture *f = *state;
	struct vd_name name = name_of("d1");
	struct vd_twin twin;

	register_device(f, "d1", "{}");
	register_device(f, "d1/m", "{}");
	update(f, "d1", "{\"tags\":{\"a\":1}}", false);
	update(f, "d1/m", "{\"tags\":{\"a\":1}}", false);
	assert_int_equal(vd_store_begin(f->store), 0);
	assert_int_equal(vd_store_twin_get(f->store, &name, &twin), 0);
	assert_true(vd_json_add_number(twin.tags, "b", 2));
	assert_int_equal(vd_store_twin_put(f->store, &name, &twin), 0);
	vd_twin_fini(&twin);
	vd_store_rollback(f->store);
	check(f);
	ask(f, "SELECT * FROM devices WHERE tags.a = 1", "d1/ ");
	ask(f, "SELECT * FROM devices.modules WHERE tags.a = 1", "d1/m ");
	assert_int_equal(vd_devices_delete(f->devices, &name, NULL, NULL), 0);
	check(f);
	ask(f, "SELECT * FROM devices WHERE tags.a = 1", "");
}

static void other_paths_empty_the_index_and_the_same_do_not(void **state)
{
	static const char *const more[] = { "tags", "properties.reported.v" };
	struct fixture *f = *state;
	struct vd_twin_index_report found;
	bool is_done;

	register_device(f, "d1", "{}");
	update(f, "d1", "{\"tags\":{\"a\":1}}", false);
	report(f, "d1", "{\"v\":5,\"w\":6}");
	assert_int_equal(vd_twin_index_set(f->store, more, 1), 0);
	assert_int_equal(vd_twin_index_check(f->store, &found), 0);
	assert_true(found.is_built && found.entries == 1);
	assert_int_equal(vd_twin_index_set(f->store, more, 2), 0);
	assert_int_equal(vd_twin_index_check(f->store, &found), 0);
	assert_true(!found.is_built && found.entries == 0 && found.missing == 2);
	ask(f, "SELECT * FROM devices WHERE tags.a = 1", "d1/ ");
	assert_int_equal(vd_twin_index_build(f->store, 100, &is_done), 0);
	assert_true(is_done);
	assert_int_equal(vd_twin_index_check(f->store, &found), 0);
	assert_true(found.is_built && found.entries == 2 && found.missing == 0);
	f->store = vd_store_free(f->store);
	assert_int_equal(vd_store_open(f->database, false, &f->store, NULL), 0);
	assert_int_equal(vd_twin_index_check(f->store, &found), 0);
	assert_true(found.is_built && found.entries == 2 && found.missing == 0);
	assert_int_equal(vd_twin_index_set(f->store, NULL, 0), 0);
	assert_int_equal(vd_twin_index_check(f->store, &found), 0);
	assert_true(found.entries == 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(an_index_gives_what_looking_at_all_gives),
		T(what_is_rolled_back_or_deleted_leaves_no_entry),
		T(other_paths_empty_the_index_and_the_same_do_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
