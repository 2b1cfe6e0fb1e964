/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/camera/v4l2_twin.h"

#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vd_test.h"

#include "base/file.h"

/* A sysfs and a folder of device links, as far as they are looked at. */
struct fixture {
	char folder[64];
};

static void put(const struct fixture *f, const char *path, const char *text)
{
	char full[PATH_MAX];

	(void)snprintf(full, sizeof full, "%s/%s", f->folder, path);
	*strrchr(full, '/') = '\0';
	assert_int_equal(vd_file_make_folders(full, 0700), 0);
	(void)snprintf(full, sizeof full, "%s/%s", f->folder, path);
	assert_int_equal(vd_file_write(full, text, strlen(text), 0600), 0);
}

/* A video node of interface `interface` of the USB device `usb`. */
static void plug_in(const struct fixture *f, const char *node, const char *usb,
		    const char *interface, const char *index)
{
	char path[PATH_MAX], target[PATH_MAX];

	(void)snprintf(path, sizeof path, "devices/%s/%s/driver", usb, interface);
	put(f, path, "uvcvideo\n");
	(void)snprintf(path, sizeof path, "class/video4linux/%s/index", node);
	put(f, path, index);
	(void)snprintf(target, sizeof target, "%s/devices/%s/%s", f->folder, usb, interface);
	(void)snprintf(path, sizeof path, "%s/class/video4linux/%s/device", f->folder, node);
	assert_int_equal(symlink(target, path), 0);
	(void)snprintf(path, sizeof path, "dev/%s", node);
	put(f, path, "");
}

static void identify(const struct fixture *f, const char *usb, const char *serial)
{
	char path[PATH_MAX];

	(void)snprintf(path, sizeof path, "devices/%s/idVendor", usb);
	put(f, path, "046d\n");
	(void)snprintf(path, sizeof path, "devices/%s/idProduct", usb);
	put(f, path, "0825\n");
	if (!serial)
		return;
	(void)snprintf(path, sizeof path, "devices/%s/serial", usb);
	put(f, path, serial);
}

static int has_twin(const struct fixture *f, const char *node, char other[static 64])
{
	char path[PATH_MAX];

	(void)snprintf(path, sizeof path, "%s/dev/%s", f->folder, node);
	other[0] = '\0';
	return vd_v4l2_has_twin(f->folder, path, other, 64);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	assert_non_null(f);
	(void)snprintf(f->folder, sizeof f->folder, "/tmp/vd-sysfs-XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	*state = f;
	return 0;
}

static int unlink_one(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
	return remove(path);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	(void)nftw(f->folder, unlink_one, 8, FTW_DEPTH | FTW_PHYS);
	free(f);
	return 0;
}

static void two_cameras_without_serial_numbers_are_twins(void **state)
{
	const struct fixture *f = *state;
	char other[64];

	identify(f, "1-1", NULL);
	plug_in(f, "video0", "1-1", "1-1:1.0", "0\n");
	plug_in(f, "video1", "1-1", "1-1:1.0", "1\n"); /* its node for metadata */
	assert_int_equal(has_twin(f, "video0", other), 0);
	identify(f, "1-2", NULL);
	plug_in(f, "video2", "1-2", "1-2:1.0", "0\n");
	assert_int_equal(has_twin(f, "video0", other), 1);
	assert_string_equal(other, "video2");
	assert_int_equal(has_twin(f, "video1", other), 0);
}

static void serial_numbers_tell_cameras_apart(void **state)
{
	const struct fixture *f = *state;
	char other[64];

	identify(f, "1-1", "A1\n");
	identify(f, "1-2", "A2\n");
	plug_in(f, "video0", "1-1", "1-1:1.0", "0\n");
	plug_in(f, "video2", "1-2", "1-2:1.0", "0\n");
	assert_int_equal(has_twin(f, "video0", other), 0);
	identify(f, "1-2", "A1\n");
	assert_int_equal(has_twin(f, "video0", other), 1);
}

static void two_sensors_of_one_camera_are_no_twins(void **state)
{
	const struct fixture *f = *state;
	char other[64];

	identify(f, "1-1", "A1\n");
	plug_in(f, "video0", "1-1", "1-1:1.0", "0\n");
	plug_in(f, "video2", "1-1", "1-1:1.2", "0\n");
	assert_int_equal(has_twin(f, "video0", other), 0);
}

static void what_is_on_no_usb_or_not_there_has_no_twin(void **state)
{
	const struct fixture *f = *state;
	char other[64];

	plug_in(f, "video0", "platform", "csi", "0\n");
	plug_in(f, "video1", "platform2", "csi", "0\n");
	assert_int_equal(has_twin(f, "video0", other), 0);
	assert_int_equal(has_twin(f, "video9", other), 0);
}

#define FIXTURE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

VD_TEST_MAIN(FIXTURE(two_cameras_without_serial_numbers_are_twins),
	     FIXTURE(serial_numbers_tell_cameras_apart),
	     FIXTURE(two_sensors_of_one_camera_are_no_twins),
	     FIXTURE(what_is_on_no_usb_or_not_there_has_no_twin))
