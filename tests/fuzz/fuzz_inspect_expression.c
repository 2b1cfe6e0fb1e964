/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A condition from outside: refused with a place, or read, printed, read again to the same, and
 * decided without fail whatever is known. When nothing is known, the outcome is unknown or one
 * that knowing more does not change; only exists may tell the difference.
 */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "modules/inspect/expression/expression.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Any name there is; its type is in its last letter. */
static bool find(void *argument, const char *const *parts, int count, struct vd_name *name,
		 char text[static VD_EXPRESSION_TEXT])
{
	const char *last = parts[count - 1];
	const char end = last[0] ? last[strlen(last) - 1] : '\0';

	assert(count >= 1 && count <= VD_EXPRESSION_PARTS);
	*name = (struct vd_name){ .type = end == 's'   ? VD_TYPE_TEXT
					  : end == 'p' ? VD_TYPE_TRUTH
					  : end == 'l' ? VD_TYPE_LABELS
						       : VD_TYPE_NUMBER,
				  .of = (int)strlen(last) - 2,
				  .what = end };
	(void)argument;
	(void)text;
	return end != 'x';
}

static struct vd_value look_up(void *argument, const struct vd_name *name)
{
	const bool *is_known = argument;

	return (struct vd_value){ .is_missing = !*is_known,
				  .number = name->what,
				  .text = name->of % 2 ? "LOT-17" : "",
				  .truth = name->of % 2 ? VD_TRUE : VD_FALSE };
}

static enum vd_truth has_label(void *argument, const struct vd_name *name, const char *label)
{
	const bool *is_known = argument;

	(void)name;
	return !*is_known ? VD_UNKNOWN : label[0] ? VD_TRUE : VD_FALSE;
}

static enum vd_truth evaluate(const struct vd_expression *expression, bool is_known)
{
	const struct vd_facts facts = { look_up, has_label, &is_known };
	char missing[32] = "x";
	const enum vd_truth truth =
		vd_expression_evaluate(expression, &facts, missing, sizeof missing);

	assert(truth == VD_UNKNOWN || missing[0] == '\0');
	return truth;
}

static bool has_exists(const uint8_t *data, size_t size)
{
	for (size_t i = 0; i + 6 <= size; i++) {
		if (memcmp(data + i, "exists", 6) == 0)
			return true;
	}
	return false;
}

static void check_printed(const struct vd_expression *expression, const struct vd_scope *scope)
{
	VD_CLEANUP(vd_expression_free) struct vd_expression *again = NULL;
	VD_CLEANUP(vd_buf_fini) struct vd_buf out = { 0 };

	assert(vd_expression_print(expression, "", &out) == 0);
	if (out.len > VD_EXPRESSION_BYTES)
		return;
	assert(vd_expression_parse(out.data, out.len, scope, &again, NULL) == 0);
	assert(vd_expression_equals(expression, again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	VD_CLEANUP(vd_expression_free) struct vd_expression *expression = NULL, *bare = NULL;
	const struct vd_scope scope = { find, NULL };
	struct vd_fault fault = { 0 };

	if (vd_expression_parse((const char *)data, size, &scope, &expression, &fault) < 0) {
		assert(fault.code == 400 && fault.text[0]);
	} else {
		const enum vd_truth blind = evaluate(expression, false);

		check_printed(expression, &scope);
		assert(blind == VD_UNKNOWN || has_exists(data, size) ||
		       blind == evaluate(expression, true));
	}
	if (vd_expression_parse((const char *)data, size, NULL, &bare, NULL) == 0)
		check_printed(bare, NULL);
	else
		assert(!expression);
	return 0;
}
