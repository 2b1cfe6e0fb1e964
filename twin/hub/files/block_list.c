/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Azure's Put Block List: <?xml …?><BlockList><Latest>id</Latest>…</BlockList>, with Committed and
 * Uncommitted beside Latest. Ids are base64, so that no entities can stand in them: that little of
 * XML is read here, and everything else is refused.
 */
#include "twin/hub/files/images.h"

#include <errno.h>
#include <string.h>

#include "twin/hub/files/image_files.h"
#include "twin/hub/refusal.h"

struct text {
	const char *at, *end;
};

static void skip_space(struct text *text)
{
	while (text->at < text->end && memchr(" \t\r\n", *text->at, 4))
		text->at++;
}

static bool take(struct text *text, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(text->end - text->at) < len || memcmp(text->at, word, len) != 0)
		return false;
	text->at += len;
	return true;
}

static void skip_declaration(struct text *text)
{
	const char *end;

	(void)take(text, "\xef\xbb\xbf");
	skip_space(text);
	if (!take(text, "<?xml"))
		return;
	end = memmem(text->at, (size_t)(text->end - text->at), "?>", 2);
	text->at = end ? end + 2 : text->end;
	skip_space(text);
}

int vd_block_part(const char *id, size_t len, struct vd_buf *out)
{
	int r = 0;

	if (len == 0 || 2 * len >= VD_PART_NAME_BYTES)
		return -EINVAL;
	for (size_t i = 0; i < len && r == 0; i++)
		r = vd_buf_printf(out, "%02x", (unsigned char)id[i]);
	return r;
}

static int take_block(struct text *text, struct vd_buf *parts)
{
	static const char *const kinds[][2] = { { "<Latest>", "</Latest>" },
						{ "<Uncommitted>", "</Uncommitted>" },
						{ "<Committed>", "</Committed>" } };
	const char *id, *stop;
	int r;

	for (size_t i = 0; i < VD_COUNT(kinds); i++) {
		if (!take(text, kinds[i][0]))
			continue;
		id = text->at;
		stop = memchr(id, '<', (size_t)(text->end - id));
		if (!stop)
			return -EINVAL;
		text->at = stop;
		if (!take(text, kinds[i][1]))
			return -EINVAL;
		r = vd_block_part(id, (size_t)(stop - id), parts);
		return r == 0 ? vd_buf_append(parts, "", 1) : r;
	}
	return -EINVAL;
}

int vd_block_list_read(const char *xml, size_t len, struct vd_buf *parts, struct vd_fault *fault)
{
	struct text text = { xml, xml + len };
	int r;

	skip_declaration(&text);
	r = take(&text, "<BlockList>") ? 0 : -EINVAL;
	for (skip_space(&text); r == 0 && !take(&text, "</BlockList>"); skip_space(&text))
		r = take_block(&text, parts);
	skip_space(&text);
	if (r == 0 && (parts->len == 0 || text.at != text.end))
		r = -EINVAL;
	if (r != -EINVAL)
		return r;
	vd_fault_set(fault, 400, "", "the body is no list of blocks");
	return VD_REFUSED_ARGUMENT;
}
