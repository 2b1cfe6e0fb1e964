/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/ctl/table.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS_MAX = 8, LINE_WIDTH = 80, GAP = 2, NARROWEST = 8 };

struct vd_table {
	const char *const *headings;
	char **cells; /* row after row */
	size_t columns, rows, capacity;
};

int vd_table_new(const char *const *headings, struct vd_table **ret_table)
{
	struct vd_table *table = calloc(1, sizeof *table);

	if (!table)
		return -ENOMEM;
	table->headings = headings;
	while (table->columns < COLUMNS_MAX && headings[table->columns])
		table->columns++;
	*ret_table = table;
	return 0;
}

struct vd_table *vd_table_free(struct vd_table *table)
{
	if (table) {
		for (size_t i = 0; i < table->rows * table->columns; i++)
			free(table->cells[i]);
		free(table->cells);
		free(table);
	}
	return NULL;
}

static int make_room(struct vd_table *table)
{
	size_t capacity = table->capacity ? table->capacity * 2 : 32;
	char **cells;

	if (table->rows < table->capacity)
		return 0;
	cells = reallocarray(table->cells, capacity * table->columns, sizeof *cells);
	if (!cells)
		return -ENOMEM;
	table->cells = cells;
	table->capacity = capacity;
	return 0;
}

int vd_table_add(struct vd_table *table, const char *const *cells)
{
	int r = make_room(table);

	if (r < 0)
		return r;
	for (size_t i = 0; i < table->columns; i++) {
		char *copy = strdup(cells[i] && cells[i][0] ? cells[i] : "-");

		if (!copy) {
			while (i > 0)
				free(table->cells[table->rows * table->columns + --i]);
			return -ENOMEM;
		}
		table->cells[table->rows * table->columns + i] = copy;
	}
	table->rows++;
	return 0;
}

static bool is_start(char c)
{
	return ((unsigned char)c & 0xC0) != 0x80; /* of a character in UTF-8 */
}

static size_t width_of(const char *text)
{
	size_t width = 0;

	for (; *text; text++)
		width += is_start(*text);
	return width;
}

/* The widest column gives way until the line fits. */
static void fit(size_t *widths, size_t columns)
{
	for (;;) {
		size_t total = GAP * (columns - 1), widest = 0;

		for (size_t i = 0; i < columns; i++) {
			total += widths[i];
			if (widths[i] > widths[widest])
				widest = i;
		}
		if (total <= LINE_WIDTH || widths[widest] <= NARROWEST)
			return;
		widths[widest]--;
	}
}

/* What a device wrote must not move the reader's cursor. */
static void print_character(const char **text, FILE *out)
{
	unsigned char c = (unsigned char)**text;

	(void)fputc(c < ' ' || c == 127 ? '?' : c, out);
	for ((*text)++; **text && !is_start(**text); (*text)++)
		(void)fputc(**text, out);
}

static void print_cell(const char *text, size_t width, bool is_last, FILE *out)
{
	size_t full = width_of(text), shown = 0;
	bool is_cut = full > width;

	while (*text && shown < width - is_cut) {
		print_character(&text, out);
		shown++;
	}
	if (is_cut) {
		(void)fputs("\xE2\x80\xA6", out); /* … */
		shown++;
	}
	for (; !is_last && shown < width + GAP; shown++)
		(void)fputc(' ', out);
}

static void print_line(const struct vd_table *table, const char *const *cells, const size_t *widths,
		       FILE *out)
{
	for (size_t i = 0; i < table->columns; i++)
		print_cell(cells[i], widths[i], i + 1 == table->columns, out);
	(void)fputc('\n', out);
}

void vd_table_print(const struct vd_table *table, FILE *out)
{
	size_t widths[COLUMNS_MAX] = { 0 };

	for (size_t i = 0; i < table->columns; i++) {
		widths[i] = width_of(table->headings[i]);
		for (size_t row = 0; row < table->rows; row++) {
			size_t width = width_of(table->cells[row * table->columns + i]);

			widths[i] = width > widths[i] ? width : widths[i];
		}
	}
	fit(widths, table->columns);
	print_line(table, table->headings, widths, out);
	for (size_t row = 0; row < table->rows; row++)
		print_line(table, (const char *const *)&table->cells[row * table->columns], widths,
			   out);
}
