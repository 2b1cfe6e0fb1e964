/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/hub/automation/configuration_list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "twin/document/merge.h"
#include "twin/hub/store/configurations.h"

void vd_configuration_list_fini(struct vd_configuration_list *c)
{
	for (size_t i = 0; i < c->count; i++)
		vd_configuration_fini(&c->items[i]);
	free(c->items);
	free(c->found);
	c->items = NULL;
	c->found = NULL;
	c->count = 0;
}

static int load_one(struct vd_configuration *configuration, void *argument)
{
	struct vd_configuration_list *c = argument;
	struct vd_configuration *list = reallocarray(c->items, c->count + 1, sizeof c->items[0]);
	struct vd_fault fault = { 0 };
	int r;

	if (!list)
		return -ENOMEM;
	c->items = list;
	if (c->count >= VD_CONFIGURATIONS_MAX)
		return -E2BIG;
	r = vd_configuration_compile(configuration, &fault);
	if (r < 0)
		return r;
	if (r > 0) /* of a hub that knew more; targets nobody */
		vd_log(VD_ERROR, "configuration.unreadable", "id=%s place=\"%s\" reason=\"%s\"",
		       configuration->id, fault.pointer, fault.text);
	list[c->count++] = *configuration;
	*configuration = (struct vd_configuration){ 0 };
	return 0;
}

int vd_configuration_list_load(struct vd_configuration_list *c, struct vd_store *store)
{
	int r;

	vd_configuration_list_fini(c);
	r = vd_store_configurations(store, load_one, c);
	if (r == 0 && c->count > 0) {
		c->found = calloc(c->count, sizeof c->found[0]);
		r = c->found ? 0 : -ENOMEM;
	}
	return r;
}

struct vd_configuration *vd_configuration_list_find(const struct vd_configuration_list *c,
						    const char *id)
{
	for (size_t i = 0; i < c->count; i++) {
		if (strcmp(c->items[i].id, id) == 0)
			return &c->items[i];
	}
	return NULL;
}

static cJSON *results_of(const struct vd_configuration *configuration, const int64_t *found)
{
	VD_CLEANUP(vd_json_free) cJSON *results = cJSON_CreateObject();
	size_t m = 0;

	for (const cJSON *metric = configuration->metrics->child; results && metric;
	     metric = metric->next, m++) {
		const struct vd_query *query = configuration->queries[m];
		int64_t count = found[m], top = query ? vd_query_top(query) : -1;

		if (top >= 0 && top < count)
			count = top;
		if (!vd_json_add_number(results, metric->string, (double)count))
			return NULL;
	}
	for (size_t e = 0; results && e < VD_COUNT(vd_configuration_edge_metrics) &&
			   vd_content_is_edge(configuration->content);
	     e++, m++) {
		if (!vd_json_add_number(results, vd_configuration_edge_metrics[e],
					(double)found[m]))
			return NULL;
	}
	return VD_TAKE(results);
}

void vd_configuration_set_results(struct vd_store *store, struct vd_configuration *configuration,
				  const int64_t found[static VD_CONFIGURATION_QUERIES])
{
	VD_CLEANUP(vd_json_free) cJSON *results = results_of(configuration, found);

	if (!results || vd_merge_is_equal(results, configuration->results) ||
	    vd_store_configuration_set_results(store, configuration->id, results) != 0)
		return;
	(void)vd_json_free(configuration->results);
	configuration->results = VD_TAKE(results);
}
