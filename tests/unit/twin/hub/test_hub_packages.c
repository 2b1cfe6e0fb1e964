/* SPDX-License-Identifier: Apache-2.0 */
#include "vd_test.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#include <event2/event.h>

#include "base/file.h"
#include "base/loop.h"
#include "twin/hub/files/package_gc.h"
#include "twin/hub/files/packages.h"
#include "twin/hub/store/trust.h"
#include "unit/twin/hub/hub_fixture.h"

enum { KEPT = 1000 };

struct packages {
	struct fixture *f;
	struct vd_loop *loop;
	struct vd_private_key *key;
	cJSON *keys;
	struct vd_packages *packages;
	struct vd_package_gc *gc;
	char folder[96];
};

static void open_registry(struct packages *t)
{
	const struct vd_packages_settings settings = {
		.folder = t->folder, .package_bytes = 1000, .store_bytes = 2000, .keys = t->keys
	};

	assert_int_equal(vd_packages_new(t->loop, t->f->store, &settings, &t->packages, NULL), 0);
	assert_int_equal(vd_package_gc_new(t->loop, t->f->store, t->packages, &t->gc), 0);
}

static void close_registry(struct packages *t)
{
	t->gc = vd_package_gc_free(t->gc);
	t->packages = vd_packages_free(t->packages);
}

static int set_up(void **state)
{
	struct packages *t = calloc(1, sizeof *t);
	struct vd_public_key public;
	struct vd_buf line = { 0 };
	void *fixture = NULL;

	assert_int_equal(fixture_set_up(&fixture), 0);
	t->f = fixture;
	(void)snprintf(t->folder, sizeof t->folder, "%s/packages", t->f->folder);
	assert_int_equal(vd_loop_new(&t->loop), 0);
	assert_int_equal(vd_private_key_new(&t->key), 0);
	assert_int_equal(vd_private_key_public(t->key, &public), 0);
	assert_int_equal(vd_public_key_write(&public, &line), 0);
	t->keys = cJSON_CreateArray();
	assert_true(cJSON_AddItemToArray(t->keys, cJSON_CreateString(line.data)));
	vd_buf_fini(&line);
	open_registry(t);
	*state = t;
	return 0;
}

static int tear_down(void **state)
{
	struct packages *t = *state;
	void *fixture = t->f;
	char path[PATH_MAX];

	close_registry(t);
	t->loop = vd_loop_free(t->loop);
	(void)vd_private_key_free(t->key);
	(void)vd_json_free(t->keys);
	(void)snprintf(path, sizeof path, "%s/incoming/body", t->folder);
	(void)unlink(path);
	for (const char *part = "incoming\0staging\0"; *part; part += strlen(part) + 1) {
		(void)snprintf(path, sizeof path, "%s/%s", t->folder, part);
		assert_int_equal(rmdir(path), 0); /* nothing was left behind */
	}
	for (int i = 0; i < 256; i++) { /* shelves, all empty again */
		(void)snprintf(path, sizeof path, "%s/%02x", t->folder, i);
		(void)rmdir(path);
	}
	(void)rmdir(t->folder);
	assert_int_equal(fixture_tear_down(&fixture), 0);
	free(t);
	return 0;
}

static struct vd_package_id id_of(const char *version)
{
	struct vd_package_id id = { .name = "camera", .arch = "x86_64" };

	(void)snprintf(id.version, sizeof id.version, "%s", version);
	return id;
}

/* The archive's bytes are its version; so many files are of no interest here. */
static void write_manifest(const char *version, const char *note, char *out, size_t size)
{
	char digest[VD_SHA256_TEXT], note_digest[VD_SHA256_TEXT];

	assert_int_equal(vd_sha256_text(version, strlen(version), digest), 0);
	assert_int_equal(vd_sha256_text(note, strlen(note), note_digest), 0);
	(void)snprintf(out, size,
		       "{\"format\":1,\"kind\":\"module\",\"name\":\"camera\",\"version\":\"%s\","
		       "\"arch\":\"x86_64\",\"archive\":{\"sha256\":\"%s\",\"bytes\":%zu},"
		       "\"entryPoint\":\"run\",\"protocol\":[1,1],\"files\":["
		       "{\"path\":\"run\",\"sha256\":\"%s\",\"bytes\":1,\"executable\":true},"
		       "{\"path\":\"manifest.json\",\"sha256\":\"%s\",\"bytes\":1}]}",
		       version, digest, strlen(version), digest, note_digest);
}

static int put_signed(struct packages *t, const char *version, const char *manifest,
		      const struct vd_private_key *key, struct vd_fault *fault)
{
	VD_CLEANUP(vd_json_free) cJSON *body = cJSON_CreateObject();
	VD_CLEANUP(vd_json_free) cJSON *json = NULL;
	VD_CLEANUP(vd_buf_fini) struct vd_buf signature = { 0 };
	struct vd_package_id id = id_of(version);
	bool is_new = false;
	int r;

	assert_int_equal(vd_signature_make(key, "x", manifest, strlen(manifest), &signature), 0);
	assert_true(vd_json_add_string(body, "manifest", manifest));
	assert_true(vd_json_add_string(body, "signature", signature.data));
	r = vd_packages_put(t->packages, &id, body, "owner", 5000, &json, &is_new, fault);
	return r == 0 && !is_new ? 1000 : r;
}

static int put(struct packages *t, const char *version, const char *note)
{
	char manifest[1024];

	write_manifest(version, note, manifest, sizeof manifest);
	return put_signed(t, version, manifest, t->key, NULL);
}

static void turn(struct packages *t)
{
	for (int i = 0; i < 20; i++)
		(void)event_base_loop(vd_loop_base(t->loop), EVLOOP_ONCE | EVLOOP_NONBLOCK);
}

/* As the front: the body in incoming, and its name in a header. */
static int send_archive(struct packages *t, const char *version, const char *bytes)
{
	VD_CLEANUP(vd_call_fini) struct vd_call call = { 0 };
	char digest[VD_SHA256_TEXT], target[100], path[PATH_MAX];
	int r;

	assert_int_equal(vd_sha256_text(version, strlen(version), digest), 0);
	(void)snprintf(target, sizeof target, "/package-uploads/%s", digest);
	(void)snprintf(path, sizeof path, "%s/incoming/body", t->folder);
	assert_int_equal(vd_file_write(path, bytes, strlen(bytes), 0600), 0);
	assert_int_equal(vd_call_set_target(&call, target, NULL), 0);
	call.body_file = path;
	r = vd_packages_put_archive(t->packages, &call, 6000, NULL);
	turn(t);
	return r;
}

static int count_one(const struct vd_package_row *row, void *argument)
{
	int *count = argument;

	(*count)++;
	return 0;
}

static int listed(struct packages *t)
{
	int count = 0;

	assert_int_equal(vd_store_package_each(t->f->store, NULL, NULL, 100, count_one, &count), 0);
	return count;
}

static void deliver(struct packages *t, const char *version)
{
	assert_int_equal(put(t, version, "n"), 0);
	assert_int_equal(send_archive(t, version, version), KEPT);
}

static int collect(struct packages *t, bool is_dry)
{
	VD_CLEANUP(vd_call_fini) struct vd_call call = { 0 };
	int count;

	assert_int_equal(vd_package_gc_run(t->gc, &call, INT64_MAX, is_dry, NULL), 0);
	assert_int_equal(call.reply.status, 200);
	count = cJSON_GetArraySize(vd_json_array(call.reply.body, "items"));
	call.reply.body = vd_json_free(call.reply.body);
	return count;
}

/* --- */

static void a_package_is_listed_once_its_archive_has_come(void **state)
{
	struct packages *t = *state;

	assert_int_equal(put(t, "1.0.0", "n"), 0);
	assert_int_equal(listed(t), 0);
	assert_int_equal(send_archive(t, "1.0.0", "1.0.0"), KEPT);
	assert_int_equal(listed(t), 1);
	assert_int_equal(put(t, "1.0.0", "n"), 1000); /* the same again */
	assert_int_equal(collect(t, false), 1);
}

static void an_archive_with_other_bytes_is_refused_and_leaves_nothing(void **state)
{
	struct packages *t = *state;

	assert_int_equal(put(t, "1.0.0", "n"), 0);
	assert_int_equal(send_archive(t, "1.0.0", "1.0.1"), KEPT);
	assert_int_equal(listed(t), 0);
	assert_int_equal(send_archive(t, "1.0.0", "1.0"), VD_REFUSED_ARGUMENT);
	assert_int_equal(send_archive(t, "2.0.0", "2.0.0"), VD_REFUSED_NO_SUCH);
}

static void a_version_never_changes_not_even_after_it_was_deleted(void **state)
{
	struct packages *t = *state;

	deliver(t, "1.0.0");
	assert_int_equal(put(t, "1.0.0", "other"), VD_REFUSED_CONFLICT);
	assert_int_equal(collect(t, false), 1);
	assert_int_equal(listed(t), 0);
	assert_int_equal(put(t, "1.0.0", "other"), VD_REFUSED_CONFLICT);
	deliver(t, "1.0.0");
	assert_int_equal(listed(t), 1);
	assert_int_equal(collect(t, false), 1);
}

static void what_no_trusted_key_has_signed_is_refused_with_the_reason(void **state)
{
	struct packages *t = *state;
	struct vd_private_key *other = NULL;
	struct vd_fault fault = { 0 };
	char manifest[1024];

	assert_int_equal(vd_private_key_new(&other), 0);
	write_manifest("1.0.0", "n", manifest, sizeof manifest);
	assert_int_equal(put_signed(t, "1.0.0", manifest, other, &fault), VD_REFUSED_ARGUMENT);
	assert_string_equal(fault.text, "it is signed with none of the trusted keys");
	assert_string_equal(fault.pointer, "/signature");
	assert_int_equal(put_signed(t, "1.0.1", manifest, t->key, &fault), VD_REFUSED_ARGUMENT);
	assert_string_equal(fault.text, "the manifest is of another name, version or arch");
	(void)vd_private_key_free(other);
}

static int move(struct packages *t, const char *channel, const char *version, int64_t now_ms)
{
	VD_CLEANUP(vd_json_free) cJSON *body = cJSON_CreateObject();

	assert_true(vd_json_add_string(body, "version", version));
	assert_true(vd_json_add_string(body, "comment", "because"));
	return vd_packages_move(t->packages, "camera", "x86_64", channel, body, "owner", now_ms,
				NULL);
}

static int note_move(const struct vd_channel_row *row, void *argument)
{
	char *text = argument;

	(void)snprintf(text + strlen(text), 100, "%s>%s,", row->before, row->version);
	return 0;
}

static void a_channel_points_at_a_version_and_remembers_its_moves(void **state)
{
	struct packages *t = *state;
	char moves[300] = "";

	assert_int_equal(move(t, "stable", "1.0.0", 1), VD_REFUSED_NO_SUCH);
	deliver(t, "1.0.0");
	deliver(t, "1.1.0");
	assert_int_equal(move(t, "stable", "1.0.0", 1), 0);
	assert_int_equal(move(t, "stable", "1.1.0", 2), 0);
	assert_int_equal(move(t, "stable", "1.1.0", 3), 0); /* no move */
	assert_int_equal(move(t, "../x", "1.1.0", 3), VD_REFUSED_ARGUMENT);
	assert_int_equal(collect(t, true), 1); /* 1.0.0 */
	assert_int_equal(
		vd_packages_move(t->packages, "camera", "x86_64", "stable", NULL, "owner", 4, NULL),
		0);
	assert_int_equal(vd_store_channel_moves(t->f->store, "camera", "x86_64", "stable", 10,
						note_move, moves),
			 0);
	assert_string_equal(moves, "1.1.0>,1.0.0>1.1.0,>1.0.0,");
	assert_int_equal(collect(t, false), 2);
}

static void set_desired(struct packages *t, const char *device, const char *patch)
{
	struct vd_name name = name_of(device);
	VD_CLEANUP(vd_json_free) cJSON *json = json_of(patch);
	const struct vd_twin_update update = { .body = json, .author = "test", .now_ms = 9000 };
	cJSON *twin = NULL;

	assert_int_equal(vd_twins_update(t->f->twins, &name, &update, &twin, NULL), 0);
	(void)vd_json_free(twin);
}

static void what_a_desired_document_names_is_kept(void **state)
{
	struct packages *t = *state;
	char digest[VD_SHA256_TEXT], patch[200];

	register_device(t->f, "d1", "{}");
	register_device(t->f, "d2", "{}");
	deliver(t, "1.0.0");
	deliver(t, "1.1.0");
	deliver(t, "1.2.0");
	set_desired(t, "d2",
		    "{\"properties\":{\"desired\":{\"modules\":{\"top\":"
		    "{\"package\":\"camera\",\"version\":\"1.0.0\"}}}}}");
	assert_int_equal(vd_sha256_text("1.2.0", 5, digest), 0);
	(void)snprintf(patch, sizeof patch, "{\"properties\":{\"desired\":{\"x\":\"%s\"}}}",
		       digest);
	set_desired(t, "d1", patch);
	assert_int_equal(collect(t, true), 1);
	assert_int_equal(collect(t, true), 1); /* that was dry */
	assert_int_equal(collect(t, false), 1);
	assert_int_equal(listed(t), 2);
	set_desired(t, "d1", "{\"properties\":{\"desired\":{\"x\":null}}}");
	set_desired(t, "d2", "{\"properties\":{\"desired\":{\"modules\":null}}}");
	assert_int_equal(collect(t, false), 2);
}

static void a_kill_between_database_and_folder_loses_no_archive(void **state)
{
	struct packages *t = *state;
	char digest[VD_SHA256_TEXT], ready[PATH_MAX], place[PATH_MAX];

	deliver(t, "1.0.0");
	assert_int_equal(vd_sha256_text("1.0.0", 5, digest), 0);
	(void)snprintf(ready, sizeof ready, "%s/staging/%s.ready", t->folder, digest);
	(void)snprintf(place, sizeof place, "%s/%.2s/%s", t->folder, digest, digest);
	close_registry(t);
	assert_int_equal(rename(place, ready), 0);
	open_registry(t);
	assert_int_equal(access(place, F_OK), 0);
	assert_int_equal(collect(t, false), 1);
	assert_int_equal(access(place, F_OK), -1);
}

static void the_store_is_bounded_and_manifests_without_archive_expire(void **state)
{
	struct packages *t = *state;
	int64_t bytes = 0;

	assert_int_equal(put(t, "1.0.0", "n"), 0);
	assert_int_equal(vd_store_archive_bytes(t->f->store, &bytes), 0);
	assert_int_equal(bytes, 5);
	vd_packages_sweep(t->packages, 5000 + VD_PACKAGE_AWAITED_S * 1000LL + 1);
	assert_int_equal(vd_store_archive_bytes(t->f->store, &bytes), 0);
	assert_int_equal(bytes, 0);
	assert_int_equal(send_archive(t, "1.0.0", "1.0.0"), VD_REFUSED_NO_SUCH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_package_is_listed_once_its_archive_has_come,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			an_archive_with_other_bytes_is_refused_and_leaves_nothing, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			a_version_never_changes_not_even_after_it_was_deleted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			what_no_trusted_key_has_signed_is_refused_with_the_reason, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			a_channel_points_at_a_version_and_remembers_its_moves, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_a_desired_document_names_is_kept, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_kill_between_database_and_folder_loses_no_archive,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			the_store_is_bounded_and_manifests_without_archive_expire, set_up,
			tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
