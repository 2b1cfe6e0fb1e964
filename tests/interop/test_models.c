/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Networks over ONNX Runtime, from package to verdict. test_models.py brings the runtime and the
 * networks; without it there is nothing to do. Images, and packages around the networks, are made here.
 */
#include "modules/inspect/tools/package.h"

#include <errno.h>
#include <math.h>
#include <sys/stat.h>

#include "modules/image/edit.h"
#include "tests/unit/modules/inspect/model_step.h"

#define CLASSES "\"classes\":[\"red\",\"blue\"]"

static const char *models;

static int find_models(void **state)
{
	models = getenv("VD_MODELS");
	return 0;
}

static void need(const char *name)
{
	char path[512];
	struct stat status;

	(void)snprintf(path, sizeof path, "%s/%s", models ? models : "/nonexistent", name);
	if (stat(path, &status) < 0)
		skip();
}

static void read_in(const char *name, struct vd_buf *bytes)
{
	char path[512];

	(void)snprintf(path, sizeof path, "%s/%s", models, name);
	assert_int_equal(vd_file_read(path, 1 << 28, bytes, NULL), 0);
}

static void digest_of(const char *name, char sha256[static VD_SHA256_TEXT])
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf bytes = { 0 };

	read_in(name, &bytes);
	assert_int_equal(vd_sha256_text(bytes.data, bytes.len, sha256), 0);
}

static void copy_in(const char *name, const char *folder, const char *as,
		    char sha256[static VD_SHA256_TEXT])
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf bytes = { 0 };

	read_in(name, &bytes);
	model_write(folder, as, bytes.data, bytes.len, sha256);
}

/* Around the network of that name; self: what its self-test is shown. */
static void make(struct model_folder *folder, const char *network, const char *body,
		 const struct vd_image *self, const char *expected)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf jpeg = { 0 }, json = { 0 };
	char image[VD_SHA256_TEXT], weights[VD_SHA256_TEXT];

	(void)snprintf(folder->path, sizeof folder->path, "/tmp/model-XXXXXX");
	assert_non_null(mkdtemp(folder->path));
	copy_in(network, folder->path, "network.onnx", weights);
	assert_int_equal(vd_jpeg_encode(self, 95, &jpeg), 0);
	model_write(folder->path, "self.jpg", jpeg.data, jpeg.len, image);
	assert_int_equal(
		vd_buf_printf(&json,
			      "{\"name\":\"%s\",\"version\":\"1\",\"licence\":\"Apache-2.0\","
			      "\"weights\":{\"file\":\"network.onnx\",\"sha256\":\"%s\"},%s,"
			      "\"selfTest\":{\"image\":{\"file\":\"self.jpg\",\"sha256\":\"%s\"},"
			      "\"expected\":%s}}",
			      network, weights, body, image, expected),
		0);
	model_write(folder->path, "model.json", json.data, json.len, folder->sha256);
}

static void drop(const struct model_folder *folder)
{
	char path[256];

	(void)snprintf(path, sizeof path, "%s/network.onnx", folder->path);
	(void)unlink(path);
	model_remove(folder);
}

static void paint(struct vd_image *image, int width, int height, uint8_t r, uint8_t g, uint8_t b)
{
	assert_int_equal(vd_image_shape(image, width, height, VD_RGB), 0);
	for (int i = 0; i < width * height; i++)
		memcpy(vd_image_row(image, i / width) + (size_t)(i % width) * 3,
		       (const uint8_t[]){ r, g, b }, 3);
}

static void open_or_fail(struct station *station, const struct model_folder *folder,
			 const char *tool, const char *rest)
{
	struct vd_fault fault = { 0 };

	if (open_step(station, folder, tool, rest, &fault) < 0)
		fail_msg("%s: %s", fault.pointer, fault.text);
}

static enum vd_verdict look_at(struct station *station, const struct vd_image *colour)
{
	const struct vd_step_view view = { .frame = &station->frame,
					   .colour = colour,
					   .serial = "" };

	vd_step_result_fini(&station->result);
	vd_rig_run(station->rig, 0, &view, &station->result);
	return station->result.verdict;
}

/* ---- classes ---- */

static const char red_or_blue[] =
	"\"input\":{\"width\":8,\"height\":8},\"output\":{\"type\":\"classification\"}," CLASSES;

static void a_classifier_tells_a_class_and_how_sure_it_is(void **state)
{
	VD_CLEANUP(vd_image_fini) struct vd_image self = { 0 }, frame = { 0 };
	struct model_folder folder;
	struct station station;

	need("classifier.onnx");
	paint(&self, 20, 20, 200, 50, 50);
	make(&folder, "classifier.onnx", red_or_blue, &self,
	     "{\"label\":\"red\",\"score\":0.9972}"); /* 1 / (1 + exp(-10 * 150 / 255)) */
	open_or_fail(&station, &folder, "model", ",\"expected\":[\"red\"],\"threads\":2");
	paint(&frame, 100, 80, 210, 40, 60);
	assert_int_equal(look_at(&station, &frame), VD_OK);
	assert_string_equal(station.result.objects.list[0].label, "red");
	assert_float_equal(station.result.values[VD_MEASURE_SCORE],
			   (float)(1 / (1 + exp(-10 * 150.0 / 255))), 1e-4);
	paint(&frame, 100, 80, 40, 60, 220);
	assert_int_equal(look_at(&station, &frame), VD_NG);
	assert_non_null(strstr(station.result.text, "blue"));
	assert_int_equal(look_at(&station, NULL), VD_OK); /* a grey frame: 0.5, which reaches 0.5 */
	close_step(&station);
	drop(&folder);
}

static void a_region_that_follows_the_part_is_fed_in_colour(void **state)
{
	VD_CLEANUP(vd_image_fini) struct vd_image self = { 0 }, frame = { 0 };
	struct vd_step_result located;
	struct model_folder folder;
	struct station station;
	struct vd_step_view view = { .serial = "", .located = &located };

	need("classifier.onnx");
	paint(&self, 20, 20, 200, 50, 50);
	make(&folder, "classifier.onnx", red_or_blue, &self,
	     "{\"label\":\"red\",\"score\":0.9972}");
	open_or_fail(&station, &folder, "model", ",\"expected\":[\"red\"],\"roi\":[40,30,20,20]");
	paint(&frame, 100, 80, 40, 60, 220);
	for (int y = 35; y < 55; y++) {
		for (int x = 50; x < 70; x++)
			memcpy(vd_image_row(&frame, y) + 3 * x, (uint8_t[]){ 220, 60, 40 }, 3);
	}
	view.frame = &station.frame;
	view.colour = &frame;
	vd_step_result_init(&located);
	vd_rig_run(station.rig, 0, &view, &station.result);
	assert_int_equal(station.result.verdict, VD_NG);
	vd_step_result_fini(&station.result);
	located.pose.dx = 10;
	located.pose.dy = 5;
	vd_rig_run(station.rig, 0, &view, &station.result);
	assert_int_equal(station.result.verdict, VD_OK);
	assert_int_equal(station.result.objects.list[0].box.x, 50);
	assert_int_equal(station.result.objects.list[0].box.y, 35);
	close_step(&station);
	drop(&folder);
}

static void a_network_that_is_swapped_fails_its_self_test(void **state)
{
	VD_CLEANUP(vd_image_fini) struct vd_image self = { 0 };
	struct model_folder folder;
	struct vd_package *package = NULL;
	struct vd_fault fault = { 0 };

	need("classifier.onnx");
	paint(&self, 20, 20, 50, 50, 200);
	make(&folder, "classifier.onnx", red_or_blue, &self,
	     "{\"label\":\"red\",\"score\":0.9972}");
	assert_int_equal(vd_package_load(folder.path, folder.sha256, 1, &package, &fault), -EPROTO);
	assert_non_null(strstr(fault.text, "blue"));
	drop(&folder);
	make(&folder, "yolo.onnx", red_or_blue, &self, "{\"label\":\"red\",\"score\":0.9972}");
	assert_int_equal(vd_package_load(folder.path, folder.sha256, 1, &package, &fault), -EPROTO);
	drop(&folder);
}

static void an_answer_that_takes_too_long_is_ended(void **state)
{
	static const char body[] = "\"input\":{\"width\":128,\"height\":128},\"output\":{\"type\":"
				   "\"classification\"}," CLASSES;
	VD_CLEANUP(vd_image_fini) struct vd_image self = { 0 }, frame = { 0 };
	struct model_folder folder;
	struct station station;

	need("slow.onnx");
	paint(&self, 20, 20, 200, 50, 50);
	make(&folder, "slow.onnx", body, &self, "{\"label\":\"red\",\"score\":0.999}");
	open_or_fail(&station, &folder, "model", ",\"expected\":[\"red\"],\"timeoutMs\":1");
	paint(&frame, 100, 80, 210, 40, 60);
	assert_int_equal(look_at(&station, &frame), VD_NO_DECISION);
	assert_non_null(strstr(station.result.text, "timeout"));
	station.set->recipes[0].steps[0].network.timeout_ms = 60000;
	assert_int_equal(look_at(&station, &frame), VD_OK); /* and works again */
	close_step(&station);
	drop(&folder);
}

/* ---- objects ---- */

/* Bright cells of a dark image; the last is at the lower right. */
static void paint_cells(struct vd_image *image, int side, bool has_lower)
{
	assert_int_equal(vd_image_shape(image, 4 * side, 4 * side, VD_GREY), 0);
	memset(image->pixels, 20, image->stride * 4 * (size_t)side);
	for (int y = 0; y < side; y++) {
		memset(vd_image_row(image, y) + side, 250, (size_t)side);
		if (has_lower)
			memset(vd_image_row(image, 3 * side + y) + 3 * side, 230, (size_t)side);
	}
}

static const char expected_cells[] =
	"{\"objects\":[{\"label\":\"up\",\"score\":0.98,\"x\":8,\"y\":0,\"width\":8,\"height\":8},"
	"{\"label\":\"low\",\"score\":0.9,\"x\":24,\"y\":24,\"width\":8,\"height\":8}]}";

static const char detector[] = "\"input\":{\"width\":32,\"height\":32,\"channels\":\"grey\"},"
			       "\"classes\":[\"up\",\"low\"],\"output\":%s";

static void detects(const char *network, const char *output)
{
	VD_CLEANUP(vd_image_fini) struct vd_image self = { 0 };
	struct model_folder folder;
	struct station station;
	char body[1024];

	need(network);
	paint_cells(&self, 8, true);
	(void)snprintf(body, sizeof body, detector, output);
	make(&folder, network, body, &self, expected_cells);
	open_or_fail(&station, &folder, "model",
		     ",\"roi\":[10,6,64,64],\"expected\":[\"up\",\"low\"],"
		     "\"limits\":{\"count\":{\"max\":2}}");
	for (int has_lower = 0; has_lower < 2; has_lower++) {
		VD_CLEANUP(vd_image_fini) struct vd_image cells = { 0 };

		paint_cells(&cells, 16, has_lower);
		for (int y = 0; y < 64; y++)
			memcpy(vd_image_row(&station.frame, 6 + y) + 10, vd_image_row(&cells, y),
			       64);
		assert_int_equal(look(&station), has_lower ? VD_OK : VD_NG);
		assert_int_equal(station.result.objects.count, 1 + has_lower);
		assert_string_equal(station.result.objects.list[0].label, "up");
		assert_in_range(station.result.objects.list[0].box.x, 25, 27);
		assert_in_range(station.result.objects.list[0].box.y, 5, 7);
		assert_in_range(station.result.objects.list[0].box.width, 15, 17);
	}
	assert_in_range(station.result.objects.list[1].box.x, 57, 59);
	close_step(&station);
	drop(&folder);
}

static void a_detector_with_answers_of_their_own_finds_objects(void **state)
{
	detects("ssd.onnx", "{\"type\":\"ssd\",\"boxes\":\"boxes\",\"labels\":\"labels\","
			    "\"scores\":\"scores\"}");
}

static void a_detector_with_one_answer_finds_objects(void **state)
{
	detects("yolo.onnx", "{\"type\":\"yolo\"}");
}

/* ---- text ---- */

/* PGM as test_models.py writes it. */
static void read_pgm(int n, struct vd_image *image)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf bytes = { 0 };
	char name[32];
	int width = 0, height = 0;
	size_t head;

	(void)snprintf(name, sizeof name, "%d.pgm", n);
	read_in(name, &bytes);
	assert_int_equal(sscanf(bytes.data, "P5 %d %d", &width, &height), 2);
	assert_int_equal(vd_image_shape(image, width, height, VD_GREY), 0);
	head = bytes.len - (size_t)width * (size_t)height;
	for (int y = 0; y < height; y++)
		memcpy(vd_image_row(image, y), bytes.data + head + y * width, (size_t)width);
}

static void read_line(int n, char text[static 64])
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf bytes = { 0 };
	char name[32];

	(void)snprintf(name, sizeof name, "%d.txt", n);
	read_in(name, &bytes);
	(void)snprintf(text, 64, "%s", bytes.data);
}

static const char reader[] = "\"input\":{\"width\":320,\"height\":48,\"channels\":\"bgr\",\"fit\":"
			     "\"line\",\"mean\":[0.5],"
			     "\"std\":[0.5]},\"output\":{\"type\":\"text\"},\"hasSpace\":true,"
			     "\"dictionary\":{\"file\":\"symbols.txt\",\"sha256\":\"%s\"}";

static void make_reader(struct model_folder *folder, const struct vd_image *self,
			const char *expected)
{
	char sha256[VD_SHA256_TEXT], body[1024], text[128];

	digest_of("symbols.txt", sha256);
	(void)snprintf(body, sizeof body, reader, sha256);
	(void)snprintf(text, sizeof text, "{\"text\":\"%s\"}", expected);
	make(folder, "rec.onnx", body, self, text);
	copy_in("symbols.txt", folder->path, "symbols.txt", sha256);
}

/* The frame has the line in its middle, and noise. */
static void photograph(const struct vd_image *line, struct vd_image *frame)
{
	uint32_t noise = 1;

	for (int y = 0; y < frame->height; y++) {
		for (int x = 0; x < frame->width; x++) {
			const bool is_in =
				x >= 40 && x < 40 + line->width && y >= 20 && y < 20 + line->height;

			noise = noise * 1664525 + 1013904223;
			vd_image_row(frame, y)[x] =
				(uint8_t)((is_in ? vd_image_row(line, y - 20)[x - 40] : 225) +
					  (int)(noise >> 28) - 8);
		}
	}
}

static void printed_text_is_read_and_compared(void **state)
{
	VD_CLEANUP(vd_image_fini) struct vd_image self = { 0 };
	struct model_folder folder;
	char text[64];

	need("rec.onnx");
	read_pgm(0, &self);
	read_line(0, text);
	make_reader(&folder, &self, text);
	for (int n = 0; n < 3; n++) {
		VD_CLEANUP(vd_image_fini) struct vd_image line = { 0 };
		struct station station;
		char rest[256];

		read_pgm(n, &line);
		read_line(n, text);
		(void)snprintf(rest, sizeof rest,
			       ",\"roi\":[40,20,%d,%d],\"expected\":\"%s\",\"timeoutMs\":20000",
			       line.width, line.height, text);
		open_or_fail(&station, &folder, "ocr", rest);
		assert_int_equal(
			vd_image_shape(&station.frame, line.width + 80, line.height + 40, VD_GREY),
			0);
		photograph(&line, &station.frame);
		assert_int_equal(look(&station), VD_OK);
		assert_string_equal(station.result.read, text);
		assert_true(station.result.values[VD_MEASURE_SCORE] > 0.8);
		memset(vd_image_row(&station.frame, 0), 225,
		       station.frame.stride * (size_t)station.frame.height);
		assert_int_equal(look(&station), VD_NO_DECISION); /* nothing to be read */
		close_step(&station);
	}
	drop(&folder);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_classifier_tells_a_class_and_how_sure_it_is),
	cmocka_unit_test(a_region_that_follows_the_part_is_fed_in_colour),
	cmocka_unit_test(a_network_that_is_swapped_fails_its_self_test),
	cmocka_unit_test(an_answer_that_takes_too_long_is_ended),
	cmocka_unit_test(a_detector_with_answers_of_their_own_finds_objects),
	cmocka_unit_test(a_detector_with_one_answer_finds_objects),
	cmocka_unit_test(printed_text_is_read_and_compared),
};

int main(void)
{
	return cmocka_run_group_tests(tests, find_models, NULL);
}
