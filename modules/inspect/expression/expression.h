/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/fault.h"

/*
 * Conditions of steps: a small typed language over what is known of an item. It has no loops, no
 * functions but exists, and no state; an expression is bounded in length, depth and size when it
 * is read, and evaluating it takes no memory.
 *
 *   or      = and { "or" and }
 *   and     = not { "and" not }
 *   not     = "not" not | compare
 *   compare = sum [ ("==" | "!=" | "<" | "<=" | ">" | ">=") sum
 *                 | [ "not" ] "in" ( list | name ) | "matches" string ]
 *   sum     = product { ("+" | "-") product }
 *   product = unary { ("*" | "/") unary }
 *   unary   = "-" unary | number | string | "true" | "false" | name
 *           | "exists" "(" name ")" | "(" or ")"
 *   list    = "[" literal { "," literal } "]"
 *   literal = [ "-" ] number | string
 *   name    = word { "." ( word | string ) }
 *
 * Strings stand in ' or ", without escapes. matches: '*' is any text, '?' any one byte.
 *
 * A value may be missing. What is computed from a missing value is missing, as is what is no
 * finite number; a comparison with it is unknown. and, or, not follow Kleene: unknown unless the
 * outcome is the same either way. So no value that gets lost ever turns true into false or
 * back; only exists says whether a value is there.
 */
enum {
	VD_EXPRESSION_BYTES = 512,
	VD_EXPRESSION_NODES = 128,
	VD_EXPRESSION_DEPTH = 16,
	VD_EXPRESSION_PARTS = 4, /* of a name */
	VD_EXPRESSION_TEXT = 160
};

enum vd_type { VD_TYPE_NUMBER, VD_TYPE_TEXT, VD_TYPE_TRUTH, VD_TYPE_LABELS };

enum vd_truth { VD_FALSE, VD_TRUE, VD_UNKNOWN };

/* What a name stands for: `of` and `what` are the scope's own numbers. */
struct vd_name {
	enum vd_type type;
	int of;   /* a step; negative: the item */
	int what; /* which of its values */
};

/*
 * The names there are. parts: as they stand between the dots. false: there is none; text says
 * what is wrong with it.
 */
struct vd_scope {
	bool (*find)(void *argument, const char *const *parts, int count, struct vd_name *ret_name,
		     char text[static VD_EXPRESSION_TEXT]);
	void *argument;
};

/* A value of the type that the scope said. Borrowed for the evaluation. */
struct vd_value {
	bool is_missing;
	double number;    /* VD_TYPE_NUMBER */
	const char *text; /* VD_TYPE_TEXT */
	enum vd_truth truth;
};

struct vd_facts {
	struct vd_value (*look_up)(void *argument, const struct vd_name *name);
	/* VD_TYPE_LABELS: is the label among them? */
	enum vd_truth (*has_label)(void *argument, const struct vd_name *name, const char *label);
	void *argument;
};

struct vd_expression;

/*
 * Reads an expression and finds its names in scope; NULL: only the form is read, and it cannot be
 * evaluated. 400 in fault with "column N: …", -EINVAL; -ENOMEM.
 */
VD_MUST int vd_expression_parse(const char *text, size_t len, const struct vd_scope *scope,
				struct vd_expression **ret_expression, struct vd_fault *fault);
struct vd_expression *vd_expression_free(struct vd_expression *expression);
VD_DEFINE_CLEANUP(struct vd_expression, vd_expression_free)

/*
 * Parses to the same expression again; nothing needs more bytes than VD_EXPRESSION_BYTES unless
 * its numbers do. prefix is put before the names of steps; "" leaves them.
 */
VD_MUST int vd_expression_print(const struct vd_expression *expression, const char *prefix,
				struct vd_buf *out);

/* Steps that the expression speaks of, as bits; those below 32. */
uint32_t vd_expression_steps(const struct vd_expression *expression);

/* Does it name nothing? */
bool vd_expression_is_constant(const struct vd_expression *expression);

/* ret_missing: the name whose lack made it unknown, for people; "" otherwise. */
enum vd_truth vd_expression_evaluate(const struct vd_expression *expression,
				     const struct vd_facts *facts, char *ret_missing, size_t size);

/* Alike in form, names and literals. */
bool vd_expression_equals(const struct vd_expression *a, const struct vd_expression *b);
