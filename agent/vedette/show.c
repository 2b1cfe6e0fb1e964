/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/vedette/show.h"

#include <stdlib.h>
#include <string.h>

const char *vd_span_text(double ms, char text[static VD_SPAN_TEXT])
{
	static const struct {
		const char *name, *lower;
		double ms, lower_ms;
	} units[] = { { "d", "h", 86400e3, 3600e3 },
		      { "h", "min", 3600e3, 60e3 },
		      { "min", "s", 60e3, 1e3 } };

	for (size_t i = 0; i < VD_COUNT(units); i++) {
		if (ms < units[i].ms)
			continue;
		double whole = (double)(long long)(ms / units[i].ms);

		(void)snprintf(text, VD_SPAN_TEXT, "%.0f%s %.0f%s", whole, units[i].name,
			       (double)(long long)((ms - whole * units[i].ms) / units[i].lower_ms),
			       units[i].lower);
		return text;
	}
	(void)snprintf(text, VD_SPAN_TEXT, ms >= 1000 ? "%.1fs" : "%.0fms",
		       ms >= 1000 ? ms / 1000 : ms);
	return text;
}

static void show_link(const cJSON *link, FILE *out)
{
	char span[VD_SPAN_TEXT], next[VD_SPAN_TEXT];
	double wait_ms = vd_json_number(link, "nextAttemptMs", 0);

	(void)fprintf(out, "link     %s for %s, %s:%.0f\n", vd_json_string(link, "state", "?"),
		      vd_span_text(vd_json_number(link, "forMs", 0), span),
		      vd_json_string(link, "host", "?"), vd_json_number(link, "port", 0));
	if (strcmp(vd_json_string(link, "state", ""), "up") &&
	    *vd_json_string(link, "lastError", ""))
		(void)fprintf(out, "         last error: %s\n",
			      vd_json_string(link, "lastError", ""));
	if (wait_ms > 0)
		(void)fprintf(out, "         next attempt in %s\n", vd_span_text(wait_ms, next));
}

static void show_desired(const cJSON *desired, FILE *out)
{
	double version = vd_json_number(desired, "version", -1);
	double in_force = vd_json_number(desired, "inForce", -1);
	double code = vd_json_number(desired, "code", 0);

	if (in_force < 0)
		(void)fputs("desired  no document in force yet\n", out);
	else
		(void)fprintf(out, "desired  version %.0f in force%s\n", in_force,
			      vd_json_bool(desired, "isSettling", false)
				      ? ", a newer one is being applied"
				      : "");
	if (version >= 0 && code != 200)
		(void)fprintf(out, "         version %.0f refused (%.0f): %s\n         at %s\n",
			      version, code, vd_json_string(desired, "text", ""),
			      vd_json_string(desired, "pointer", ""));
}

static void show_exit(const cJSON *last, FILE *out)
{
	const cJSON *lines = vd_json_array(last, "lines"), *line;
	char span[VD_SPAN_TEXT];

	(void)fprintf(out, "  last end %s: %s, after %s\n", vd_json_string(last, "at", ""),
		      vd_json_string(last, "text", ""),
		      vd_span_text(vd_json_number(last, "ranMs", 0), span));
	cJSON_ArrayForEach(line, lines)
	{
		if (cJSON_IsString(line))
			(void)fprintf(out, "    | %s\n", line->valuestring);
	}
}

static void show_module_line(const cJSON *module, FILE *out)
{
	const cJSON *ack = vd_json_object(module, "acknowledged");
	char span[VD_SPAN_TEXT], release[80];

	(void)snprintf(release, sizeof release, "%s %s", vd_json_string(module, "package", "-"),
		       vd_json_string(module, "version", ""));
	(void)fprintf(out, "%-16.16s %-20.20s %-9s %8s %8.0f %9.0f  %.0f/%.0f\n", module->string,
		      release, vd_json_string(module, "state", "?"),
		      vd_span_text(vd_json_number(module, "forMs", 0), span),
		      vd_json_number(module, "restarts", 0), vd_json_number(module, "work", 0),
		      vd_json_number(ack, "version", 0), vd_json_number(ack, "code", 0));
}

static void show_table(const cJSON *answer, FILE *out, bool with_exits)
{
	const cJSON *modules = vd_json_object(answer, "modules"), *module;

	if (!modules || !modules->child) {
		(void)fputs("no modules\n", out);
		return;
	}
	(void)fprintf(out, "%-16s %-20s %-9s %8s %8s %9s  %s\n", "MODULE", "PACKAGE", "STATE",
		      "FOR", "RESTARTS", "WORK", "ACK");
	cJSON_ArrayForEach(module, modules)
	{
		const cJSON *ack = vd_json_object(module, "acknowledged");

		show_module_line(module, out);
		if (*vd_json_string(ack, "text", ""))
			(void)fprintf(out, "  %s %s\n", vd_json_string(ack, "text", ""),
				      vd_json_string(ack, "pointer", ""));
		if (with_exits && vd_json_object(module, "lastExit"))
			show_exit(vd_json_object(module, "lastExit"), out);
	}
}

static void show_store_line(const cJSON *store, FILE *out)
{
	const cJSON *classes = vd_json_object(store, "classes"), *class;
	double records = 0, bytes = 0, oldest = 0;
	char span[VD_SPAN_TEXT];

	cJSON_ArrayForEach(class, classes)
	{
		records += vd_json_number(class, "records", 0);
		bytes += vd_json_number(class, "bytes", 0);
		if (vd_json_number(class, "oldestAgeMs", 0) > oldest)
			oldest = vd_json_number(class, "oldestAgeMs", 0);
	}
	(void)fprintf(out, "outbox   %.0f records waiting, %.1f KiB, oldest %s; %s\n", records,
		      bytes / 1024, vd_span_text(oldest, span),
		      vd_json_string(store, "state", "?"));
	if (*vd_json_string(store, "degraded", ""))
		(void)fprintf(out, "         degraded: %s\n",
			      vd_json_string(store, "degraded", ""));
	if (*vd_json_string(store, "notice", ""))
		(void)fprintf(out, "         %s\n", vd_json_string(store, "notice", ""));
}

void vd_show_status(const cJSON *answer, FILE *out)
{
	char span[VD_SPAN_TEXT];

	(void)fprintf(out, "device   %s, vedetted %s, up %s, clock %s\n",
		      vd_json_string(answer, "deviceId", "?"),
		      vd_json_string(answer, "version", "?"),
		      vd_span_text(vd_json_number(answer, "upMs", 0), span),
		      vd_json_string(answer, "timeQuality", "?"));
	show_link(vd_json_object(answer, "link"), out);
	show_desired(vd_json_object(answer, "desired"), out);
	show_store_line(vd_json_object(answer, "store"), out);
	(void)fputc('\n', out);
	show_table(answer, out, false);
}

void vd_show_modules(const cJSON *answer, FILE *out)
{
	show_table(answer, out, true);
}

static void show_images(const cJSON *store, FILE *out)
{
	const cJSON *images = vd_json_object(store, "imagesOf"), *state;
	const char *error = vd_json_string(vd_json_object(store, "upload"), "lastError", "");

	(void)fprintf(out, "images   %.0f kept (%.1f MiB)", vd_json_number(store, "images", 0),
		      vd_json_number(store, "imageBytes", 0) / 1048576);
	cJSON_ArrayForEach(state, images)
	{
		if (cJSON_IsObject(state))
			(void)fprintf(out, ", %.0f %s (%.1f MiB)",
				      vd_json_number(state, "count", 0), state->string,
				      vd_json_number(state, "bytes", 0) / 1048576);
	}
	(void)fputc('\n', out);
	if (*vd_json_string(images, "lastRefusal", ""))
		(void)fprintf(out, "         last refused: %s\n",
			      vd_json_string(images, "lastRefusal", ""));
	if (*error)
		(void)fprintf(out, "         last failure: %s\n", error);
}

void vd_show_outbox(const cJSON *answer, FILE *out)
{
	const cJSON *store = vd_json_object(answer, "store");
	const cJSON *classes = vd_json_object(store, "classes"), *class;
	char span[VD_SPAN_TEXT];

	show_link(vd_json_object(answer, "link"), out);
	show_store_line(store, out);
	(void)fprintf(out, "         %.0f batches under way, slowest commit %.1f ms\n",
		      vd_json_number(answer, "underWay", 0),
		      vd_json_number(store, "slowestCommitUs", 0) / 1000);
	show_images(store, out);
	(void)fputc('\n', out);
	(void)fprintf(out, "%-10s %9s %11s %9s %11s %8s %8s %9s\n", "CLASS", "WAITING", "BYTES",
		      "ACCEPTED", "DELIVERED", "EVICTED", "REFUSED", "OLDEST");
	cJSON_ArrayForEach(class, classes)
	{
		(void)fprintf(
			out, "%-10s %9.0f %11.0f %9.0f %11.0f %8.0f %8.0f %9s\n", class->string,
			vd_json_number(class, "records", 0), vd_json_number(class, "bytes", 0),
			vd_json_number(class, "accepted", 0), vd_json_number(class, "delivered", 0),
			vd_json_number(class, "evicted", 0), vd_json_number(class, "refused", 0),
			vd_span_text(vd_json_number(class, "oldestAgeMs", 0), span));
	}
}

void vd_show_any(const cJSON *answer, FILE *out)
{
	char *text = cJSON_Print(answer);

	(void)fprintf(out, "%s\n", text ? text : "out of memory");
	free(text);
}

void vd_show_twin(const cJSON *answer, FILE *out)
{
	if (vd_json_get(answer, "version"))
		(void)fprintf(out, "version %.0f\n", vd_json_number(answer, "version", -1));
	vd_show_any(vd_json_get(answer, "document"), out);
}

void vd_show_packages(const cJSON *answer, FILE *out)
{
	const cJSON *list = vd_json_array(answer, "packages"), *item;

	(void)fprintf(out, "%-16s %-12s %s\n", "PACKAGE", "VERSION", "FOLDER");
	cJSON_ArrayForEach(item, list)
	{
		(void)fprintf(out, "%-16s %-12s %s\n", vd_json_string(item, "name", "?"),
			      vd_json_string(item, "version", "?"),
			      vd_json_string(item, "folder", "?"));
	}
}

void vd_show_logs(const cJSON *answer, FILE *out)
{
	const cJSON *lines = vd_json_array(answer, "lines"), *item;

	cJSON_ArrayForEach(item, lines)
	{
		(void)fprintf(out, "%s %s\n", vd_json_string(item, "at", ""),
			      vd_json_string(item, "line", ""));
	}
}
