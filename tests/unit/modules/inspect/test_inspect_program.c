/* SPDX-License-Identifier: Apache-2.0 */
/* The program itself: the test plays the agent on descriptor 3 and a camera on a frame channel. */
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/ipc/packet.h"
#include "agent/ipc/pool.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/file.h"
#include "tests/unit/modules/vision/scene.h"
#include "tests/unit/modules/inspect/label.h"
#include "tests/unit/modules/inspect/program.h"
#include "vd_test.h"

static void spawn(struct fixture *f)
{
	char *const argv[] = { (char *)(uintptr_t)VD_INSPECT, NULL };
	char *const environment[] = { NULL };
	posix_spawn_file_actions_t actions;
	int pair[2];

	assert_int_equal(vd_packet_pair(0, pair), 0);
	assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
	assert_int_equal(posix_spawn_file_actions_adddup2(&actions, pair[1], 3), 0);
	assert_int_equal(posix_spawn(&f->pid, VD_INSPECT, &actions, NULL, argv, environment), 0);
	(void)posix_spawn_file_actions_destroy(&actions);
	(void)close(pair[1]);
	f->agent = pair[0];
}

static void start(const struct fixture *f, int version, const char *parameters)
{
	char text[4096];

	(void)snprintf(
		text, sizeof text,
		"{\"type\":\"start\",\"instance\":\"st-3\",\"deviceId\":\"d1\","
		"\"stateFolder\":\"%s\",\"heartbeatMs\":50,\"version\":%d,\"parameters\":%s}",
		f->folder, version, parameters);
	send_json(f->agent, text, NULL, 0);
}

static void change(const struct fixture *f, int version, const char *parameters)
{
	char text[4096];

	(void)snprintf(text, sizeof text,
		       "{\"type\":\"parameters\",\"version\":%d,\"parameters\":%s}", version,
		       parameters);
	send_json(f->agent, text, NULL, 0);
}

static void connect_camera(struct fixture *f)
{
	char text[128];
	int pair[2], fd;

	assert_int_equal(vd_packet_pair(0, pair), 0);
	send_json(
		f->agent,
		"{\"type\":\"channel\",\"role\":\"consumer\",\"port\":\"frame\",\"peer\":\"top\"}",
		&pair[1], 1);
	(void)close(pair[1]);
	f->camera = pair[0];
	assert_int_equal(vd_pool_new(SLOTS, SLOT_BYTES, &f->pool), 0);
	fd = vd_pool_fd(f->pool);
	(void)snprintf(text, sizeof text, "{\"type\":\"pool\",\"slots\":%d,\"slotBytes\":%zu}",
		       SLOTS, vd_pool_slot_bytes(f->pool));
	send_json(f->camera, text, &fd, 1);
}

static void begin(struct fixture *f, const char *parameters)
{
	*f = (struct fixture){ .folder = "/tmp/inspect-XXXXXX", .camera = -1 };
	assert_non_null(mkdtemp(f->folder));
	spawn(f);
	assert_string_equal(vd_json_string(await(f, "hello"), "name", ""), "inspect");
	start(f, 6, parameters);
}

static void forget(const struct fixture *f, const char *name)
{
	char path[128];

	(void)snprintf(path, sizeof path, "%s/%s", f->folder, name);
	(void)unlink(path);
}

static void end(struct fixture *f)
{
	char path[128];
	int status;

	send_json(f->agent, "{\"type\":\"stop\"}", NULL, 0);
	assert_int_equal(waitpid(f->pid, &status, 0), f->pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	vd_packet_fini(&f->packet);
	(void)close(f->agent);
	if (f->camera >= 0)
		(void)close(f->camera);
	(void)vd_pool_free(f->pool);
	forget(f, "models/cap.vdmodel");
	forget(f, "triggers.journal");
	forget(f, "panel.json");
	(void)snprintf(path, sizeof path, "%s/models", f->folder);
	(void)rmdir(path);
	forget(f, "t.jpg");
	assert_int_equal(rmdir(f->folder), 0);
}

static void send_sized(struct fixture *f, const void *bytes, size_t len, int width, int height)
{
	char text[512];
	unsigned slot = f->next_slot++ % SLOTS;

	f->seq++;
	memcpy(vd_pool_slot(f->pool, slot), bytes, len);
	(void)snprintf(text, sizeof text,
		       "{\"type\":\"frame\",\"slot\":%u,\"bytes\":%zu,\"format\":\"jpeg\","
		       "\"width\":%d,\"height\":%d,\"seq\":%lld,\"source\":\"top\",\"tMono\":%llu,"
		       "\"tWall\":\"2026-01-02T03:04:05.678Z\",\"serial\":\"S1\","
		       "\"trigger\":{\"source\":\"timer\",\"seq\":%lld,\"tMono\":1}}",
		       slot, len, width, height, (long long)f->seq,
		       (unsigned long long)vd_clock_mono_ms(), (long long)f->seq);
	send_json(f->camera, text, NULL, 0);
}

static void send_frame(struct fixture *f, const void *bytes, size_t len)
{
	send_sized(f, bytes, len, WIDTH, HEIGHT);
}

/* The next verdict, acknowledged as durable. */
static const cJSON *await_verdict(struct fixture *f)
{
	const cJSON *packet = await(f, "publish");
	char text[128];

	assert_string_equal(vd_json_string(packet, "output", ""), "verdict");
	assert_string_equal(vd_json_string(packet, "class", ""), "verdict");
	(void)snprintf(text, sizeof text, "{\"type\":\"stored\",\"id\":%lld,\"seq\":1}",
		       (long long)vd_json_int(packet, "id", 0));
	send_json(f->agent, text, NULL, 0);
	return vd_json_object(packet, "body");
}

static void make_template(const struct fixture *f, struct vd_buf *jpeg)
{
	struct scene_capture capture = scene_plain(WIDTH, HEIGHT);
	char path[128];

	scene_jpeg(&capture, jpeg);
	(void)snprintf(path, sizeof path, "%s/t.jpg", f->folder);
	assert_int_equal(vd_file_write(path, jpeg->data, jpeg->len, 0600), 0);
}

static const char *golden(const struct fixture *f, int queue, char text[static 512])
{
	(void)snprintf(text, 512,
		       "{\"active\":\"cap\",\"queueMax\":%d,\"recipes\":{\"cap\":{\"rev\":3,"
		       "\"cameras\":[\"top\"],\"images\":{\"keep\":{\"OK\":\"all\"}},\"steps\":{"
		       "\"b\":{\"camera\":\"top\",\"tool\":\"golden\",\"golden\":{\"file\":"
		       "\"%s/t.jpg\"}}}}}}",
		       queue, f->folder);
	return text;
}

static void begin_golden(struct fixture *f, int queue, struct vd_buf *jpeg)
{
	char text[512];

	begin(f, "{\"active\":\"x\",\"recipes\":{\"y\":{\"rev\":1,\"cameras\":[\"top\"],"
		 "\"steps\":{\"b\":{\"camera\":\"top\",\"tool\":\"variation\"}}}}}");
	assert_string_equal(vd_json_string(await(f, "refused"), "pointer", ""), "/active");
	make_template(f, jpeg);
	change(f, 7, golden(f, queue, text));
	assert_int_equal(vd_json_int(await(f, "applied"), "version", 0), 7);
	(void)await(f, "ready");
	connect_camera(f);
}

static void a_frame_becomes_a_verdict_with_its_evidence_bit_for_bit(void **state)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf jpeg = { 0 };
	struct fixture f;
	const cJSON *body, *original;
	void *map;

	begin_golden(&f, 8, &jpeg);
	send_frame(&f, jpeg.data, jpeg.len);
	body = await_verdict(&f);
	assert_string_equal(vd_json_string(body, "verdict", ""), "OK");
	assert_string_equal(vd_json_string(body, "serial", ""), "S1");
	assert_string_equal(vd_json_string(body, "station", ""), "st-3");
	assert_int_equal(vd_json_int(body, "parametersVersion", 0), 7);
	assert_int_equal(vd_json_int(vd_json_object(body, "trigger"), "seq", 0), 1);
	assert_int_equal(f.packet.fd_count, 2);
	original = cJSON_GetArrayItem(vd_json_array(f.packet.json, "attachments"), 1);
	assert_string_equal(vd_json_string(original, "name", ""), "original.jpg");
	assert_int_equal(vd_json_int(original, "bytes", 0), jpeg.len);
	map = mmap(NULL, jpeg.len, PROT_READ, MAP_SHARED, f.packet.fds[1], 0);
	assert_ptr_not_equal(map, MAP_FAILED);
	assert_memory_equal(map, jpeg.data, jpeg.len);
	(void)munmap(map, jpeg.len);
	end(&f);
}

static void what_an_image_step_keeps_goes_along(void **state)
{
	static const char steps[] =
		"{\"active\":\"cap\",\"recipes\":{\"cap\":{\"rev\":3,\"cameras\":[\"top\"],"
		"\"images\":{\"keep\":{\"OK\":\"all\"}},\"steps\":{\"corner\":{\"camera\":"
		"\"top\",\"tool\":\"image\",\"keep\":true,\"operations\":[{\"crop\":[1,2,33,21]}"
		"]},\"lit\":{\"camera\":\"top\",\"tool\":\"presence\",\"input\":\"corner\","
		"\"limits\":{\"mean\":{\"min\":1}}}}}}}";
	VD_CLEANUP(vd_buf_fini) struct vd_buf jpeg = { 0 };
	struct fixture f;
	const cJSON *body, *kept;

	begin_golden(&f, 8, &jpeg);
	change(&f, 8, steps);
	assert_int_equal(vd_json_int(await(&f, "applied"), "version", 0), 8);
	send_frame(&f, jpeg.data, jpeg.len);
	body = await_verdict(&f);
	assert_string_equal(vd_json_string(body, "verdict", ""), "OK");
	assert_int_equal(f.packet.fd_count, 3);
	kept = cJSON_GetArrayItem(vd_json_array(f.packet.json, "attachments"), 2);
	assert_string_equal(vd_json_string(kept, "name", ""), "image-corner.jpg");
	assert_string_equal(vd_json_string(kept, "type", ""), "image/jpeg");
	end(&f);
}

static void every_frame_has_exactly_one_verdict_also_when_the_queue_is_full(void **state)
{
	enum { FRAMES = 40 };
	VD_CLEANUP(vd_buf_fini) struct vd_buf jpeg = { 0 };
	bool seen[FRAMES + 1] = { false };
	struct fixture f;
	int full = 0;

	begin_golden(&f, 1, &jpeg);
	for (int i = 0; i < FRAMES; i++)
		send_frame(&f, jpeg.data, jpeg.len);
	for (int i = 0; i < FRAMES; i++) {
		const cJSON *body = await_verdict(&f);
		const int64_t seq = vd_json_int(vd_json_object(body, "trigger"), "seq", 0);
		const char *verdict = vd_json_string(body, "verdict", "");

		assert_in_range(seq, 1, FRAMES);
		assert_false(seen[seq]);
		seen[seq] = true;
		full += strcmp(verdict, "NO_DECISION") == 0;
		if (strcmp(verdict, "NO_DECISION") == 0)
			assert_non_null(strstr(vd_json_array(body, "reasons")->child->valuestring,
					       "queue_full"));
	}
	assert_in_range(full, 1, FRAMES - 1);
	end(&f);
}

static void a_failed_capture_has_a_verdict(void **state)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf jpeg = { 0 };
	struct fixture f;
	const cJSON *body;

	begin_golden(&f, 8, &jpeg);
	send_json(f.camera,
		  "{\"type\":\"captureFailed\",\"seq\":1,\"source\":\"top\",\"tMono\":1,"
		  "\"tWall\":\"2026-01-02T03:04:05.678Z\",\"text\":\"unplugged\"}",
		  NULL, 0);
	body = await_verdict(&f);
	assert_string_equal(vd_json_string(body, "verdict", ""), "NO_DECISION");
	assert_string_equal(vd_json_array(body, "reasons")->child->valuestring,
			    "top: capture_failed: unplugged");
	end(&f);
}

/* The steps of a good label, on its own photograph. */
static void begin_label(struct fixture *f, struct vd_buf *jpeg)
{
	char text[3072], steps[2048], path[128];
	const char *mark = strstr(LABEL_STEPS, "%s");

	begin(f, "{\"active\":\"x\",\"recipes\":{\"y\":{\"rev\":1,\"cameras\":[\"top\"],"
		 "\"steps\":{\"b\":{\"camera\":\"top\",\"tool\":\"variation\"}}}}}");
	assert_string_equal(vd_json_string(await(f, "refused"), "pointer", ""), "/active");
	label_photograph(&label_good, jpeg);
	(void)snprintf(path, sizeof path, "%s/t.jpg", f->folder);
	assert_int_equal(vd_file_write(path, jpeg->data, jpeg->len, 0600), 0);
	(void)snprintf(steps, sizeof steps, "%.*s%s%s", (int)(mark - LABEL_STEPS), LABEL_STEPS,
		       path, mark + 2);
	(void)snprintf(text, sizeof text,
		       "{\"active\":\"cap\",\"recipes\":{\"cap\":{\"rev\":3,\"cameras\":["
		       "\"top\"],\"steps\":{%s}}}}",
		       steps);
	change(f, 7, text);
	assert_int_equal(vd_json_int(await(f, "applied"), "version", 0), 7);
	(void)await(f, "ready");
	connect_camera(f);
}

static void tools_that_measure_judge_frames_and_say_what_they_measured(void **state)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf jpeg = { 0 };
	struct label bad = label_good;
	struct fixture f;
	const cJSON *body;

	begin_label(&f, &jpeg);
	send_sized(&f, jpeg.data, jpeg.len, LABEL_WIDTH, LABEL_HEIGHT);
	body = await_verdict(&f);
	assert_string_equal(vd_json_string(body, "verdict", ""), "OK");
	assert_int_equal(vd_json_int(vd_json_at(body, "/steps/holes/measures"), "count", 0), 5);
	bad.holes = 4;
	bad.is_green = true;
	label_photograph(&bad, &jpeg);
	send_sized(&f, jpeg.data, jpeg.len, LABEL_WIDTH, LABEL_HEIGHT);
	body = await_verdict(&f);
	assert_string_equal(vd_json_string(body, "verdict", ""), "NG");
	assert_int_equal(cJSON_GetArraySize(vd_json_array(body, "reasons")), 2);
	assert_string_equal(vd_json_string(vd_json_at(body, "/steps/paint"), "measure", ""),
			    "deltaE");
	bad.is_blurred = true;
	label_photograph(&bad, &jpeg);
	send_sized(&f, jpeg.data, jpeg.len, LABEL_WIDTH, LABEL_HEIGHT);
	body = await_verdict(&f);
	assert_string_equal(vd_json_string(vd_json_at(body, "/steps/holes"), "text", ""),
			    "gated: step sharp");
	end(&f);
}

static void refused_parameters_leave_the_old_ones_in_force(void **state)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf jpeg = { 0 };
	struct fixture f;
	char parameters[512];

	begin_golden(&f, 8, &jpeg);
	change(&f, 8,
	       "{\"active\":\"cap\",\"recipes\":{\"cap\":{\"rev\":4,\"cameras\":[\"top\"],"
	       "\"steps\":{\"b\":{\"camera\":\"low\",\"tool\":\"variation\"}}}}}");
	assert_string_equal(vd_json_string(await(&f, "refused"), "pointer", ""),
			    "/recipes/cap/steps/b/camera");
	send_frame(&f, jpeg.data, jpeg.len);
	assert_int_equal(vd_json_int(await_verdict(&f), "parametersVersion", 0), 7);
	change(&f, 9, golden(&f, 4, parameters));
	assert_int_equal(vd_json_int(await(&f, "applied"), "version", 0), 9);
	send_frame(&f, jpeg.data, jpeg.len);
	assert_int_equal(vd_json_int(await_verdict(&f), "parametersVersion", 0), 9);
	end(&f);
}

static void it_reports_what_it_counts_and_what_it_has_learnt(void **state)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf jpeg = { 0 };
	struct fixture f;
	const cJSON *body;

	begin_golden(&f, 8, &jpeg);
	send_frame(&f, jpeg.data, jpeg.len);
	(void)await_verdict(&f);
	for (int i = 0; i < 3; i++) {
		body = vd_json_object(await(&f, "report"), "body");
		if (vd_json_int(vd_json_object(body, "counters"), "stored", 0) == 1)
			break;
	}
	assert_int_equal(vd_json_int(vd_json_object(body, "counters"), "OK", 0), 1);
	assert_int_equal(vd_json_int(body, "unstored", 9), 0);
	assert_string_equal(vd_json_string(body, "recipe", ""), "cap");
	assert_string_equal(vd_json_string(vd_json_object(body, "model"), "state", ""), "ready");
	send_json(f.agent, "{\"type\":\"call\",\"id\":5,\"method\":\"learn\",\"body\":{}}", NULL,
		  0);
	assert_int_equal(vd_json_int(await(&f, "answer"), "status", 0), 409);
	end(&f);
}

static void learning_is_restarted_by_a_call(void **state)
{
	struct fixture f;
	const cJSON *body = NULL;

	begin(&f, "{\"active\":\"cap\",\"recipes\":{\"cap\":{\"rev\":1,\"cameras\":[\"top\"],"
		  "\"learning\":{\"parts\":5,\"state\":\"off\"},"
		  "\"steps\":{\"b\":{\"camera\":\"top\",\"tool\":\"variation\"}}}}}");
	(void)await(&f, "ready");
	send_json(f.agent, "{\"type\":\"call\",\"id\":5,\"method\":\"learn\",\"body\":{}}", NULL,
		  0);
	assert_int_equal(vd_json_int(await(&f, "answer"), "status", 0), 200);
	for (int i = 0; i < 3; i++) {
		body = vd_json_object(vd_json_object(await(&f, "report"), "body"), "model");
		if (strcmp(vd_json_string(body, "state", ""), "collecting") == 0)
			break;
	}
	assert_string_equal(vd_json_string(body, "state", ""), "collecting");
	assert_int_equal(vd_json_int(body, "wanted", 0), 5);
	end(&f);
}

static void it_ends_when_the_agent_is_gone(void **state)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf jpeg = { 0 };
	struct fixture f;
	int status;

	begin_golden(&f, 8, &jpeg);
	vd_packet_fini(&f.packet);
	(void)close(f.agent);
	assert_int_equal(waitpid(f.pid, &status, 0), f.pid);
	assert_true(WIFEXITED(status));
	(void)close(f.camera);
	(void)vd_pool_free(f.pool);
	forget(&f, "t.jpg");
	forget(&f, "triggers.journal");
	assert_int_equal(rmdir(f.folder), 0);
}

static void answer_with(const struct fixture *f, const cJSON *packet, const char *type)
{
	char text[160];

	(void)snprintf(text, sizeof text,
		       "{\"type\":\"%s\",\"id\":%lld,\"seq\":41,\"text\":\"outbox is full\"}", type,
		       (long long)vd_json_int(packet, "id", 0));
	send_json(f->agent, text, NULL, 0);
}

static void a_refused_verdict_is_offered_again_until_it_is_stored(void **state)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf jpeg = { 0 };
	char first[64] = "";
	struct fixture f;
	const cJSON *body;

	begin_golden(&f, 8, &jpeg);
	send_frame(&f, jpeg.data, jpeg.len);
	for (int i = 0; i < 4; i++) {
		const cJSON *packet = await(&f, "publish");

		body = vd_json_object(packet, "body");
		if (i == 0)
			(void)snprintf(first, sizeof first, "%s",
				       vd_json_string(body, "itemId", ""));
		assert_string_equal(vd_json_string(body, "itemId", ""), first);
		assert_int_equal(f.packet.fd_count, 2);
		answer_with(&f, packet, i < 3 ? "rejected" : "stored");
	}
	for (int i = 0; i < 4; i++) {
		body = vd_json_object(await(&f, "report"), "body");
		if (vd_json_int(vd_json_object(body, "counters"), "stored", 0) == 1)
			break;
	}
	assert_int_equal(vd_json_int(vd_json_object(body, "counters"), "refused", 0), 3);
	assert_int_equal(vd_json_int(vd_json_object(body, "counters"), "lost", 9), 0);
	assert_int_equal(vd_json_int(body, "refusedWaiting", 9), 0);
	end(&f);
}

static void verdicts_that_stay_refused_raise_an_alarm_and_clear_it(void **state)
{
	enum { FRAMES = 3 };
	VD_CLEANUP(vd_buf_fini) struct vd_buf jpeg = { 0 };
	bool stores = false;
	int raised = 0, cleared = 0, stored = 0;
	struct fixture f;

	begin_golden(&f, 8, &jpeg);
	for (int i = 0; i < FRAMES; i++)
		send_frame(&f, jpeg.data, jpeg.len);
	while (cleared == 0) {
		const cJSON *packet = await(&f, "publish");
		const cJSON *body = vd_json_object(packet, "body");
		const bool is_alarm = strcmp(vd_json_string(packet, "output", ""), "alarm") == 0;

		if (is_alarm) {
			assert_string_equal(vd_json_string(packet, "class", ""), "alarm");
			assert_string_equal(vd_json_string(body, "alarm", ""), "verdictsRefused");
			assert_string_equal(vd_json_string(body, "station", ""), "st-3");
			if (strcmp(vd_json_string(body, "state", ""), "raised") == 0)
				raised++;
			else
				cleared++;
			stores = true;
		}
		stored += stores && !is_alarm;
		answer_with(&f, packet, stores ? "stored" : "rejected");
	}
	assert_int_equal(raised, 1);
	assert_int_equal(stored, FRAMES);
	end(&f);
}

static void what_is_still_refused_at_the_end_does_not_hold_the_line(void **state)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf jpeg = { 0 };
	struct fixture f;

	begin_golden(&f, 8, &jpeg);
	send_frame(&f, jpeg.data, jpeg.len);
	answer_with(&f, await(&f, "publish"), "rejected");
	usleep(150000); /* the agent has it again */
	send_json(f.agent, "{\"type\":\"stop\"}", NULL, 0);
	answer_with(&f, await(&f, "publish"), "rejected");
	end(&f);
}

static void an_override_leaves_on_an_output_of_its_own(void **state)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf jpeg = { 0 };
	char text[256], id[64];
	const cJSON *packet;
	struct fixture f;

	begin_golden(&f, 8, &jpeg);
	send_frame(&f, jpeg.data, jpeg.len);
	(void)snprintf(id, sizeof id, "%s", vd_json_string(await_verdict(&f), "itemId", ""));
	(void)snprintf(text, sizeof text,
		       "{\"type\":\"call\",\"id\":5,\"method\":\"override\",\"body\":{\"itemId\":"
		       "\"%s\",\"verdict\":\"NG\",\"by\":\"shift\",\"reason\":\"dent\"}}",
		       id);
	send_json(f.agent, text, NULL, 0);
	packet = await(&f, "answer");
	assert_int_equal(vd_json_int(packet, "status", 0), 200);
	packet = await(&f, "publish");
	assert_string_equal(vd_json_string(packet, "output", ""), "override");
	assert_string_equal(vd_json_string(packet, "class", ""), "verdict");
	assert_string_equal(vd_json_string(vd_json_at(packet, "/body"), "supersedes", ""), id);
	assert_string_equal(vd_json_string(vd_json_at(packet, "/body/override"), "from", ""), "OK");
	answer_with(&f, packet, "stored");
	send_json(f.agent, "{\"type\":\"call\",\"id\":6,\"method\":\"override\",\"body\":{}}", NULL,
		  0);
	assert_int_equal(vd_json_int(await(&f, "answer"), "status", 0), 400);
	send_json(f.agent, "{\"type\":\"call\",\"id\":7,\"method\":\"rollback\",\"body\":{}}", NULL,
		  0);
	assert_int_equal(vd_json_int(await(&f, "answer"), "status", 0), 409);
	end(&f);
}

/* ---- triggers of the station's own ---- */

/* The golden recipe under another revision and with other parameters beside. */
static void change_golden(const struct fixture *f, int version, const char *recipe,
			  const char *beside)
{
	char text[1024];

	(void)snprintf(text, sizeof text,
		       "{\"active\":\"cap\",\"recipes\":{\"cap\":{%s,\"cameras\":[\"top\"],"
		       "\"steps\":{\"b\":{\"camera\":\"top\",\"tool\":\"golden\",\"golden\":{"
		       "\"file\":\"%s/t.jpg\"}}}}}%s}",
		       recipe, f->folder, beside);
	change(f, version, text);
}

static const cJSON *await_output(struct fixture *f, const char *output)
{
	const cJSON *packet;

	do {
		packet = await(f, "publish");
	} while (strcmp(vd_json_string(packet, "output", ""), output) != 0);
	return packet;
}

/* Calls inspect; the cameras are asked for the item before the call is answered. */
static void inspect(struct fixture *f, const char *serial, char item_id[static VD_UUID_TEXT])
{
	char text[160];
	const cJSON *body;

	(void)snprintf(text, sizeof text,
		       "{\"type\":\"call\",\"id\":9,\"method\":\"inspect\","
		       "\"body\":{\"serial\":\"%s\"}}",
		       serial);
	send_json(f->agent, text, NULL, 0);
	body = vd_json_object(await_output(f, "capture"), "body");
	assert_string_equal(vd_json_string(body, "camera", ""), "top");
	assert_string_equal(vd_json_string(body, "serial", ""), serial);
	(void)snprintf(item_id, VD_UUID_TEXT, "%s", vd_json_string(body, "triggerId", ""));
	body = await(f, "answer");
	assert_int_equal(vd_json_int(body, "status", 0), 200);
	assert_string_equal(vd_json_string(vd_json_object(body, "body"), "itemId", ""), item_id);
}

/* The camera's answer to a trigger, captured so long ago. */
static void answer_trigger(struct fixture *f, const struct vd_buf *jpeg, const char *item_id,
			   unsigned ago_ms)
{
	char text[512];
	const unsigned slot = f->next_slot++ % SLOTS;

	f->seq++;
	memcpy(vd_pool_slot(f->pool, slot), jpeg->data, jpeg->len);
	(void)snprintf(text, sizeof text,
		       "{\"type\":\"frame\",\"slot\":%u,\"bytes\":%zu,\"format\":\"jpeg\","
		       "\"width\":%d,\"height\":%d,\"seq\":%lld,\"source\":\"top\",\"tMono\":%llu,"
		       "\"tWall\":\"2026-01-02T03:04:05.678Z\",\"trigger\":{\"source\":\"message\","
		       "\"seq\":%lld,\"tMono\":1,\"id\":\"%s\"}}",
		       slot, jpeg->len, WIDTH, HEIGHT, (long long)f->seq,
		       (unsigned long long)(vd_clock_mono_ms() - ago_ms), (long long)f->seq,
		       item_id);
	send_json(f->camera, text, NULL, 0);
}

static void expect_verdict(const cJSON *body, const char *item_id, const char *verdict, int rev,
			   int version)
{
	assert_string_equal(vd_json_string(body, "itemId", ""), item_id);
	assert_string_equal(vd_json_string(body, "verdict", ""), verdict);
	assert_int_equal(vd_json_int(body, "rev", 0), rev);
	assert_int_equal(vd_json_int(body, "parametersVersion", 0), version);
}

static const char *first_reason(const cJSON *body)
{
	return vd_json_array(body, "reasons")->child->valuestring;
}

/* kill -9, and the program once more with the same state folder and these parameters. */
static void kill_and_start(struct fixture *f, int version, const char *recipe)
{
	vd_packet_fini(&f->packet);
	f->packet = (struct vd_packet){ 0 };
	assert_int_equal(kill(f->pid, SIGKILL), 0);
	assert_int_equal(waitpid(f->pid, NULL, 0), f->pid);
	(void)close(f->agent);
	(void)close(f->camera);
	f->camera = -1;
	f->pool = vd_pool_free(f->pool);
	spawn(f);
	(void)await(f, "hello");
	start(f, version, "{}"); /* refused: what is open is told of under good ones only */
	(void)await(f, "refused");
	change_golden(f, version + 1, recipe, "");
}

static void five_triggers_that_wait_are_judged_by_the_recipe_they_came_under(void **state)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf jpeg = { 0 };
	char ids[6][VD_UUID_TEXT];
	struct fixture f;

	begin_golden(&f, 8, &jpeg);
	for (int i = 0; i < 5; i++)
		inspect(&f, "S-1", ids[i]);
	change_golden(&f, 8, "\"rev\":4,\"exposure\":{\"meanMin\":250,\"meanMax\":255}", "");
	assert_int_equal(vd_json_int(await(&f, "applied"), "version", 0), 8);
	inspect(&f, "S-2", ids[5]);
	for (int i = 0; i < 6; i++) {
		answer_trigger(&f, &jpeg, ids[i], 0);
		if (i < 5)
			expect_verdict(await_verdict(&f), ids[i], "OK", 3, 7);
		else
			expect_verdict(await_verdict(&f), ids[i], "NO_DECISION", 4, 8);
	}
	end(&f);
}

static void only_a_frame_that_answers_its_trigger_joins_an_item(void **state)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf jpeg = { 0 };
	char first[VD_UUID_TEXT], second[VD_UUID_TEXT];
	struct fixture f;
	const cJSON *body;

	begin_golden(&f, 8, &jpeg);
	change_golden(&f, 8, "\"rev\":4",
		      ",\"deadlineMs\":300,\"trigger\":{\"camera\":{\"enabled\":false}}");
	(void)await(&f, "applied");
	inspect(&f, "S-1", first);
	answer_trigger(&f, &jpeg, first, 60000); /* older than the trigger */
	answer_trigger(&f, &jpeg, "nobody", 0);  /* another's */
	send_frame(&f, jpeg.data, jpeg.len);     /* of the camera's own accord */
	body = await_verdict(&f);
	expect_verdict(body, first, "NO_DECISION", 4, 8);
	assert_non_null(strstr(first_reason(body), "missing"));
	answer_trigger(&f, &jpeg, first, 0); /* too late: nothing comes of it */
	inspect(&f, "S-2", second);
	answer_trigger(&f, &jpeg, second, 0);
	expect_verdict(await_verdict(&f), second, "OK", 4, 8);
	do {
		body = vd_json_object(vd_json_object(await(&f, "report"), "body"), "counters");
	} while (vd_json_int(body, "OK", 0) < 1);
	assert_int_equal(vd_json_int(body, "oldFrames", 0), 1);
	assert_int_equal(vd_json_int(body, "lateFrames", 0), 2);
	end(&f);
}

static void a_trigger_that_a_crash_left_open_is_told_of_once_under_its_item(void **state)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf jpeg = { 0 };
	char ids[2][VD_UUID_TEXT];
	const cJSON *packet;
	struct fixture f;

	begin_golden(&f, 8, &jpeg);
	inspect(&f, "S-1", ids[0]);
	inspect(&f, "S-2", ids[1]);
	answer_trigger(&f, &jpeg, ids[0], 0);
	packet = await_output(&f, "verdict"); /* and the agent never says that it has it */
	assert_string_equal(vd_json_string(packet, "key", ""), ids[0]);
	kill_and_start(&f, 8, "\"rev\":4"); /* the recipe is another one now */
	for (int i = 0; i < 2; i++) {
		packet = await_output(&f, "verdict");
		assert_string_equal(vd_json_string(packet, "key", ""), ids[i]);
		expect_verdict(vd_json_object(packet, "body"), ids[i], "NO_DECISION", 3, 7);
		assert_non_null(strstr(first_reason(vd_json_object(packet, "body")), "recipeGone"));
		assert_true(vd_json_bool(vd_json_object(packet, "body"), "recovered", false));
		answer_with(&f, packet, "stored");
	}
	inspect(&f, "S-3", ids[0]);
	kill_and_start(&f, 10, "\"rev\":4");
	packet = await_output(&f, "verdict");
	expect_verdict(vd_json_object(packet, "body"), ids[0], "NO_DECISION", 4, 9);
	assert_non_null(strstr(first_reason(vd_json_object(packet, "body")), "interrupted: "));
	answer_with(&f, packet, "stored");
	end(&f);
}

/* Parameters and call come in one go: what is open by then is this process's own. */
static void a_trigger_just_after_the_start_was_not_interrupted(void **state)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf jpeg = { 0 };
	char text[512], id[VD_UUID_TEXT];
	struct fixture f;

	begin(&f, "{}");
	(void)await(&f, "refused");
	make_template(&f, &jpeg);
	assert_int_equal(kill(f.pid, SIGSTOP), 0);
	change(&f, 7, golden(&f, 8, text));
	send_json(f.agent, "{\"type\":\"call\",\"id\":9,\"method\":\"inspect\",\"body\":{}}", NULL,
		  0);
	assert_int_equal(kill(f.pid, SIGCONT), 0);
	(void)snprintf(id, sizeof id, "%s",
		       vd_json_string(vd_json_object(await_output(&f, "capture"), "body"),
				      "triggerId", ""));
	connect_camera(&f);
	usleep(100000);
	answer_trigger(&f, &jpeg, id, 0);
	expect_verdict(vd_json_object(await_output(&f, "verdict"), "body"), id, "OK", 3, 7);
	answer_with(&f, f.packet.json, "stored");
	end(&f);
}

static void a_station_that_is_stopped_tells_of_what_it_has_not_seen(void **state)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf jpeg = { 0 };
	char id[VD_UUID_TEXT];
	const cJSON *packet;
	struct fixture f;

	begin_golden(&f, 8, &jpeg);
	inspect(&f, "S-1", id);
	send_json(f.agent, "{\"type\":\"stop\"}", NULL, 0);
	packet = await_output(&f, "verdict");
	assert_string_equal(vd_json_string(packet, "key", ""), id);
	assert_non_null(strstr(first_reason(vd_json_object(packet, "body")), "interrupted"));
	answer_with(&f, packet, "stored");
	end(&f);
}

static void a_frame_of_the_camera_s_own_is_told_of_after_a_crash_where_it_is_to_be(void **state)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf jpeg = { 0 };
	char id[VD_UUID_TEXT];
	const cJSON *packet;
	struct fixture f;

	begin_golden(&f, 8, &jpeg);
	change_golden(&f, 8, "\"rev\":4", ",\"trigger\":{\"camera\":{\"durable\":true}}");
	(void)await(&f, "applied");
	send_frame(&f, jpeg.data, jpeg.len);
	packet = await_output(&f, "verdict");
	assert_string_equal(vd_json_string(vd_json_object(packet, "body"), "verdict", ""), "OK");
	(void)snprintf(id, sizeof id, "%s", vd_json_string(packet, "key", ""));
	usleep(200000); /* it is recorded beside the inspection */
	kill_and_start(&f, 9, "\"rev\":4");
	packet = await_output(&f, "verdict");
	expect_verdict(vd_json_object(packet, "body"), id, "NO_DECISION", 4, 8);
	assert_string_equal(vd_json_string(vd_json_object(packet, "body"), "serial", ""), "S1");
	answer_with(&f, packet, "stored");
	end(&f);
}

/* ---- replay ---- */

struct shelf {
	char folder[64], parameters[96], against[96], out[96];
};

static int replay(const struct shelf *shelf, const char *against, struct vd_buf *out)
{
	char *const argv[] = { (char *)(uintptr_t)VD_INSPECT,
			       (char *)(uintptr_t) "--replay",
			       (char *)(uintptr_t)shelf->folder,
			       (char *)(uintptr_t) "--parameters",
			       (char *)(uintptr_t)shelf->parameters,
			       (char *)(uintptr_t)(against ? "--against" : NULL),
			       (char *)(uintptr_t)against,
			       NULL };
	char *const environment[] = { NULL };
	posix_spawn_file_actions_t actions;
	int status;
	pid_t pid;

	assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
	assert_int_equal(posix_spawn_file_actions_addopen(&actions, 1, shelf->out,
							  O_WRONLY | O_CREAT | O_TRUNC, 0600),
			 0);
	assert_int_equal(posix_spawn(&pid, VD_INSPECT, &actions, NULL, argv, environment), 0);
	(void)posix_spawn_file_actions_destroy(&actions);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	vd_buf_clear(out);
	assert_int_equal(vd_file_read(shelf->out, 1 << 20, out, NULL), 0);
	return WEXITSTATUS(status);
}

static void write_text(const char *path, const char *text)
{
	assert_int_equal(vd_file_write(path, text, strlen(text), 0600), 0);
}

static void write_parameters(const struct shelf *shelf, const char *path, int threshold)
{
	char text[512];

	(void)snprintf(text, sizeof text,
		       "{\"active\":\"cap\",\"recipes\":{\"cap\":{\"rev\":3,\"cameras\":[\"top\"],"
		       "\"steps\":{\"b\":{\"camera\":\"top\",\"tool\":\"golden\",\"threshold\":%d,"
		       "\"golden\":{\"file\":\"%s/items/good.jpg\"}}}}}}",
		       threshold, shelf->folder);
	write_text(path, text);
}

/* good.jpg alone; bad.jpg with a verdict that speaks of it by its digest. */
static void fill_shelf(struct shelf *shelf, const char *verdict)
{
	struct scene_capture capture = scene_plain(WIDTH, HEIGHT);
	char path[128], text[512], sha256[VD_SHA256_TEXT];

	*shelf = (struct shelf){ .folder = "/tmp/replay-XXXXXX" };
	assert_non_null(mkdtemp(shelf->folder));
	(void)snprintf(shelf->parameters, sizeof shelf->parameters, "%s.p", shelf->folder);
	(void)snprintf(shelf->against, sizeof shelf->against, "%s.a", shelf->folder);
	(void)snprintf(shelf->out, sizeof shelf->out, "%s.out", shelf->folder);
	(void)snprintf(path, sizeof path, "%s/items", shelf->folder);
	assert_int_equal(mkdir(path, 0700), 0);
	for (int i = 0; i < 2; i++) {
		VD_CLEANUP(vd_buf_fini) struct vd_buf jpeg = { 0 };

		if (i == 1)
			capture.defect = (struct vd_rect){ 100, 140, 9, 9 };
		capture.contrast = -60;
		scene_jpeg(&capture, &jpeg);
		(void)snprintf(path, sizeof path, "%s/items/%s.jpg", shelf->folder,
			       i == 0 ? "good" : "bad");
		assert_int_equal(vd_file_write(path, jpeg.data, jpeg.len, 0600), 0);
		assert_int_equal(vd_sha256_text(jpeg.data, jpeg.len, sha256), 0);
	}
	(void)snprintf(text, sizeof text,
		       "{\"seq\":7,\"body\":{\"itemId\":\"i-1\",\"verdict\":\"%s\",\"cameras\":{"
		       "\"top\":{\"sha256\":\"%s\"}}}}\n",
		       verdict, sha256);
	(void)snprintf(path, sizeof path, "%s/items/records.ndjson", shelf->folder);
	write_text(path, text);
	write_parameters(shelf, shelf->parameters, 30);
	write_parameters(shelf, shelf->against, 120);
}

static void clear_shelf(const struct shelf *shelf)
{
	static const char *const names[] = {
		"/items/good.jpg", "/items/bad.jpg", "/items/records.ndjson", ".p", ".a", ".out"
	};
	char path[128];

	for (size_t i = 0; i < VD_COUNT(names); i++) {
		(void)snprintf(path, sizeof path, "%s%s", shelf->folder, names[i]);
		(void)unlink(path);
	}
	(void)snprintf(path, sizeof path, "%s/items", shelf->folder);
	(void)rmdir(path);
	assert_int_equal(rmdir(shelf->folder), 0);
}

static void replay_tells_which_verdicts_would_change(void **state)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf out = { 0 };
	struct shelf shelf;

	fill_shelf(&shelf, "NG");
	assert_int_equal(replay(&shelf, NULL, &out), 0);
	assert_string_equal(out.data,
			    "NG -> NG: 1\n- -> OK: 1\n2 items, 0 changed, 0 unreadable\n");
	clear_shelf(&shelf);
	fill_shelf(&shelf, "OK");
	assert_int_equal(replay(&shelf, NULL, &out), 1);
	assert_non_null(strstr(out.data, "i-1\tOK -> NG\tb: defects 1 is above 0\n"));
	assert_int_equal(replay(&shelf, shelf.against, &out), 1);
	assert_non_null(strstr(out.data, "i-1\tOK -> NG\t"));
	assert_non_null(strstr(out.data, "OK -> OK: 1\n"));
	clear_shelf(&shelf);
}

/* Conditions, objects and fragments as on the line; deadlines do not hold. */
static void replay_runs_steps_in_their_turn(void **state)
{
	static const char format[] =
		"{\"active\":\"cap\",\"workers\":2,\"fragments\":{\"f\":{\"rev\":1,\"steps\":{"
		"\"find\":{\"camera\":\"top\",\"tool\":\"golden\",\"maxMs\":1,"
		"\"limits\":{\"defects\":{\"max\":9}},\"golden\":{\"file\":\"%s/items/good.jpg\"}},"
		"\"each\":{\"camera\":\"top\",\"tool\":\"presence\",\"foreach\":{\"step\":\"find\","
		"\"whenEmpty\":\"ok\"},\"limits\":{\"mean\":{\"min\":1}}}}}},"
		"\"recipes\":{\"cap\":{\"rev\":3,\"cameras\":[\"top\"],\"maxMs\":1,"
		"\"include\":[{\"fragment\":\"f\",\"rev\":1,\"prefix\":\"f.\"}],\"steps\":{"
		"\"late\":{\"camera\":\"top\",\"tool\":\"focus\",\"whenSkipped\":\"ok\","
		"\"condition\":\"item.source == 'timer' and item.serial matches '?*'\","
		"\"limits\":{\"mean\":{\"min\":1}}}}}}}";
	VD_CLEANUP(vd_buf_fini) struct vd_buf out = { 0 };
	struct shelf shelf;
	char text[2048], path[128];

	fill_shelf(&shelf, "NG");
	(void)snprintf(text, sizeof text, format, shelf.folder);
	write_text(shelf.parameters, text);
	(void)snprintf(path, sizeof path, "%s/items/records.ndjson", shelf.folder);
	write_text(path, "{\"itemId\":\"i-1\",\"verdict\":\"NG\",\"serial\":\"S1\","
			 "\"trigger\":{\"source\":\"timer\"},\"files\":{\"top\":\"bad.jpg\"}}\n");
	assert_int_equal(replay(&shelf, NULL, &out), 1);
	assert_non_null(strstr(out.data, "\nNG -> OK: 1\n- -> NO_DECISION: 1\n"
					 "2 items, 1 changed, 0 unreadable\n"));
	clear_shelf(&shelf);
}

static void replay_says_when_it_could_not(void **state)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf out = { 0 };
	struct shelf shelf;
	char path[128];

	fill_shelf(&shelf, "NG");
	(void)snprintf(path, sizeof path, "%s/items/bad.jpg", shelf.folder);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(replay(&shelf, NULL, &out), 3);
	write_text(shelf.parameters, "{\"active\":\"cap\"}");
	assert_int_equal(replay(&shelf, NULL, &out), 2);
	write_text(shelf.parameters, "not JSON");
	assert_int_equal(replay(&shelf, NULL, &out), 2);
	clear_shelf(&shelf);
}

VD_TEST_MAIN(
	cmocka_unit_test(a_frame_becomes_a_verdict_with_its_evidence_bit_for_bit),
	cmocka_unit_test(what_an_image_step_keeps_goes_along),
	cmocka_unit_test(every_frame_has_exactly_one_verdict_also_when_the_queue_is_full),
	cmocka_unit_test(a_failed_capture_has_a_verdict),
	cmocka_unit_test(tools_that_measure_judge_frames_and_say_what_they_measured),
	cmocka_unit_test(refused_parameters_leave_the_old_ones_in_force),
	cmocka_unit_test(it_reports_what_it_counts_and_what_it_has_learnt),
	cmocka_unit_test(learning_is_restarted_by_a_call),
	cmocka_unit_test(it_ends_when_the_agent_is_gone),
	cmocka_unit_test(a_refused_verdict_is_offered_again_until_it_is_stored),
	cmocka_unit_test(verdicts_that_stay_refused_raise_an_alarm_and_clear_it),
	cmocka_unit_test(what_is_still_refused_at_the_end_does_not_hold_the_line),
	cmocka_unit_test(an_override_leaves_on_an_output_of_its_own),
	cmocka_unit_test(five_triggers_that_wait_are_judged_by_the_recipe_they_came_under),
	cmocka_unit_test(only_a_frame_that_answers_its_trigger_joins_an_item),
	cmocka_unit_test(a_trigger_that_a_crash_left_open_is_told_of_once_under_its_item),
	cmocka_unit_test(a_trigger_just_after_the_start_was_not_interrupted),
	cmocka_unit_test(a_station_that_is_stopped_tells_of_what_it_has_not_seen),
	cmocka_unit_test(a_frame_of_the_camera_s_own_is_told_of_after_a_crash_where_it_is_to_be),
	cmocka_unit_test(replay_tells_which_verdicts_would_change),
	cmocka_unit_test(replay_runs_steps_in_their_turn),
	cmocka_unit_test(replay_says_when_it_could_not))
