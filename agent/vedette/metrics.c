/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent's status in Prometheus' text format 0.0.4, for the textfile collector of a node
 * exporter: the box opens no port for it. Times are in seconds, sizes in bytes, as Prometheus has it.
 */
#include "agent/vedette/metrics.h"

#include <string.h>

static void head(FILE *out, const char *name, const char *type, const char *help)
{
	(void)fprintf(out, "# HELP vedette_%s %s\n# TYPE vedette_%s %s\n", name, help, name, type);
}

/* A label's value: '\\', '"' and a line's end are escaped. */
static void put_value(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '\\' || *text == '"')
			(void)fputc('\\', out);
		if (*text == '\n')
			(void)fputs("\\n", out);
		else
			(void)fputc(*text, out);
	}
}

static void put_label(FILE *out, char before, const char *name, const char *value)
{
	(void)fprintf(out, "%c%s=\"", before, name);
	put_value(out, value);
	(void)fputc('"', out);
}

/* --- single numbers --- */

static const struct single {
	const char *name, *type, *pointer;
	double scale;
	const char *help;
} singles[] = {
	{ "up_seconds", "gauge", "/upMs", 0.001, "Since the agent started." },
	{ "link_connects_total", "counter", "/link/connects", 1, "Connections to the hub." },
	{ "link_failures_total", "counter", "/link/failures", 1, "Failed attempts to connect." },
	{ "desired_version", "gauge", "/desired/version", 1, "Newest desired document." },
	{ "desired_in_force_version", "gauge", "/desired/inForce", 1, "The one that runs." },
	{ "desired_code", "gauge", "/desired/code", 1, "What became of the newest: 200 applied." },
	{ "outbox_queued_records", "gauge", "/store/queuedRecords", 1, "Not yet on the disk." },
	{ "outbox_commits_total", "counter", "/store/commits", 1, "Transactions of the outbox." },
	{ "outbox_slowest_commit_seconds", "gauge", "/store/slowestCommitUs", 1e-6,
	  "The slowest since the start." },
	{ "dropped_messages_total", "counter", "/droppedMessages", 1,
	  "Between modules, for want of room or of a reader." },
};

static void put_singles(const cJSON *answer, FILE *out)
{
	for (size_t i = 0; i < VD_COUNT(singles); i++) {
		const cJSON *value = vd_json_at(answer, singles[i].pointer);

		if (!cJSON_IsNumber(value))
			continue;
		head(out, singles[i].name, singles[i].type, singles[i].help);
		(void)fprintf(out, "vedette_%s %.15g\n", singles[i].name,
			      value->valuedouble * singles[i].scale);
	}
}

static void put_states(const cJSON *answer, FILE *out)
{
	const char *link = vd_json_string(vd_json_object(answer, "link"), "state", "");
	const char *store = vd_json_string(vd_json_object(answer, "store"), "state", "");

	head(out, "link_up", "gauge", "1: connected to the hub.");
	(void)fprintf(out, "vedette_link_up %d\n", !strcmp(link, "up"));
	head(out, "outbox_degraded", "gauge", "1: records are kept in memory only.");
	(void)fprintf(out, "vedette_outbox_degraded %d\n", strcmp(store, "ok") != 0);
}

/* --- families: a number for each member of an object --- */

struct family {
	const char *name, *type, *label, *key;
	double scale;
	const char *help;
};

static void put_family(const cJSON *members, const struct family *family, FILE *out)
{
	const cJSON *member;

	head(out, family->name, family->type, family->help);
	cJSON_ArrayForEach(member, members)
	{
		const cJSON *value = vd_json_get(member, family->key);

		if (!cJSON_IsNumber(value))
			continue;
		(void)fprintf(out, "vedette_%s", family->name);
		put_label(out, '{', family->label, member->string);
		(void)fprintf(out, "} %.15g\n", value->valuedouble * family->scale);
	}
}

static const struct family classes[] = {
	{ "outbox_records", "gauge", "class", "records", 1, "Waiting for the hub." },
	{ "outbox_bytes", "gauge", "class", "bytes", 1, "What they take." },
	{ "outbox_oldest_seconds", "gauge", "class", "oldestAgeMs", 0.001, "Age of the oldest." },
	{ "outbox_accepted_total", "counter", "class", "accepted", 1, "Records accepted." },
	{ "outbox_delivered_total", "counter", "class", "delivered", 1, "Records the hub has." },
	{ "outbox_evicted_total", "counter", "class", "evicted", 1,
	  "Records given up, counted out." },
	{ "outbox_refused_total", "counter", "class", "refused", 1, "Records refused aloud." },
};

static const struct family images[] = {
	{ "images", "gauge", "state", "count", 1, "Images of records." },
	{ "images_bytes", "gauge", "state", "bytes", 1, "What they take." },
};

static const struct family modules[] = {
	{ "module_restarts_total", "counter", "module", "restarts", 1,
	  "Ends that nobody asked for." },
	{ "module_work_total", "counter", "module", "work", 1, "Work done since its start." },
};

static void put_module_states(const cJSON *list, FILE *out)
{
	const cJSON *module;

	head(out, "module_ready", "gauge", "1: it runs with parameters in force.");
	cJSON_ArrayForEach(module, list)
	{
		(void)fputs("vedette_module_ready", out);
		put_label(out, '{', "module", module->string);
		(void)fprintf(out, "} %d\n", !strcmp(vd_json_string(module, "state", ""), "ready"));
	}
}

/* What modules count in reported state: verdicts of a station, refusals, what was lost. */
static void put_module_counters(const cJSON *list, FILE *out)
{
	const cJSON *module, *counter;

	head(out, "module_counter", "untyped", "As the module counts by itself.");
	cJSON_ArrayForEach(module, list)
	{
		cJSON_ArrayForEach(counter, vd_json_at(module, "/report/counters"))
		{
			if (!cJSON_IsNumber(counter))
				continue;
			(void)fputs("vedette_module_counter", out);
			put_label(out, '{', "module", module->string);
			put_label(out, ',', "counter", counter->string);
			(void)fprintf(out, "} %.15g\n", counter->valuedouble);
		}
	}
}

void vd_show_metrics(const cJSON *answer, FILE *out)
{
	const cJSON *list = vd_json_object(answer, "modules");

	put_states(answer, out);
	put_singles(answer, out);
	for (size_t i = 0; i < VD_COUNT(classes); i++)
		put_family(vd_json_at(answer, "/store/classes"), &classes[i], out);
	for (size_t i = 0; i < VD_COUNT(images); i++)
		put_family(vd_json_at(answer, "/store/imagesOf"), &images[i], out);
	for (size_t i = 0; i < VD_COUNT(modules); i++)
		put_family(list, &modules[i], out);
	put_module_states(list, out);
	put_module_counters(list, out);
}
