/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/document/route.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { FROM, SOURCE, INTO, SINK, WORDS };

struct word {
	const char *text;
	size_t len;
};

static int refuse(struct vd_fault *fault, const char *pointer, const char *text)
{
	vd_fault_set(fault, 400, pointer, "%s", text);
	return -EINVAL;
}

static bool is_name_character(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-';
}

static bool is_name(struct word word)
{
	if (!word.len || word.len >= VD_ROUTE_WORD || word.text[0] == '-')
		return false;
	for (size_t i = 0; i < word.len; i++) {
		if (!is_name_character(word.text[i]))
			return false;
	}
	return true;
}

bool vd_route_is_name(const char *text)
{
	return is_name((struct word){ text, strlen(text) });
}

static size_t split_words(const char *text, struct word words[static WORDS + 1])
{
	size_t count = 0;

	for (text += strspn(text, " \t"); *text && count <= WORDS; text += strspn(text, " \t")) {
		words[count] = (struct word){ text, strcspn(text, " \t") };
		text += words[count++].len;
	}
	return count;
}

static bool is_keyword(struct word word, const char *keyword)
{
	return word.len == strlen(keyword) && !strncasecmp(word.text, keyword, word.len);
}

/* "module/port" */
static int read_end(struct word word, const char *what, char module[static VD_ROUTE_WORD],
		    char port[static VD_ROUTE_WORD], struct vd_fault *fault)
{
	const char *slash = memchr(word.text, '/', word.len);
	struct word first, second;

	if (!slash) {
		vd_fault_set(fault, 400, "", "\"%.*s\" must be %s",
			     (int)(word.len < 80 ? word.len : 80), word.text, what);
		return -EINVAL;
	}
	first = (struct word){ word.text, (size_t)(slash - word.text) };
	second = (struct word){ slash + 1, word.len - first.len - 1 };
	for (int i = 0; i < 2; i++) {
		struct word name = i ? second : first;

		if (is_name(name))
			continue;
		vd_fault_set(fault, 400, "",
			     "\"%.*s\" is not a name: 1 to 128 letters, digits, '_' and '-', not "
			     "'-' first",
			     (int)(name.len < 80 ? name.len : 80), name.text);
		return -EINVAL;
	}
	(void)snprintf(module, VD_ROUTE_WORD, "%.*s", (int)first.len, first.text);
	(void)snprintf(port, VD_ROUTE_WORD, "%.*s", (int)second.len, second.text);
	return 0;
}

static int read_sink(struct word word, struct vd_route *route, struct vd_fault *fault)
{
	route->is_upstream = is_keyword(word, "$upstream");
	if (route->is_upstream)
		return 0;
	return read_end(word, "$upstream or <module>/<input>", route->sink_module,
			route->sink_input, fault);
}

int vd_route_parse(const char *text, struct vd_route *ret_route, struct vd_fault *fault)
{
	struct word words[WORDS + 1] = { 0 };
	struct vd_route route = { 0 };
	size_t count = split_words(text, words);
	int r;

	if (count > FROM && !is_keyword(words[FROM], "FROM"))
		return refuse(fault, "", "a route begins with FROM");
	if (count > INTO && !is_keyword(words[INTO], "INTO"))
		return refuse(fault, "", "after FROM <module>/<output> comes INTO");
	if (count > WORDS)
		return refuse(fault, "", "more text after the end of the route");
	if (count < WORDS)
		return refuse(fault, "",
			      "must be FROM <module>/<output> INTO $upstream or <module>/<input>");
	r = read_end(words[SOURCE], "<module>/<output>", route.source_module, route.source_output,
		     fault);
	if (r == 0)
		r = read_sink(words[SINK], &route, fault);
	if (r == 0)
		*ret_route = route;
	return r;
}

static int read_class(const cJSON *member, struct vd_route *route, struct vd_fault *fault)
{
	static const char *const classes[] = { "alarm", "verdict", "event", "telemetry", "raw" };
	const cJSON *class = vd_json_get(member, "class");

	if (!class)
		return 0;
	if (!route->is_upstream)
		return refuse(fault, "/class", "a class is for routes INTO $upstream");
	for (size_t i = 0; i < VD_COUNT(classes); i++) {
		if (cJSON_IsString(class) && !strcmp(class->valuestring, classes[i])) {
			route->class = class->valuestring;
			return 0;
		}
	}
	return refuse(fault, "/class", "must be alarm, verdict, event, telemetry or raw");
}

int vd_route_read(const cJSON *member, struct vd_route *ret_route, struct vd_fault *fault)
{
	const char *text = cJSON_IsString(member) ? member->valuestring
						  : vd_json_string(member, "route", NULL);
	struct vd_route route;
	int r;

	if (!text)
		return refuse(fault, cJSON_IsObject(member) ? "/route" : "",
			      "must be the text of a route");
	r = vd_route_parse(text, &route, fault);
	if (r < 0 && !cJSON_IsString(member))
		vd_fault_under(fault, "route");
	if (r == 0)
		r = read_class(member, &route, fault);
	route.name = member->string;
	if (r == 0)
		*ret_route = route;
	return r;
}
