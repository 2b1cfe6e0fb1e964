/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/modbus/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static uint32_t bounded(uint32_t max_count, bool bits)
{
	uint32_t limit = bits ? VD_MODBUS_MAX_BITS : VD_MODBUS_MAX_REGISTERS;

	return max_count == 0 || max_count > limit ? limit : max_count;
}

struct vd_modbus_cost vd_modbus_cost_tcp(bool bits, uint32_t max_count)
{
	return (struct vd_modbus_cost){ .request_ns = 500000,
					.item_ns = bits ? 10 : 160,
					.max_count = bounded(max_count, bits) };
}

struct vd_modbus_cost vd_modbus_cost_serial(bool bits, uint32_t max_count, uint32_t baud,
					    uint32_t bits_a_character, uint32_t turnaround_us)
{
	uint64_t character_ns = 1000000000ULL * bits_a_character / (baud ? baud : 9600);
	uint64_t silence_ns = baud > 19200 ? 1750000 : character_ns * 7 / 2;

	return (struct vd_modbus_cost){
		.request_ns = 13 * character_ns + 2 * silence_ns + turnaround_us * 1000ULL,
		.item_ns = bits ? character_ns / 8 : 2 * character_ns,
		.max_count = bounded(max_count, bits),
	};
}

uint64_t vd_modbus_cost_of(const struct vd_modbus_cost *cost, uint32_t count)
{
	return cost->request_ns + cost->item_ns * count;
}

static uint32_t end_of(struct vd_modbus_range range)
{
	return range.address + range.count;
}

static bool ranges_meet(struct vd_modbus_range a, struct vd_modbus_range b)
{
	return a.address < end_of(b) && b.address < end_of(a);
}

void vd_modbus_refused_add(struct vd_modbus_refused *refused, struct vd_modbus_range range,
			   uint64_t until_ms)
{
	size_t at = 0;

	if (refused->count < VD_MODBUS_REFUSED) {
		at = refused->count++;
	} else {
		for (size_t i = 1; i < refused->count; i++) {
			if (refused->items[i].until_ms < refused->items[at].until_ms)
				at = i;
		}
	}
	refused->items[at].range = range;
	refused->items[at].until_ms = until_ms;
}

size_t vd_modbus_refused_expire(struct vd_modbus_refused *refused, uint64_t now_ms)
{
	size_t kept = 0, before = refused->count;

	for (size_t i = 0; i < before; i++) {
		if (refused->items[i].until_ms > now_ms)
			refused->items[kept++] = refused->items[i];
	}
	refused->count = kept;
	return before - kept;
}

bool vd_modbus_refused_meets(const struct vd_modbus_refused *refused, struct vd_modbus_range range)
{
	for (size_t i = 0; i < refused->count; i++) {
		if (ranges_meet(refused->items[i].range, range))
			return true;
	}
	return false;
}

static int compare_spans(const void *a, const void *b, void *argument)
{
	const struct vd_modbus_range *spans = argument;
	size_t i = *(const size_t *)a, j = *(const size_t *)b;

	if (spans[i].address != spans[j].address)
		return spans[i].address < spans[j].address ? -1 : 1;
	if (spans[i].count != spans[j].count)
		return spans[i].count < spans[j].count ? -1 : 1;
	return i < j ? -1 : 1;
}

static bool span_is_possible(struct vd_modbus_range span, const struct vd_modbus_cost *cost)
{
	return span.count > 0 && span.count <= cost->max_count && span.address < 65536 &&
	       end_of(span) <= 65536;
}

static int order_spans(struct vd_modbus_plan *plan, const struct vd_modbus_range *spans,
		       size_t count, const struct vd_modbus_cost *cost,
		       const struct vd_modbus_refused *refused, bool *left_out)
{
	for (size_t i = 0; i < count; i++) {
		if (!span_is_possible(spans[i], cost))
			return -EINVAL;
		left_out[i] = vd_modbus_refused_meets(refused, spans[i]);
		if (!left_out[i])
			plan->order[plan->order_count++] = i;
	}
	qsort_r(plan->order, plan->order_count, sizeof *plan->order, compare_spans,
		(void *)(uintptr_t)spans);
	return 0;
}

struct step {
	uint64_t cost_ns;
	size_t from; /* the last block holds order[from] to order[i - 1] */
	struct vd_modbus_range range;
};

/* The cheapest way to cover the first i spans, given all shorter ways. */
static struct step best_step(const struct vd_modbus_plan *plan, const struct vd_modbus_range *spans,
			     const struct vd_modbus_cost *cost,
			     const struct vd_modbus_refused *refused, const struct step *steps,
			     size_t i)
{
	struct step best = { .cost_ns = UINT64_MAX };
	uint32_t end = 0;

	for (size_t j = i; j-- > 0;) {
		struct vd_modbus_range range = spans[plan->order[j]];
		uint64_t total;

		if (end_of(range) > end)
			end = end_of(range);
		range.count = end - range.address;
		if (range.count > cost->max_count || vd_modbus_refused_meets(refused, range))
			break;
		total = steps[j].cost_ns + vd_modbus_cost_of(cost, range.count);
		if (total < best.cost_ns)
			best = (struct step){ total, j, range };
	}
	return best;
}

static void take_blocks(struct vd_modbus_plan *plan, const struct step *steps)
{
	for (size_t i = plan->order_count; i > 0; i = steps[i].from)
		plan->count++;
	for (size_t i = plan->order_count, at = plan->count; i > 0; i = steps[i].from)
		plan->blocks[--at] = (struct vd_modbus_block){ steps[i].range, steps[i].from,
							       i - steps[i].from };
	plan->cost_ns = steps[plan->order_count].cost_ns;
}

int vd_modbus_plan_init(struct vd_modbus_plan *plan, const struct vd_modbus_range *spans,
			size_t span_count, const struct vd_modbus_cost *cost,
			const struct vd_modbus_refused *refused, bool *left_out)
{
	VD_CLEANUP(vd_free) struct step *steps = calloc(span_count + 1, sizeof *steps);
	int r = -ENOMEM;

	*plan = (struct vd_modbus_plan){ .order = calloc(span_count + 1, sizeof(size_t)),
					 .blocks = calloc(span_count + 1,
							  sizeof(struct vd_modbus_block)) };
	if (steps && plan->order && plan->blocks)
		r = order_spans(plan, spans, span_count, cost, refused, left_out);
	if (r < 0) {
		vd_modbus_plan_fini(plan);
		return r;
	}
	for (size_t i = 1; i <= plan->order_count; i++)
		steps[i] = best_step(plan, spans, cost, refused, steps, i);
	take_blocks(plan, steps);
	return 0;
}

void vd_modbus_plan_fini(struct vd_modbus_plan *plan)
{
	free(plan->order);
	free(plan->blocks);
	*plan = (struct vd_modbus_plan){ 0 };
}

struct search {
	const size_t *order;
	const struct vd_modbus_range *spans;
	struct vd_modbus_refused *refused;
	uint64_t until_ms;
	const struct vd_modbus_reader *reader;
	int failed; /* the first result < 0 */
};

static struct vd_modbus_range hull(const struct search *search, size_t first, size_t count)
{
	struct vd_modbus_range range = search->spans[search->order[first]];
	uint32_t end = end_of(range);

	for (size_t i = first + 1; i < first + count; i++) {
		uint32_t other = end_of(search->spans[search->order[i]]);

		end = other > end ? other : end;
	}
	range.count = end - range.address;
	return range;
}

static void tell(struct search *search, size_t first, size_t count, int result,
		 struct vd_modbus_range range)
{
	for (size_t i = first; i < first + count; i++)
		search->reader->done(search->order[i], result, range, search->reader->argument);
}

/*
 * Returns whether the device refused anything in there. The depth is the logarithm of the count
 * of spans, of which a block has at most 2000.
 */
static bool read_spans(struct search *search, size_t first,
		       size_t count) /* NOLINT(misc-no-recursion) */
{
	struct vd_modbus_range range = hull(search, first, count), left;
	int r = search->failed ? search->failed
			       : search->reader->read(range, search->reader->argument);
	bool refused;

	if (r < 0)
		search->failed = r;
	if (r <= 0 || count == 1) {
		tell(search, first, count, r, range);
		if (r > 0)
			vd_modbus_refused_add(search->refused, range, search->until_ms);
		return r > 0;
	}
	refused = read_spans(search, first, count / 2);
	refused |= read_spans(search, first + count / 2, count - count / 2);
	left = hull(search, first, count / 2);
	range.count = search->spans[search->order[first + count / 2]].address - range.address;
	if (!refused && !search->failed && range.count > left.count)
		vd_modbus_refused_add(
			search->refused,
			(struct vd_modbus_range){ end_of(left), range.count - left.count },
			search->until_ms);
	return true;
}

int vd_modbus_plan_read(const struct vd_modbus_plan *plan, size_t block,
			const struct vd_modbus_range *spans, struct vd_modbus_refused *refused,
			uint64_t until_ms, const struct vd_modbus_reader *reader)
{
	struct search search = { plan->order, spans, refused, until_ms, reader, 0 };

	(void)read_spans(&search, plan->blocks[block].first, plan->blocks[block].count);
	return search.failed;
}
