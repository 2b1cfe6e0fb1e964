/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "base/buf.h"
#include "base/json.h"
#include "twin/query/value.h"

/*
 * Azure IoT Hub's query language over twins, and the target conditions of configurations.
 * vedette-query(7) is its manual. Pure: the caller reads twins from wherever they are, and feeds
 * them one by one:
 *
 *	parse -> for each twin of vd_query_source that vd_query_hints leaves:
 *		matches? -> project, or vd_aggregate_add       (twin/query/aggregate.h)
 *	a twin that is still text is asked by a matcher first   (twin/query/matcher.h)
 *	TOP and pages are counted by the caller, with a cursor (twin/query/cursor.h)
 *
 * A twin is the document that the service sees (GET /twins/…), a job's the one of GET /jobs.
 * Once parsed, a query never changes, and any number of threads may use it.
 */
enum {
	VD_QUERY_BYTES = 64 * 1024, /* of a text */
	VD_QUERY_DEPTH = 64,        /* levels of an expression; AND and OR of many count as one */
	VD_QUERY_SEGMENTS = 32,     /* of a path */
	VD_QUERY_COLUMNS = 64,      /* of SELECT, and of GROUP BY */
};

enum vd_query_source { VD_QUERY_DEVICES, VD_QUERY_MODULES, VD_QUERY_JOBS };

struct vd_query;

/*
 * text need not end with NUL. 400 in fault and -EINVAL: "position 15: expected FROM, found 'WERE'";
 * positions count characters from 1. 413 for a text above VD_QUERY_BYTES. -ENOMEM.
 */
VD_MUST int vd_query_parse(const char *text, size_t len, struct vd_query **ret_query,
			   struct vd_fault *fault);
struct vd_query *vd_query_free(struct vd_query *query); /* returns NULL */
VD_DEFINE_CLEANUP(struct vd_query, vd_query_free)

/*
 * A target condition: an expression over tags, properties.reported and deviceId; "FROM
 * devices.modules WHERE …" for modules (there moduleId, too); "*" is every device and no text
 * is none. The result answers vd_query_source, _matches, _paths, _is_touched_by and _hints.
 * Errors as above.
 */
VD_MUST int vd_condition_parse(const char *text, size_t len, struct vd_query **ret_condition,
			       struct vd_fault *fault);

enum vd_query_source vd_query_source(const struct vd_query *query);
int64_t vd_query_top(const struct vd_query *query);       /* -1: no TOP */
bool vd_query_is_whole(const struct vd_query *query);     /* SELECT *: rows are twins */
bool vd_query_is_aggregate(const struct vd_query *query); /* rows come from an accumulator */

/*
 * Is WHERE true of this twin? Logic has three values: what is absent is undefined, and so is
 * every comparison and calculation with it, or between types, or with an object or array. NOT of
 * undefined is undefined; AND is false with one false operand, OR true with one true. Operands of
 * NOT, AND and OR that are no booleans are false. x IN [a, b] is x = a OR x = b; NIN its negation.
 */
bool vd_query_matches(const struct vd_query *query, const cJSON *twin);

/*
 * The row of a twin that matches: its copy, or the columns of SELECT; what is undefined is left
 * out. Not for aggregates. -ENOMEM.
 */
VD_MUST int vd_query_project(const struct vd_query *query, const cJSON *twin, cJSON **ret_row);

/*
 * The query as canonical text: one space, upper-case keywords, no needless parentheses, lists
 * sorted, aliases of FROM resolved. Parsing it gives the same query. -ENOMEM, -E2BIG.
 */
VD_MUST int vd_query_print(const struct vd_query *query, struct vd_buf *out);

/*
 * The distinct paths that WHERE reads, sorted, as in queries: "tags.site", "tags.[[a b]]". They
 * belong to the query.
 */
size_t vd_query_paths(const struct vd_query *query, const char *const **ret_paths);

/*
 * The paths that a row of SELECT is made of and grouped by, as vd_query_paths spells them; "" is a
 * column without one. NULL from the end on. SELECT * has none, and takes all.
 */
const char *vd_query_row_path(const struct vd_query *query, size_t index);

/*
 * Can a merge patch of the whole twin ({"tags": …}, {"properties": {"reported": …}}) change what
 * WHERE says? False only if it cannot.
 */
bool vd_query_is_touched_by(const struct vd_query *query, const cJSON *patch);

/*
 * What every matching twin satisfies, so that a store can use an index instead of reading them
 * all: a table twin_values(path, type, value, id), filled from vd_values_each (twin/query/values.h)
 * with the same spelling of paths. One hint stands for one operand of the outermost AND: the path
 * leads either to one of `values` (sorted, distinct, of any types), or, if there are none, into the
 * range from low to high, both of one type and the value, too. The store takes any one hint, the
 * most selective by its own statistics, and asks vd_query_matches about what it finds: a hint never
 * decides, it only leaves out. A hint with `is_never` says that nothing can match. Paths below
 * $metadata have no hints, nor has IS_DEFINED, since objects are not in the index; so no hint
 * means: look at all.
 */
struct vd_query_hint {
	const char *path;
	bool is_never;
	const struct vd_query_value *values;
	size_t value_count;
	struct vd_query_value low, high; /* VD_QUERY_UNDEFINED: open on this side */
	bool is_low_included, is_high_included;
};

/* They belong to the query. */
size_t vd_query_hints(const struct vd_query *query, const struct vd_query_hint **ret_hints);

/* Is WHERE true of just those whom the one hint names by its values? */
bool vd_query_is_hint_all(const struct vd_query *query);

/* Is there no WHERE? */
bool vd_query_is_all(const struct vd_query *query);
