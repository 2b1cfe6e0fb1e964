/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/cloud/topic.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

struct span {
	const char *at;
	size_t len;
};

static bool eat(struct span *text, const char *prefix)
{
	size_t len = strlen(prefix);

	if (text->len < len || memcmp(text->at, prefix, len) != 0)
		return false;
	text->at += len;
	text->len -= len;
	return true;
}

/* The text up to the separator, which is dropped; all of it when there is none. */
static struct span cut(struct span *text, char separator)
{
	const char *end = text->len ? memchr(text->at, separator, text->len) : NULL;
	struct span part = { text->at, end ? (size_t)(end - text->at) : text->len };

	text->at += part.len + (end ? 1 : 0);
	text->len -= part.len + (end ? 1 : 0);
	return part;
}

static int parse_number(struct span digits, int64_t *ret_number)
{
	int64_t number = 0;

	if (digits.len == 0 || digits.len > 18)
		return -EINVAL;
	for (size_t i = 0; i < digits.len; i++) {
		if (!isdigit((unsigned char)digits.at[i]))
			return -EINVAL;
		number = 10 * number + (digits.at[i] - '0');
	}
	*ret_number = number;
	return 0;
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int decode(struct span text, char *out, size_t size)
{
	size_t len = 0;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.at[i];

		if (c == '%') {
			int high = i + 2 < text.len ? hex(text.at[i + 1]) : -1;
			int low = high >= 0 ? hex(text.at[i + 2]) : -1;

			if (low < 0)
				return -EINVAL;
			c = (char)(16 * high + low);
			i += 2;
		}
		if (c == '\0' || len + 1 >= size)
			return -EINVAL;
		out[len++] = c;
	}
	out[len] = '\0';
	return len ? 0 : -EINVAL;
}

/* "$rid=…" and "$version=…" of "?k=v&k=v"; other keys are left aside. The '$' may be encoded. */
static int parse_query(struct span query, struct vd_topic *topic)
{
	if (query.len && query.at[0] == '?')
		(void)eat(&query, "?");
	while (query.len) {
		struct span pair = cut(&query, '&');
		int r = 0;

		if (!eat(&pair, "$"))
			(void)eat(&pair, "%24");
		if (eat(&pair, "rid="))
			r = decode(pair, topic->rid, sizeof topic->rid);
		else if (eat(&pair, "version="))
			r = parse_number(pair, &topic->version);
		if (r < 0)
			return r;
	}
	return 0;
}

static int parse_answer(struct span rest, struct vd_topic *topic)
{
	int64_t status = 0;
	int r = parse_number(cut(&rest, '/'), &status);

	if (r == 0)
		r = parse_query(rest, topic);
	if (r < 0 || status > 999 || !*topic->rid)
		return -EINVAL;
	topic->status = (int)status;
	return 0;
}

static int parse_method(struct span rest, struct vd_topic *topic)
{
	int r = decode(cut(&rest, '/'), topic->method, sizeof topic->method);

	if (r == 0)
		r = parse_query(rest, topic);
	return r < 0 || !*topic->rid ? -EINVAL : 0;
}

/* devices/{id}/messages/devicebound/{bag} or devices/{id}/modules/{m}/inputs/{name}/{bag} */
static int parse_message(struct span rest, struct vd_topic *topic)
{
	if (cut(&rest, '/').len == 0)
		return -EINVAL;
	if (eat(&rest, "modules/")) {
		if (cut(&rest, '/').len == 0 || !eat(&rest, "inputs/") || cut(&rest, '/').len == 0)
			return -EINVAL;
	} else if (!eat(&rest, "messages/devicebound")) {
		return -EINVAL;
	} else if (rest.len && !eat(&rest, "/")) {
		return -EINVAL;
	}
	topic->bag = rest.at;
	topic->bag_len = rest.len;
	return 0;
}

int vd_topic_parse(const char *text, size_t len, struct vd_topic *ret_topic)
{
	static const struct {
		const char *prefix;
		enum vd_topic_kind kind;
		int (*parse)(struct span rest, struct vd_topic *topic);
	} kinds[] = {
		{ "$iothub/twin/res/", VD_TOPIC_TWIN_ANSWER, parse_answer },
		{ "$iothub/twin/PATCH/properties/desired/", VD_TOPIC_DESIRED, parse_query },
		{ "$iothub/methods/POST/", VD_TOPIC_METHOD, parse_method },
		{ "devices/", VD_TOPIC_MESSAGE, parse_message },
	};

	for (size_t i = 0; i < VD_COUNT(kinds); i++) {
		struct vd_topic topic = { .kind = kinds[i].kind, .version = -1 };
		struct span rest = { text, len };

		if (!eat(&rest, kinds[i].prefix))
			continue;
		if (kinds[i].parse(rest, &topic) < 0)
			return -EINVAL;
		*ret_topic = topic;
		return 0;
	}
	return -EINVAL;
}

int vd_topic_encode(const char *text, struct vd_buf *out)
{
	int r = 0;

	for (; *text && r == 0; text++) {
		if (isalnum((unsigned char)*text) || strchr("-_.~", *text))
			r = vd_buf_append(out, text, 1);
		else
			r = vd_buf_printf(out, "%%%02X", (unsigned char)*text);
	}
	return r;
}

int vd_bag_add(struct vd_buf *bag, const char *key, const char *value)
{
	int r = bag->len ? vd_buf_append(bag, "&", 1) : 0;

	if (r == 0)
		r = vd_topic_encode(key, bag);
	if (r == 0)
		r = vd_buf_append(bag, "=", 1);
	return r < 0 ? r : vd_topic_encode(value, bag);
}
