/* SPDX-License-Identifier: Apache-2.0 */
#include "vd_test.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#include "base/loop.h"
#include "twin/hub/files/device_access.h"
#include "twin/hub/events.h"
#include "twin/hub/files/image_files.h"
#include "twin/hub/files/images.h"
#include "unit/twin/hub/hub_fixture.h"

enum { DAYS = 2 };

struct images {
	struct fixture *f;
	struct vd_loop *loop;
	struct vd_events *events;
	struct vd_images *images;
	char folder[96];
};

static int set_up(void **state)
{
	struct images *t = calloc(1, sizeof *t);
	void *fixture = NULL;
	struct vd_images_settings settings = { .host_name = "hub.test",
					       .image_bytes = 1000,
					       .store_bytes = 100000,
					       .retention_days = DAYS };

	assert_int_equal(fixture_set_up(&fixture), 0);
	t->f = fixture;
	(void)snprintf(t->folder, sizeof t->folder, "%s/images", t->f->folder);
	settings.folder = t->folder;
	assert_int_equal(vd_loop_new(&t->loop), 0);
	assert_int_equal(vd_events_new(t->loop, t->f->store, &t->events), 0);
	assert_int_equal(
		vd_images_new(t->loop, t->f->store, t->events, &settings, &t->images, NULL), 0);
	register_device(t->f, "d1", "{}");
	*state = t;
	return 0;
}

static int tear_down(void **state)
{
	struct images *t = *state;
	void *fixture = t->f;
	char path[PATH_MAX];

	t->images = vd_images_free(t->images);
	t->events = vd_events_free(t->events);
	t->loop = vd_loop_free(t->loop);
	for (const char *part = "incoming\0staging\0"; *part; part += strlen(part) + 1) {
		(void)snprintf(path, sizeof path, "%s/%s", t->folder, part);
		assert_int_equal(rmdir(path), 0); /* nothing was left behind */
	}
	(void)rmdir(t->folder);
	assert_int_equal(fixture_tear_down(&fixture), 0);
	free(t);
	return 0;
}

static cJSON *offer(struct images *t, const char *name, int64_t now_ms)
{
	cJSON *json = NULL;

	assert_int_equal(vd_images_offer(t->images, "d1", name, now_ms, &json, NULL), 0);
	return json;
}

static int check(struct images *t, const char *target, int64_t now_ms)
{
	VD_CLEANUP(vd_call_fini) struct vd_call call = { 0 };
	struct vd_upload upload;
	struct vd_fault fault = { 0 };

	assert_int_equal(vd_call_set_target(&call, target, &fault), 0);
	return vd_images_check(t->images, &call, now_ms, &upload, &fault);
}

static void an_address_is_good_for_an_hour(void **state)
{
	struct images *t = *state;
	cJSON *json = offer(t, "a b/c.jpg", 5000);
	char target[600];

	(void)snprintf(target, sizeof target, "/device-files/d1/a%%20b/c.jpg%s",
		       vd_json_string(json, "sasToken", ""));
	assert_int_equal(check(t, target, 5000), 0);
	assert_int_equal(check(t, target, 3604999), 0);
	assert_int_equal(check(t, target, 3605000), VD_REFUSED_UNAUTHORIZED);
	vd_images_sweep(t->images, 3605000);
	assert_int_equal(check(t, target, 5000), VD_REFUSED_UNAUTHORIZED);
	(void)vd_json_free(json);
}

static void expired_addresses_make_room_for_others(void **state)
{
	struct images *t = *state;
	cJSON *json = NULL;
	struct vd_fault fault = { 0 };

	for (int i = 0; i < VD_UPLOADS_MAX; i++)
		(void)vd_json_free(offer(t, "x", 5000));
	assert_int_equal(vd_images_offer(t->images, "d1", "y", 5000, &json, &fault),
			 VD_REFUSED_TOO_MANY);
	(void)vd_json_free(offer(t, "y", 3605000));
}

static void a_device_that_begins_a_file_anew_makes_its_own_room(void **state)
{
	struct images *t = *state;

	for (int i = 0; i < 2 * VD_UPLOADS_MAX; i++)
		(void)vd_json_free(offer(t, "x", 5000));
}

static void an_id_with_odd_characters_stays_the_same_in_its_address(void **state)
{
	struct images *t = *state;
	cJSON *json = NULL;
	char target[600];

	assert_int_equal(vd_images_offer(t->images, "a%b?c", "x", 5000, &json, NULL), 0);
	assert_string_equal(vd_json_string(json, "blobName", ""), "a%25b%3Fc/x");
	(void)snprintf(target, sizeof target, "/device-files/%s%s",
		       vd_json_string(json, "blobName", ""), vd_json_string(json, "sasToken", ""));
	assert_int_equal(check(t, target, 5000), 0);
	(void)vd_json_free(json);
}

static void old_images_are_deleted_from_disk_and_database(void **state)
{
	struct images *t = *state;
	struct vd_image image = { .bytes = 3,
				  .digest = "ab00000000000000000000000000000000000000000000000000"
					    "000000000000",
				  .content_type = "image/jpeg",
				  .stored_ms = 1000,
				  .device = "d1",
				  .blob_name = "x" };
	char path[PATH_MAX], place[VD_SHA256_TEXT + 3];
	struct stat file;

	assert_int_equal(vd_store_image_add(t->f->store, &image), 0);
	assert_int_equal(vd_store_image_add(t->f->store, &image), VD_STORE_DUPLICATE);
	(void)snprintf(path, sizeof path, "%s/ab", t->folder);
	assert_int_equal(mkdir(path, 0700), 0);
	(void)snprintf(path, sizeof path, "%s/%s", t->folder,
		       vd_image_files_place(image.digest, place));
	assert_int_equal(close(creat(path, 0600)), 0);
	vd_images_sweep(t->images, 1000 + DAYS * 86400000LL);
	assert_int_equal(stat(path, &file), 0);
	vd_images_sweep(t->images, 1001 + DAYS * 86400000LL);
	assert_int_equal(stat(path, &file), -1);
	assert_int_equal(vd_store_image_find(t->f->store, "d1", "x", &image), VD_STORE_NONE);
	(void)snprintf(path, sizeof path, "%s/ab", t->folder);
	assert_int_equal(rmdir(path), 0);
}

static int read_list(const char *xml, struct vd_buf *parts)
{
	struct vd_fault fault = { 0 };
	int r = vd_block_list_read(xml, strlen(xml), parts, &fault);

	assert_int_equal(r == 0, fault.code == 0);
	return r;
}

static void a_list_of_blocks_names_them_in_order(void **state)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf parts = { 0 };

	assert_int_equal(read_list("\xef\xbb\xbf<?xml version=\"1.0\"?>\n<BlockList>\n"
				   " <Latest>Yg==</Latest><Committed>YQ</Committed>\r\n"
				   "<Uncommitted>+/</Uncommitted></BlockList>\n",
				   &parts),
			 0);
	assert_int_equal(parts.len, 9 + 5 + 5);
	assert_memory_equal(parts.data, "59673d3d\0005951\0002b2f\0", parts.len);
}

static void what_is_no_list_of_blocks_is_refused(void **state)
{
	static const char *const cases[] = {
		"",
		"<BlockList>",
		"<BlockList></BlockList>",
		"<BlockList/>",
		"<BlockList><Latest>YQ</Latest>",
		"<BlockList><Latest></Latest></BlockList>",
		"<BlockList><Latest>YQ</Committed></BlockList>",
		"<BlockList><Latest>YQ</BlockList>",
		"<BlockList><Other>YQ</Other></BlockList>",
		"<BlockList><Latest>YQ</Latest></BlockList>x",
		"<!DOCTYPE x><BlockList><Latest>YQ</Latest></BlockList>",
		"<?xml <BlockList><Latest>YQ</Latest></BlockList>",
	};

	for (size_t i = 0; i < VD_COUNT(cases); i++) {
		VD_CLEANUP(vd_buf_fini) struct vd_buf parts = { 0 };

		assert_int_equal(read_list(cases[i], &parts), VD_REFUSED_ARGUMENT);
	}
}

static void a_body_from_elsewhere_is_not_taken(void **state)
{
	struct images *t = *state;
	char path[PATH_MAX];
	int64_t bytes = 0;

	assert_int_equal(vd_image_files_take(t->folder, "u", "p", NULL, &bytes), -ENODATA);
	assert_int_equal(vd_image_files_take(t->folder, "u", "p", "/etc/passwd", &bytes), -EACCES);
	(void)snprintf(path, sizeof path, "%s/incoming/../../hub.sqlite", t->folder);
	assert_int_equal(vd_image_files_take(t->folder, "u", "p", path, &bytes), -EACCES);
	(void)snprintf(path, sizeof path, "%s/incoming/link", t->folder);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	assert_int_equal(vd_image_files_take(t->folder, "u", "p", path, &bytes), -EACCES);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(vd_image_files_take(t->folder, "u", "p", path, &bytes), -ENOENT);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

VD_TEST_MAIN(T(an_address_is_good_for_an_hour), T(expired_addresses_make_room_for_others),
	     T(a_device_that_begins_a_file_anew_makes_its_own_room),
	     T(an_id_with_odd_characters_stays_the_same_in_its_address),
	     T(old_images_are_deleted_from_disk_and_database),
	     T(a_list_of_blocks_names_them_in_order), T(what_is_no_list_of_blocks_is_refused),
	     T(a_body_from_elsewhere_is_not_taken))
