/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/broker/topics.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "twin/broker/identities.h"

/* If text begins with prefix, what follows it; else NULL. */
static const char *after(const char *text, const char *prefix)
{
	size_t len = strlen(prefix);

	return text && !strncmp(text, prefix, len) ? text + len : NULL;
}

static const char *after_n(const char *text, const char *prefix, size_t len)
{
	return text && !strncmp(text, prefix, len) ? text + len : NULL;
}

/* Behind "devices/dev/" or "devices/dev/modules/mod/" when these are the identity's own. */
static const char *after_own(const char *identity, const char *topic)
{
	const char *slash = strchr(identity, '/');
	size_t device_len = slash ? (size_t)(slash - identity) : strlen(identity);
	const char *rest = after_n(after(topic, "devices/"), identity, device_len);

	if (slash)
		rest = after_n(after(rest, "/modules/"), slash + 1, strlen(slash + 1));
	return after(rest, "/");
}

int vd_topic_encode(const char *identity, struct vd_buf *out)
{
	for (; *identity; identity++) {
		const char *text = *identity == '/' ? "%2F" : *identity == '%' ? "%25" : identity;
		int r = vd_buf_append(out, text, text == identity ? 1 : 3);

		if (r < 0)
			return r;
	}
	return 0;
}

int vd_topic_decode(const char *level, size_t len, char ret_identity[static VD_TOPIC_IDENTITY])
{
	char identity[VD_TOPIC_IDENTITY];
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		char c = level[i];

		if (n + 1 >= sizeof identity || c == '/')
			return -EINVAL;
		if (c == '%') {
			if (i + 2 >= len || level[i + 1] != '2' ||
			    (level[i + 2] != 'F' && level[i + 2] != '5'))
				return -EINVAL;
			c = level[i + 2] == 'F' ? '/' : '%';
			i += 2;
		}
		identity[n++] = c;
	}
	identity[n] = '\0';
	if (strlen(identity) != n || !vd_identity_id_is_valid(identity))
		return -EINVAL;
	memcpy(ret_identity, identity, n + 1);
	return 0;
}

static int parse_telemetry(const char *rest, struct vd_published *ret_published)
{
	size_t len;

	if (*rest != '\0' && *rest != '/')
		return -EACCES;
	if (*rest == '/')
		rest++;
	if (*rest == '?')
		rest++;
	len = strlen(rest);
	if (len > 0 && rest[len - 1] == '/')
		len--;
	if (memchr(rest, '/', len))
		return -EACCES;
	*ret_published = (struct vd_published){
		.kind = VD_TOPIC_TELEMETRY,
		.bag = rest,
		.bag_len = len,
	};
	return 0;
}

/* Finds "$rid=" among the raw pairs; the encoded "%24rid=" is accepted too. */
static bool find_rid(struct vd_published *published)
{
	const char *end = published->bag + published->bag_len;

	for (const char *pair = published->bag; pair < end;) {
		const char *stop = memchr(pair, '&', (size_t)(end - pair));
		const char *value;

		if (!stop)
			stop = end;
		value = after(pair, "$rid=");
		if (!value)
			value = after(pair, "%24rid=");
		if (value && value < stop) {
			published->rid = value;
			published->rid_len = (size_t)(stop - value);
			return true;
		}
		pair = stop + 1;
	}
	return false;
}

/* rest is what follows the fixed part of a $iothub topic. */
static int parse_request(enum vd_topic_kind kind, const char *rest,
			 struct vd_published *ret_published)
{
	struct vd_published published = { .kind = kind };

	if (*rest != '?' || strchr(rest, '/'))
		return -EACCES;
	published.bag = rest + 1;
	published.bag_len = strlen(rest + 1);
	if (published.bag_len > 1024 || !find_rid(&published))
		return -EACCES;
	*ret_published = published;
	return 0;
}

static int parse_method_result(const char *rest, struct vd_published *ret_published)
{
	size_t digits = strspn(rest + (*rest == '-'), "0123456789") + (*rest == '-');

	if (digits < 1 || digits > 11 || rest[digits] != '/' || rest[digits - 1] == '-')
		return -EACCES;
	return parse_request(VD_TOPIC_METHOD_RESULT, rest + digits + 1, ret_published);
}

int vd_topic_published(const char *identity, const char *topic, struct vd_published *ret_published)
{
	const char *rest = after(after_own(identity, topic), "messages/events");

	if (rest)
		return parse_telemetry(rest, ret_published);
	rest = after(topic, "$iothub/twin/GET/");
	if (rest)
		return parse_request(VD_TOPIC_TWIN_GET, rest, ret_published);
	rest = after(topic, "$iothub/twin/PATCH/properties/reported/");
	if (rest)
		return parse_request(VD_TOPIC_REPORTED, rest, ret_published);
	rest = after(topic, "$iothub/methods/res/");
	return rest ? parse_method_result(rest, ret_published) : -EACCES;
}

static const struct {
	const char *filter;
	enum vd_flag flag;
	bool own; /* stands behind devices/… */
	bool module_only;
} subscriptions[] = {
	{ "messages/devicebound/#", VD_FLAG_C2D, true, false },
	{ "inputs/#", VD_FLAG_INPUTS, true, true },
	{ "#", VD_FLAG_INPUTS, true, true },
	{ "$iothub/twin/res/#", VD_FLAG_TWINRES, false, false },
	{ "$iothub/twin/PATCH/properties/desired/#", VD_FLAG_DESIRED, false, false },
	{ "$iothub/methods/POST/#", VD_FLAG_METHODS, false, false },
};

int vd_topic_subscribed(const char *identity, const char *filter, enum vd_flag *ret_flag)
{
	const char *own = after_own(identity, filter);
	bool module = strchr(identity, '/') != NULL;

	for (size_t i = 0; i < VD_COUNT(subscriptions); i++) {
		const char *text = subscriptions[i].own ? own : filter;

		if (!text || strcmp(text, subscriptions[i].filter) != 0 ||
		    (subscriptions[i].module_only && !module))
			continue;
		*ret_flag = subscriptions[i].flag;
		return 0;
	}
	return -EACCES;
}

bool vd_topic_is_deliverable(const char *identity, const char *topic)
{
	static const char *const answers[] = {
		"$iothub/twin/res/",
		"$iothub/twin/PATCH/properties/desired/",
		"$iothub/methods/POST/",
	};
	const char *own = after_own(identity, topic);

	if (strpbrk(topic, "+#"))
		return false;
	for (size_t i = 0; i < VD_COUNT(answers); i++) {
		if (after(topic, answers[i]))
			return true;
	}
	return after(own, "messages/devicebound/") ||
	       (strchr(identity, '/') && after(own, "inputs/"));
}

static const char *const flag_names[] = { "c2d", "twinres", "desired", "methods", "inputs" };

int vd_flags_text(unsigned flags, struct vd_buf *out)
{
	const char *separator = "";
	int r = vd_buf_append(out, "[", 1);

	for (size_t i = 0; r == 0 && i < VD_COUNT(flag_names); i++) {
		if (!(flags & 1U << i))
			continue;
		r = vd_buf_printf(out, "%s\"%s\"", separator, flag_names[i]);
		separator = ",";
	}
	return r < 0 ? r : vd_buf_append(out, "]", 1);
}

int vd_flag_parse(const char *name, enum vd_flag *ret_flag)
{
	for (size_t i = 0; i < VD_COUNT(flag_names); i++) {
		if (!strcmp(name, flag_names[i])) {
			*ret_flag = (enum vd_flag)(1U << i);
			return 0;
		}
	}
	return -EINVAL;
}

/* X/{topic} */
static int parse_target(const char *level, struct vd_command *command)
{
	const char *slash = strchr(level, '/');

	if (!slash || !slash[1])
		return -EINVAL;
	command->topic = slash + 1;
	return vd_topic_decode(level, (size_t)(slash - level), command->identity);
}

static int parse_delivery(const char *rest, struct vd_command *command)
{
	if ((rest[0] != '0' && rest[0] != '1') || rest[1] != '/')
		return -EINVAL;
	command->kind = VD_COMMAND_DELIVER;
	command->qos = rest[0] - '0';
	return parse_target(rest + 2, command);
}

static int parse_hand(const char *rest, struct vd_command *command)
{
	size_t len = strcspn(rest, "/");

	if (len == 0 || len > VD_TOKEN_MAX || !rest[len])
		return -EINVAL;
	command->kind = VD_COMMAND_HAND;
	command->qos = 1;
	command->token = rest;
	command->token_len = (int)len;
	return parse_target(rest + len + 1, command);
}

int vd_topic_command(const char *topic, struct vd_command *ret_command)
{
	struct vd_command command = { .kind = VD_COMMAND_KICK };
	const char *rest;
	int r = -EINVAL;

	if ((rest = after(topic, "to/")))
		r = parse_delivery(rest, &command);
	else if ((rest = after(topic, "hand/")))
		r = parse_hand(rest, &command);
	else if ((rest = after(topic, "kick/")))
		r = vd_topic_decode(rest, strlen(rest), command.identity);
	if (r == 0)
		*ret_command = command;
	return r;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int decode_part(const char *text, size_t len, struct vd_buf *buf)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < len; i++) {
		char c = text[i];

		if (c == '%') {
			int high = i + 2 < len ? hex_digit(text[i + 1]) : -1;
			int low = i + 2 < len ? hex_digit(text[i + 2]) : -1;

			if (high < 0 || low < 0)
				return -EINVAL;
			c = (char)(high << 4 | low);
			i += 2;
		}
		if (c == '\0')
			return -EINVAL;
		r = vd_buf_append(buf, &c, 1);
	}
	return r < 0 ? r : vd_buf_append(buf, "", 1);
}

int vd_bag_next(const char **bag, size_t *bag_len, struct vd_buf *buf, const char **ret_key,
		const char **ret_value)
{
	const char *stop, *equals;
	size_t len, key_len, value_at;
	int r;

	while (*bag_len > 0 && **bag == '&') {
		(*bag)++;
		(*bag_len)--;
	}
	if (*bag_len == 0)
		return VD_BAG_END;
	stop = memchr(*bag, '&', *bag_len);
	len = stop ? (size_t)(stop - *bag) : *bag_len;
	equals = memchr(*bag, '=', len);
	key_len = equals ? (size_t)(equals - *bag) : len;
	vd_buf_clear(buf);
	r = decode_part(*bag, key_len, buf);
	value_at = buf->len;
	if (r == 0 && equals)
		r = decode_part(equals + 1, len - key_len - 1, buf);
	if (r < 0)
		return r;
	*ret_key = buf->data;
	*ret_value = equals ? buf->data + value_at : NULL;
	*bag += len;
	*bag_len -= len;
	return 0;
}
