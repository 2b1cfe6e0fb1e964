/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/inspect/line/ledger.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "vd_test.h"

enum { WAIT_MS = 10000 };

struct fixture {
	char folder[64], path[96];
	struct vd_ledger *ledger;
	_Atomic int wakes;
};

static void on_wake(void *argument)
{
	struct fixture *f = argument;

	f->wakes++;
}

static void open_ledger(struct fixture *f)
{
	struct vd_fault fault = { 0 };

	assert_int_equal(vd_ledger_new(f->path, on_wake, f, &f->ledger, &fault), 0);
	assert_int_equal(fault.code, 0);
}

static void begin(struct fixture *f)
{
	*f = (struct fixture){ .folder = "/tmp/ledger-XXXXXX" };
	assert_non_null(mkdtemp(f->folder));
	(void)snprintf(f->path, sizeof f->path, "%s/triggers", f->folder);
	open_ledger(f);
}

static void end(struct fixture *f)
{
	f->ledger = vd_ledger_free(f->ledger);
	(void)unlink(f->path);
	assert_int_equal(rmdir(f->folder), 0);
}

static cJSON *item(const char *id)
{
	cJSON *body = cJSON_CreateObject();

	assert_true(body && vd_json_add_string(body, "id", id) &&
		    vd_json_add_string(body, "serial", "S-1") &&
		    vd_json_add_number(body, "rev", 3));
	return body;
}

static int accept_item(struct fixture *f, const char *id)
{
	cJSON *body = item(id);
	int r = vd_ledger_accept(f->ledger, &body);

	assert_null(body);
	return r;
}

static int settle(struct fixture *f, const char *id)
{
	struct vd_ledger_settled settled;

	for (int ms = 0; ms < WAIT_MS; ms++) {
		if (vd_ledger_take(f->ledger, &settled)) {
			assert_string_equal(settled.id, id);
			return settled.status;
		}
		(void)poll(NULL, 0, 1);
	}
	fail_msg("%s is never settled", id);
	return -1;
}

static void expect_open(struct fixture *f, const char *ids)
{
	VD_CLEANUP(vd_json_free) cJSON *open = vd_ledger_open_items(f->ledger);
	char found[512] = "";
	size_t len;
	const cJSON *each;

	cJSON_ArrayForEach(each, open)
	{
		len = strlen(found);
		(void)snprintf(found + len, sizeof found - len, "%s ",
			       vd_json_string(each, "id", "?"));
		assert_string_equal(vd_json_string(each, "serial", ""), "S-1");
		assert_int_equal(vd_json_int(each, "rev", 0), 3);
	}
	assert_string_equal(found, ids);
}

static void reopen(struct fixture *f)
{
	f->ledger = vd_ledger_free(f->ledger);
	open_ledger(f);
}

static void what_was_accepted_and_not_closed_is_open_after_a_restart(void **state)
{
	struct fixture f;

	begin(&f);
	expect_open(&f, "");
	assert_int_equal(accept_item(&f, "a"), 0);
	assert_int_equal(accept_item(&f, "b"), 0);
	assert_int_equal(settle(&f, "a"), 0);
	assert_int_equal(settle(&f, "b"), 0);
	vd_ledger_close(f.ledger, "a");
	vd_ledger_close(f.ledger, "nobody");
	assert_int_equal(accept_item(&f, "c"), 0);
	assert_int_equal(settle(&f, "c"), 0);
	reopen(&f);
	expect_open(&f, "b c ");
	vd_ledger_close(f.ledger, "c");
	reopen(&f);
	expect_open(&f, "b ");
	end(&f);
}

static void a_settled_accept_survives_kill_nine(void **state)
{
	struct fixture f;
	int status;
	pid_t pid;

	begin(&f);
	f.ledger = vd_ledger_free(f.ledger);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		open_ledger(&f);
		(void)accept_item(&f, "a");
		(void)settle(&f, "a");
		(void)raise(SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	open_ledger(&f);
	expect_open(&f, "a ");
	end(&f);
}

static void an_id_is_needed_and_is_accepted_once(void **state)
{
	struct fixture f;
	cJSON *body = cJSON_CreateObject();

	begin(&f);
	assert_int_equal(vd_ledger_accept(f.ledger, &body), -EINVAL);
	assert_null(body);
	assert_int_equal(accept_item(&f, "a"), 0);
	assert_int_equal(accept_item(&f, "a"), -EINVAL);
	assert_int_equal(vd_ledger_count(f.ledger), 1);
	end(&f);
}

static void a_line_too_long_is_refused_and_leaves_nothing(void **state)
{
	struct fixture f;
	char text[VD_LEDGER_LINE + 1];
	cJSON *body = item("long");

	begin(&f);
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	assert_true(vd_json_add_string(body, "more", text));
	assert_int_equal(vd_ledger_accept(f.ledger, &body), -EINVAL);
	assert_int_equal(vd_ledger_count(f.ledger), 0);
	assert_int_equal(accept_item(&f, "a"), 0);
	assert_int_equal(settle(&f, "a"), 0);
	reopen(&f);
	expect_open(&f, "a ");
	end(&f);
}

static void more_than_the_most_are_refused(void **state)
{
	struct fixture f;
	char id[16];

	begin(&f);
	for (int i = 0; i < VD_LEDGER_MOST; i++) {
		(void)snprintf(id, sizeof id, "i%d", i);
		assert_int_equal(accept_item(&f, id), 0);
	}
	assert_int_equal(accept_item(&f, "more"), -ENOBUFS);
	vd_ledger_close(f.ledger, "i7");
	assert_int_equal(accept_item(&f, "more"), 0);
	reopen(&f);
	assert_int_equal(vd_ledger_count(f.ledger), VD_LEDGER_MOST);
	end(&f);
}

/* History does not grow the file: it is written anew, and accepts settle all the same. */
static void the_file_stays_small(void **state)
{
	struct fixture f;
	struct vd_ledger_counts counts;
	struct stat file;
	char id[16];

	begin(&f);
	assert_int_equal(accept_item(&f, "first"), 0);
	assert_int_equal(settle(&f, "first"), 0);
	for (int i = 0; i < 6000; i++) {
		(void)snprintf(id, sizeof id, "i%d", i);
		assert_int_equal(accept_item(&f, id), 0);
		if (i % 50 == 0)
			while (f.wakes == 0)
				(void)poll(NULL, 0, 1);
		vd_ledger_close(f.ledger, id);
	}
	assert_int_equal(accept_item(&f, "last"), 0);
	for (struct vd_ledger_settled settled = { .id = "" }; strcmp(settled.id, "last") != 0;)
		if (!vd_ledger_take(f.ledger, &settled))
			(void)poll(NULL, 0, 1);
	vd_ledger_counts(f.ledger, &counts);
	assert_true(counts.replaced >= 2);
	assert_int_equal(counts.failures, 0);
	assert_int_equal(stat(f.path, &file), 0);
	assert_true(file.st_size < 400 << 10);
	reopen(&f);
	expect_open(&f, "first last ");
	end(&f);
}

/* The disk fills, an accept is not promised; with room again the file holds all that is open. */
static void a_full_disk_settles_badly_and_heals(void **state)
{
	struct fixture f;
	struct rlimit limit, small;

	begin(&f);
	assert_int_equal(accept_item(&f, "a"), 0);
	assert_int_equal(settle(&f, "a"), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	(void)signal(SIGXFSZ, SIG_IGN);
	small = limit;
	small.rlim_cur = 20;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(accept_item(&f, "b"), 0);
	assert_int_equal(settle(&f, "b"), -EFBIG);
	assert_int_equal(accept_item(&f, "c"), 0);
	assert_int_equal(settle(&f, "c"), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(accept_item(&f, "d"), 0);
	assert_int_equal(settle(&f, "d"), 0);
	reopen(&f);
	expect_open(&f, "a b c d ");
	end(&f);
}

static void a_folder_that_is_not_there_is_no_reason_not_to_start(void **state)
{
	struct fixture f;

	begin(&f);
	f.ledger = vd_ledger_free(f.ledger);
	assert_int_equal(unlink(f.path), 0);
	(void)snprintf(f.path, sizeof f.path, "%s/none/triggers", f.folder);
	open_ledger(&f);
	assert_int_equal(accept_item(&f, "a"), 0);
	assert_int_equal(settle(&f, "a"), -ENOENT);
	end(&f);
}

/* Cut anywhere, the lines before the cut still hold, and nothing else does. */
static void a_file_cut_at_any_byte_keeps_its_whole_lines(void **state)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };
	struct fixture f;
	size_t lines[4] = { 0 }, count = 0;

	begin(&f);
	assert_int_equal(accept_item(&f, "a"), 0);
	assert_int_equal(settle(&f, "a"), 0);
	assert_int_equal(accept_item(&f, "b"), 0);
	assert_int_equal(settle(&f, "b"), 0);
	vd_ledger_close(f.ledger, "a");
	f.ledger = vd_ledger_free(f.ledger);
	assert_int_equal(vd_file_read(f.path, 1 << 20, &text, NULL), 0);
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] == '\n')
			lines[count++] = i + 1;
	}
	assert_int_equal(count, 3);
	for (size_t len = 0; len <= text.len; len++) {
		VD_CLEANUP(vd_json_free) cJSON *open = NULL;
		uint64_t damaged;
		const bool has_a = len >= lines[0], has_b = len >= lines[1],
			   has_closed = len >= lines[2];

		assert_int_equal(vd_ledger_parse(text.data, len, &open, &damaged), 0);
		assert_int_equal(cJSON_GetArraySize(open), has_a + has_b - has_closed);
		assert_int_equal(damaged,
				 len != 0 && len != lines[0] && len != lines[1] && len != lines[2]);
	}
	open_ledger(&f);
	end(&f);
}

static void a_changed_byte_costs_its_line_alone(void **state)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };
	struct fixture f;

	begin(&f);
	for (int i = 0; i < 3; i++) {
		const char *ids[] = { "a", "b", "c" };

		assert_int_equal(accept_item(&f, ids[i]), 0);
		assert_int_equal(settle(&f, ids[i]), 0);
	}
	f.ledger = vd_ledger_free(f.ledger);
	assert_int_equal(vd_file_read(f.path, 1 << 20, &text, NULL), 0);
	for (size_t i = 0; i < text.len; i++) {
		VD_CLEANUP(vd_json_free) cJSON *open = NULL;
		uint64_t damaged;

		text.data[i] ^= 1;
		assert_int_equal(vd_ledger_parse(text.data, text.len, &open, &damaged), 0);
		text.data[i] ^= 1;
		assert_in_range(cJSON_GetArraySize(open), 1, 2);
		assert_in_range(damaged, 1, 2);
	}
	open_ledger(&f);
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_accepted_and_not_closed_is_open_after_a_restart),
		cmocka_unit_test(a_settled_accept_survives_kill_nine),
		cmocka_unit_test(an_id_is_needed_and_is_accepted_once),
		cmocka_unit_test(a_line_too_long_is_refused_and_leaves_nothing),
		cmocka_unit_test(more_than_the_most_are_refused),
		cmocka_unit_test(the_file_stays_small),
		cmocka_unit_test(a_full_disk_settles_badly_and_heals),
		cmocka_unit_test(a_folder_that_is_not_there_is_no_reason_not_to_start),
		cmocka_unit_test(a_file_cut_at_any_byte_keeps_its_whole_lines),
		cmocka_unit_test(a_changed_byte_costs_its_line_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
