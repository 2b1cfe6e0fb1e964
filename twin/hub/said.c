/* SPDX-License-Identifier: Apache-2.0 */
/* The broker's topics, taken apart: bytes that a device chose. */
#include "twin/hub/dialect.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "twin/document/section.h"

static bool starts(const char **text, const char *prefix)
{
	size_t len = strlen(prefix);

	if (strncmp(*text, prefix, len) != 0)
		return false;
	*text += len;
	return true;
}

static int read_number(const char *text, size_t len, int64_t *ret_number)
{
	int64_t number = 0;

	if (len == 0 || len > 15)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -EINVAL;
		number = number * 10 + (text[i] - '0');
	}
	*ret_number = number;
	return 0;
}

/* "$rid=…[&$version=…]"; both signs may come percent-encoded. */
static int read_arguments(const char *text, struct vd_said *said)
{
	while (*text) {
		size_t len = strcspn(text, "&");
		const char *value = text;

		if (starts(&value, "$rid=") || starts(&value, "%24rid=")) {
			size_t rid_len = len - (size_t)(value - text);

			if (rid_len >= sizeof said->rid)
				return -EINVAL;
			(void)memcpy(said->rid, value, rid_len);
			said->rid[rid_len] = '\0';
		} else if (starts(&value, "$version=") || starts(&value, "%24version=")) {
			if (read_number(value, len - (size_t)(value - text), &said->version) < 0)
				return -EINVAL;
		}
		text += len + (text[len] == '&');
	}
	return 0;
}

static int read_method_result(const char *rest, struct vd_said *said)
{
	size_t len = strcspn(rest, "/");
	bool is_negative = rest[0] == '-';
	int64_t status;

	if (read_number(rest + is_negative, len - is_negative, &status) < 0 || status > INT32_MAX ||
	    rest[len] != '/')
		return -EINVAL;
	said->status = (int)(is_negative ? -status : status);
	rest += len;
	return starts(&rest, "/?") ? read_arguments(rest, said) : -EINVAL;
}

static int read_iothub(const char *rest, struct vd_said *said)
{
	if (starts(&rest, "twin/GET/?")) {
		said->kind = VD_SAID_TWIN_GET;
		return read_arguments(rest, said);
	}
	if (starts(&rest, "twin/PATCH/properties/reported/?")) {
		said->kind = VD_SAID_REPORTED;
		return read_arguments(rest, said);
	}
	if (starts(&rest, "methods/res/")) {
		said->kind = VD_SAID_METHOD_RESULT;
		return read_method_result(rest, said);
	}
	return -EINVAL;
}

static int read_word(const char *rest, struct vd_said *said)
{
	static const struct {
		const char *word;
		enum vd_said_kind kind;
	} words[] = {
		{ "connected", VD_SAID_CONNECTED },
		{ "disconnected", VD_SAID_DISCONNECTED },
		{ "subscriptions", VD_SAID_SUBSCRIPTIONS },
		{ "handed", VD_SAID_HANDED },
	};

	for (size_t i = 0; i < VD_COUNT(words); i++) {
		if (strcmp(rest, words[i].word) == 0) {
			said->kind = words[i].kind;
			return 0;
		}
	}
	return -EINVAL;
}

int vd_said_parse(const char *topic, struct vd_said *ret_said)
{
	struct vd_said said = { .version = VD_SECTION_ANY_VERSION };
	char identity[VD_TOPIC_IDENTITY];
	size_t len;
	int r;

	if (!starts(&topic, "hub/"))
		return -EINVAL;
	len = strcspn(topic, "/");
	if (topic[len] == '\0') {
		said.kind = strcmp(topic, "start") == 0 ? VD_SAID_START : VD_SAID_SPOOL;
		*ret_said = said;
		return said.kind == VD_SAID_START || strcmp(topic, "spool") == 0 ? 0 : -EINVAL;
	}
	if (vd_topic_decode(topic, len, identity) < 0 || vd_name_parse(identity, &said.name) < 0)
		return -EINVAL;
	topic += len + 1;
	r = starts(&topic, "iothub/") ? read_iothub(topic, &said) : read_word(topic, &said);
	if (r == 0)
		*ret_said = said;
	return r;
}
