/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fault.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Cuts a UTF-8 text that snprintf cut mid-character. */
static void trim_partial_character(char *text, size_t size)
{
	size_t n = strlen(text);

	if (n + 1 < size)
		return;
	while (n > 0 && ((unsigned char)text[n - 1] & 0xC0) == 0x80)
		n--;
	if (n > 0 && ((unsigned char)text[n - 1] & 0x80))
		n--;
	text[n] = '\0';
}

void vd_fault_set(struct vd_fault *fault, int code, const char *pointer, const char *format, ...)
{
	va_list args;

	if (!fault)
		return;
	fault->code = code;
	(void)snprintf(fault->pointer, sizeof fault->pointer, "%s", pointer ? pointer : "");
	va_start(args, format);
	(void)vsnprintf(fault->text, sizeof fault->text, format, args);
	va_end(args);
	trim_partial_character(fault->pointer, sizeof fault->pointer);
	trim_partial_character(fault->text, sizeof fault->text);
}

void vd_fault_prefix(struct vd_fault *fault, const char *format, ...)
{
	char old[sizeof fault->text], prefix[sizeof fault->text];
	va_list args;

	if (!fault)
		return;
	memcpy(old, fault->text, sizeof old);
	va_start(args, format);
	(void)vsnprintf(prefix, sizeof prefix, format, args);
	va_end(args);
	if (snprintf(fault->text, sizeof fault->text, "%s: %s", prefix, old) < 0)
		fault->text[0] = '\0';
	trim_partial_character(fault->text, sizeof fault->text);
}

/* Writes key with ~0 and ~1; a segment that does not fit is cut. */
static void escape_segment(const char *key, char *out, size_t size)
{
	size_t n = 0;

	out[n++] = '/';
	for (; *key && n + 3 < size; key++) {
		if (*key == '~' || *key == '/') {
			out[n++] = '~';
			out[n++] = *key == '~' ? '0' : '1';
		} else {
			out[n++] = *key;
		}
	}
	out[n] = '\0';
}

void vd_fault_under(struct vd_fault *fault, const char *key)
{
	char old[sizeof fault->pointer], segment[sizeof fault->pointer];

	if (!fault)
		return;
	memcpy(old, fault->pointer, sizeof old);
	escape_segment(key, segment, sizeof segment);
	if (snprintf(fault->pointer, sizeof fault->pointer, "%s%s", segment, old) < 0)
		fault->pointer[0] = '\0';
	trim_partial_character(fault->pointer, sizeof fault->pointer);
}

void vd_fault_under_index(struct vd_fault *fault, int index)
{
	char key[16];

	(void)snprintf(key, sizeof key, "%d", index);
	vd_fault_under(fault, key);
}
