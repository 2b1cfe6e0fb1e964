/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/hub/automation/configuration.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "twin/document/section.h"
#include "twin/hub/etag.h"
#include "twin/hub/refusal.h"
#include "twin/hub/automation/settings.h"

enum { LABEL_BYTES = 128, PRIORITY_MAX = 2147483647 };
static const char applied_metric[] =
	"select deviceId from devices where configurations.[[%s]].status = 'Applied'";
static const char targeted_metric[] = "select deviceId from devices where %s";

/* As Azure's own: what $edgeAgent has reported about the version that it was given. */
#define EDGE_APPLIED                                                                               \
	"select deviceId from devices.modules where moduleId = '$edgeAgent'"                       \
	" and configurations.[[%s]].status = 'Applied'"
#define EDGE_REPORTED                                                                              \
	EDGE_APPLIED " and properties.desired.$version = properties.reported.lastDesiredVersion"   \
		     " and properties.reported.lastDesiredStatus.code "
const char *const vd_configuration_edge_metrics[2] = { "$reportedSuccessfulCount",
						       "$reportedFailedCount" };
static const char *const edge_queries[2] = { EDGE_REPORTED "= 200", EDGE_REPORTED "!= 200" };

void vd_configuration_fini(struct vd_configuration *c)
{
	c->content = vd_json_free(c->content);
	c->labels = vd_json_free(c->labels);
	c->metrics = vd_json_free(c->metrics);
	c->results = vd_json_free(c->results);
	free(c->target_text);
	c->target_text = NULL;
	c->target = vd_query_free(c->target);
	for (size_t i = 0; i < VD_COUNT(c->queries); i++)
		c->queries[i] = vd_query_free(c->queries[i]);
}

static int refuse(struct vd_fault *fault, const char *pointer, const char *text)
{
	vd_fault_set(fault, 400, pointer, "%s", text);
	return VD_REFUSED_ARGUMENT;
}

/* What is refused below stands under this key. */
static int under(int r, const char *key, struct vd_fault *fault)
{
	if (r == 0 || r == -ENOMEM)
		return r;
	vd_fault_under(fault, key);
	return VD_REFUSED_ARGUMENT;
}

int vd_configuration_check_id(const char *id, struct vd_fault *fault)
{
	size_t len = strlen(id);

	if (len == 0 || len >= VD_PART_BYTES)
		return refuse(fault, "/id", "an id has 1 to 128 characters");
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)id[i];

		if (c <= ' ' || c >= 127 || (c >= 'A' && c <= 'Z') || strchr("&^[]{}\\|\"<>/", c))
			return refuse(fault, "/id",
				      "an id is lower-case ASCII without space or & ^ [ ] { } \\ | "
				      "\" < > /");
	}
	return 0;
}

/* --- content --- */

const cJSON *vd_content_device(const cJSON *content)
{
	return vd_json_object(content, "deviceContent");
}

const cJSON *vd_content_modules(const cJSON *content)
{
	return vd_json_object(content, "modulesContent");
}

const cJSON *vd_content_module(const cJSON *content, const char *module)
{
	return vd_json_object(vd_content_modules(content), module);
}

bool vd_content_is_edge(const cJSON *content)
{
	return vd_content_module(content, "$edgeAgent") != NULL;
}

const cJSON *vd_content_any_module(const cJSON *content)
{
	return vd_json_object(content, "moduleContent");
}

static int check_settings(const cJSON *settings, struct vd_fault *fault)
{
	return vd_settings_check(settings, fault) < 0 ? VD_REFUSED_ARGUMENT : 0;
}

static int check_modules(const cJSON *modules, struct vd_fault *fault)
{
	const cJSON *module;
	struct vd_name name;

	if (!cJSON_IsObject(modules))
		return refuse(fault, "", "is not an object");
	cJSON_ArrayForEach(module, modules)
	{
		int r = vd_name_make("device", module->string, &name) == 0 && name.module[0]
				? check_settings(module, fault)
				: refuse(fault, "", "is no id of a module");

		if (r != 0)
			return under(r, module->string, fault);
	}
	return 0;
}

int vd_content_check(const cJSON *content, struct vd_fault *fault)
{
	const cJSON *part;
	int parts = 0;

	if (!cJSON_IsObject(content))
		return refuse(fault, "", "is not an object");
	cJSON_ArrayForEach(part, content)
	{
		bool is_modules = strcmp(part->string, "modulesContent") == 0;
		int r;

		if (cJSON_IsNull(part))
			continue;
		if (!is_modules && strcmp(part->string, "deviceContent") != 0 &&
		    strcmp(part->string, "moduleContent") != 0)
			return under(refuse(fault, "", "is no content"), part->string, fault);
		r = is_modules ? check_modules(part, fault) : check_settings(part, fault);
		if (r != 0)
			return under(r, part->string, fault);
		parts++;
	}
	if (parts != 1)
		return refuse(fault, "",
			      "needs one of deviceContent, moduleContent and modulesContent");
	return 0;
}

/* --- the other members --- */

static bool label_is_good(const char *text)
{
	size_t len = strlen(text);

	if (len == 0 || len > LABEL_BYTES)
		return false;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c <= ' ' || c >= 127 ||
		    !(strchr("-:.+%_#*?!(),=@;'", c) || (c >= '0' && c <= '9') ||
		      (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')))
			return false;
	}
	return true;
}

static int read_object(const cJSON *body, const char *key, const cJSON **ret_object,
		       struct vd_fault *fault)
{
	const cJSON *value = vd_json_get(body, key);

	*ret_object = NULL;
	if (!value || cJSON_IsNull(value))
		return 0;
	if (!cJSON_IsObject(value))
		return under(refuse(fault, "", "is not an object"), key, fault);
	*ret_object = value;
	return 0;
}

static int check_labels(const cJSON *labels, struct vd_fault *fault)
{
	const cJSON *label;

	if (cJSON_GetArraySize(labels) > VD_CONFIGURATION_LABELS)
		return refuse(fault, "/labels", "has more than 50 members");
	cJSON_ArrayForEach(label, labels)
	{
		if (!cJSON_IsString(label) || !label_is_good(label->valuestring) ||
		    !label_is_good(label->string))
			return under(under(refuse(fault, "",
						  "a label is 1 to 128 ASCII letters, digits or "
						  "-:.+%_#*?!(),=@;'"),
					   label->string, fault),
				     "labels", fault);
	}
	return 0;
}

/* A copy, or {} of none. */
static int replace_object(cJSON **place, const cJSON *object)
{
	cJSON *copy = object ? cJSON_Duplicate(object, true) : cJSON_CreateObject();

	if (!copy)
		return -ENOMEM;
	(void)vd_json_free(*place);
	*place = copy;
	return 0;
}

static int read_labels(const cJSON *body, struct vd_configuration *c, struct vd_fault *fault)
{
	const cJSON *labels;
	int r = read_object(body, "labels", &labels, fault);

	if (r == 0 && labels)
		r = check_labels(labels, fault);
	return r == 0 ? replace_object(&c->labels, labels) : r;
}

static int read_priority(const cJSON *body, struct vd_configuration *c, struct vd_fault *fault)
{
	const cJSON *value = vd_json_get(body, "priority");
	double number = cJSON_IsNumber(value) ? value->valuedouble : 0;

	if (value && !cJSON_IsNull(value) &&
	    (!cJSON_IsNumber(value) || number < 0 || number > PRIORITY_MAX ||
	     number != (double)(int64_t)number))
		return refuse(fault, "/priority", "is no integer from 0 to 2147483647");
	c->priority = (int64_t)number;
	return 0;
}

static int read_target(const cJSON *body, struct vd_configuration *c, struct vd_fault *fault)
{
	const cJSON *value = vd_json_get(body, "targetCondition");
	char *text;

	if (value && !cJSON_IsNull(value) && !cJSON_IsString(value))
		return refuse(fault, "/targetCondition", "is not a text");
	text = strdup(cJSON_IsString(value) ? value->valuestring : "");
	if (!text)
		return -ENOMEM;
	free(c->target_text);
	c->target_text = text;
	return 0;
}

static int read_metrics(const cJSON *body, struct vd_configuration *c, struct vd_fault *fault)
{
	const cJSON *metrics, *queries;
	int r = read_object(body, "metrics", &metrics, fault);

	if (r == 0)
		r = under(read_object(metrics, "queries", &queries, fault), "metrics", fault);
	return r == 0 ? replace_object(&c->metrics, queries) : r;
}

static int read_content(const cJSON *body, struct vd_configuration *c, struct vd_fault *fault)
{
	const cJSON *content;
	int r = read_object(body, "content", &content, fault);

	if (r != 0 || (!content && c->content))
		return r;
	if (!content)
		return refuse(fault, "/content", "is missing");
	r = under(vd_content_check(content, fault), "content", fault);
	return r == 0 ? replace_object(&c->content, content) : r;
}

/* --- conditions and metrics --- */

int vd_metric_parse(const char *text, struct vd_query **ret_query, struct vd_fault *fault)
{
	VD_CLEANUP(vd_query_free) struct vd_query *query = NULL;
	int r = vd_query_parse(text, strlen(text), &query, fault);

	if (r < 0)
		return r == -EINVAL ? VD_REFUSED_ARGUMENT : r;
	if (vd_query_is_aggregate(query) || vd_query_source(query) == VD_QUERY_JOBS)
		return refuse(fault, "", "a metric selects twins, they are counted by the hub");
	*ret_query = VD_TAKE(query);
	return 0;
}

static int put_into(struct vd_buf *text, const char *format, const char *value)
{
	const char *at = strstr(format, "%s");
	int r = vd_buf_append(text, format, (size_t)(at - format));

	return r == 0 ? vd_buf_printf(text, "%s%s", value, at + 2) : r;
}

static int compile_edge_metrics(struct vd_configuration *c, size_t first, struct vd_fault *fault)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < VD_COUNT(edge_queries); i++) {
		VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };

		r = put_into(&text, edge_queries[i], c->id);
		if (r == 0)
			r = vd_metric_parse(text.data, &c->queries[first + i], fault);
	}
	return r;
}

static int compile_metrics(struct vd_configuration *c, struct vd_fault *fault)
{
	const cJSON *metric;
	size_t count = 0;

	for (size_t i = 0; i < VD_COUNT(c->queries); i++)
		c->queries[i] = vd_query_free(c->queries[i]);

	cJSON_ArrayForEach(metric, c->metrics)
	{
		int r = 0;

		if (count == VD_CONFIGURATION_METRICS)
			return refuse(fault, "/metrics/queries", "has more than 5 members");
		if (!label_is_good(metric->string))
			r = refuse(fault, "", "is no name of a metric");
		else if (!cJSON_IsString(metric))
			r = refuse(fault, "", "is not a text");
		if (r == 0)
			r = vd_metric_parse(metric->valuestring, &c->queries[count], fault);
		if (r != 0)
			return under(under(under(r, metric->string, fault), "queries", fault),
				     "metrics", fault);
		count++;
	}
	return vd_content_is_edge(c->content) ? compile_edge_metrics(c, count, fault) : 0;
}

static int compile_target(struct vd_configuration *c, struct vd_fault *fault)
{
	const bool is_for_modules = vd_content_any_module(c->content) != NULL;
	int r = 0;

	c->target = vd_query_free(c->target);
	if (c->target_text[0])
		r = vd_condition_parse(c->target_text, strlen(c->target_text), &c->target, fault);
	if (r == 0 && c->target &&
	    (vd_query_source(c->target) == VD_QUERY_MODULES) != is_for_modules) {
		vd_fault_set(fault, 400, "",
			     is_for_modules ? "moduleContent needs FROM devices.modules"
					    : "FROM devices.modules needs moduleContent");
		r = -EINVAL;
	}
	return under(r, "targetCondition", fault);
}

int vd_configuration_compile(struct vd_configuration *c, struct vd_fault *fault)
{
	int r = compile_target(c, fault);

	return r == 0 ? compile_metrics(c, fault) : r;
}

int vd_configuration_copy(const struct vd_configuration *c, struct vd_configuration *ret_copy)
{
	VD_CLEANUP(vd_configuration_fini)
	struct vd_configuration copy = { .priority = c->priority,
					 .created_ms = c->created_ms,
					 .updated_ms = c->updated_ms,
					 .etag = c->etag };
	struct vd_fault fault = { 0 };
	int r;

	(void)memcpy(copy.id, c->id, sizeof copy.id);
	copy.content = cJSON_Duplicate(c->content, true);
	copy.labels = cJSON_Duplicate(c->labels, true);
	copy.metrics = cJSON_Duplicate(c->metrics, true);
	copy.results = cJSON_Duplicate(c->results, true);
	copy.target_text = strdup(c->target_text);
	if (!copy.content || !copy.labels || !copy.metrics || !copy.results || !copy.target_text)
		return -ENOMEM;
	r = vd_configuration_compile(&copy, &fault);
	if (r == 0) {
		*ret_copy = copy;
		copy = (struct vd_configuration){ 0 };
	}
	return r;
}

int vd_configuration_read(const cJSON *body, struct vd_configuration *c, struct vd_fault *fault)
{
	int r = read_content(body, c, fault);

	if (r == 0)
		r = read_labels(body, c, fault);
	if (r == 0)
		r = read_priority(body, c, fault);
	if (r == 0)
		r = read_target(body, c, fault);
	if (r == 0)
		r = read_metrics(body, c, fault);
	return r == 0 ? vd_configuration_compile(c, fault) : r;
}

/* --- as JSON --- */

static bool add_metrics(cJSON *json, const char *key, const cJSON *queries, const cJSON *results)
{
	VD_CLEANUP(vd_json_free) cJSON *metrics = cJSON_CreateObject();

	return metrics && vd_json_add_copy(metrics, "results", results) &&
	       vd_json_add_copy(metrics, "queries", queries) &&
	       vd_json_add_take(json, key, &metrics);
}

static bool add_query(cJSON *queries, const char *name, const char *format, const char *value)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };

	return put_into(&text, format, value) == 0 && vd_json_add_string(queries, name, text.data);
}

/* Moves the hub's own results to where Azure has them: {"$name": n} -> {"name": n}. */
static bool add_edge_metrics(const struct vd_configuration *c, cJSON *own, cJSON *queries,
			     cJSON *results)
{
	for (size_t i = 0; i < VD_COUNT(edge_queries); i++) {
		const char *name = vd_configuration_edge_metrics[i];

		if (!add_query(queries, name + 1, edge_queries[i], c->id) ||
		    !vd_json_add_number(results, name + 1, vd_json_number(own, name, 0)))
			return false;
		cJSON_DeleteItemFromObjectCaseSensitive(own, name);
	}
	return true;
}

static bool add_all_metrics(cJSON *json, const struct vd_configuration *c, int64_t targeted,
			    int64_t applied)
{
	const bool is_edge = vd_content_is_edge(c->content);
	VD_CLEANUP(vd_json_free) cJSON *own = cJSON_Duplicate(c->results, true);
	VD_CLEANUP(vd_json_free) cJSON *queries = cJSON_CreateObject();
	VD_CLEANUP(vd_json_free) cJSON *results = cJSON_CreateObject();

	return own && queries && results &&
	       vd_json_add_number(results, "targetedCount", (double)targeted) &&
	       vd_json_add_number(results, "appliedCount", (double)applied) &&
	       add_query(queries, "targetedCount", targeted_metric, c->target_text) &&
	       add_query(queries, "appliedCount", is_edge ? EDGE_APPLIED : applied_metric, c->id) &&
	       (!is_edge || add_edge_metrics(c, own, queries, results)) &&
	       add_metrics(json, "metrics", c->metrics, own) &&
	       add_metrics(json, "systemMetrics", queries, results);
}

cJSON *vd_configuration_json(const struct vd_configuration *c, int64_t targeted, int64_t applied)
{
	VD_CLEANUP(vd_json_free) cJSON *json = cJSON_CreateObject();
	char created[VD_SECTION_TIME_TEXT], updated[VD_SECTION_TIME_TEXT], etag[VD_ETAG_BYTES];

	if (!json || !vd_json_add_string(json, "id", c->id) ||
	    !vd_json_add_string(json, "schemaVersion", "1.0") ||
	    !vd_json_add_copy(json, "labels", c->labels) ||
	    !vd_json_add_copy(json, "content", c->content) ||
	    !vd_json_add_string(json, "targetCondition", c->target_text) ||
	    !vd_json_add_string(json, "createdTimeUtc", vd_section_time(c->created_ms, created)) ||
	    !vd_json_add_string(json, "lastUpdatedTimeUtc",
				vd_section_time(c->updated_ms, updated)) ||
	    !vd_json_add_number(json, "priority", (double)c->priority) ||
	    !add_all_metrics(json, c, targeted, applied) ||
	    !vd_json_add_string(json, "etag", vd_etag_text(c->etag, etag)))
		return NULL;
	return VD_TAKE(json);
}
