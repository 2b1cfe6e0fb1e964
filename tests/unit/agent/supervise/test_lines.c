/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/supervise/lines.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vd_test.h"

static void collect(const struct vd_line *line, void *argument)
{
	char *all = argument;
	size_t n = strlen(all);

	(void)snprintf(all + n, 4096 - n, "%s|", line->text);
}

static void feed(struct vd_lines *l, const char *text, char all[4096])
{
	vd_lines_feed(l, text, strlen(text), 0, collect, all);
}

static struct vd_lines *make(void)
{
	struct vd_lines *l = calloc(1, sizeof *l);

	assert_non_null(l);
	return l;
}

static void drop(struct vd_lines *l)
{
	vd_lines_fini(l);
	free(l);
}

static void lines_are_put_together_from_any_pieces(void **state)
{
	struct vd_lines *l = make();
	char all[4096] = "";

	feed(l, "one\ntw", all);
	feed(l, "o\r\n\n", all);
	feed(l, "three", all);
	assert_string_equal(all, "one|two|");
	vd_lines_finish(l, 0, collect, all);
	vd_lines_finish(l, 0, collect, all);
	assert_string_equal(all, "one|two|three|");
	drop(l);
}

static void a_priority_in_front_becomes_the_level(void **state)
{
	static const struct {
		const char *text, *kept;
		enum vd_log_level level;
	} cases[] = {
		{ "<3>bad\n", "bad", VD_ERROR }, { "<4>hm\n", "hm", VD_WARN },
		{ "<7>x\n", "x", VD_DEBUG },     { "<8>x\n", "<8>x", VD_INFO },
		{ "<3\n", "<3", VD_INFO },       { "plain\n", "plain", VD_INFO },
	};
	for (size_t i = 0; i < VD_COUNT(cases); i++) {
		struct vd_lines *l = make();
		char all[4096] = "";

		feed(l, cases[i].text, all);
		assert_string_equal(vd_lines_at(l, 0)->text, cases[i].kept);
		assert_int_equal(vd_lines_at(l, 0)->level, cases[i].level);
		drop(l);
	}
}

static void what_is_not_printable_utf8_becomes_a_question_mark(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "gr\xC3\xB6\xC3\x9F"
		  "er\n",
		  "gr\xC3\xB6\xC3\x9F"
		  "er" },
		{ "\xE2\x82\xAC \xF0\x9F\x98\x80\n", "\xE2\x82\xAC \xF0\x9F\x98\x80" },
		{ "a\x1B[31mb\n", "a?[31mb" },
		{ "\xFF\xFE\n", "??" },
		{ "\xC3\n", "?" },
		{ "\xC0\xAF\n", "??" },      /* overlong */
		{ "\xED\xA0\x80\n", "???" }, /* surrogate */
		{ "\xF4\x90\x80\x80\n", "????" },
		{ "\xE0\x80\x80\n", "???" },
		{ "tab\there\x7F\n", "tab\there?" },
	};
	for (size_t i = 0; i < VD_COUNT(cases); i++) {
		struct vd_lines *l = make();
		char all[4096] = "";

		feed(l, cases[i].in, all);
		assert_string_equal(vd_lines_at(l, 0)->text, cases[i].out);
		drop(l);
	}
}

static void a_nul_does_not_hide_what_follows(void **state)
{
	struct vd_lines *l = make();
	char all[4096] = "";

	vd_lines_feed(l, "a\0b\n", 4, 0, collect, all);
	assert_string_equal(all, "a?b|");
	drop(l);
}

static void an_endless_line_is_cut_and_memory_stays_bounded(void **state)
{
	struct vd_lines *l = make();
	char chunk[1000], all[4096] = "";

	memset(chunk, 'x', sizeof chunk);
	for (int i = 0; i < 3; i++)
		vd_lines_feed(l, chunk, sizeof chunk, 0, collect, all);
	assert_int_equal(l->count, 2);
	assert_int_equal(strlen(vd_lines_at(l, 0)->text), VD_LINE_BYTES);
	drop(l);
}

static void only_the_last_lines_are_kept(void **state)
{
	struct vd_lines *l = make();
	char line[32], all[4096] = "";

	for (int i = 0; i < VD_LINES + 5; i++) {
		(void)snprintf(line, sizeof line, "%d\n", i);
		feed(l, line, all);
	}
	assert_int_equal(vd_lines_first(l), 5);
	assert_string_equal(vd_lines_at(l, 5)->text, "5");
	assert_string_equal(vd_lines_at(l, l->count - 1)->text, "204");
	drop(l);
}

VD_TEST_MAIN(cmocka_unit_test(lines_are_put_together_from_any_pieces),
	     cmocka_unit_test(a_priority_in_front_becomes_the_level),
	     cmocka_unit_test(what_is_not_printable_utf8_becomes_a_question_mark),
	     cmocka_unit_test(a_nul_does_not_hide_what_follows),
	     cmocka_unit_test(an_endless_line_is_cut_and_memory_stays_bounded),
	     cmocka_unit_test(only_the_last_lines_are_kept))
