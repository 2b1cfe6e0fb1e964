/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/timex.h>
#include <time.h>

static uint64_t boottime_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

uint64_t vd_clock_mono_ms(void)
{
	return boottime_ns() / 1000000U;
}

uint64_t vd_clock_mono_us(void)
{
	return boottime_ns() / 1000U;
}

int64_t vd_clock_wall_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

const char *vd_time_text(int64_t wall_ms, char text[static VD_TIME_TEXT])
{
	int64_t ms = ((wall_ms % 1000) + 1000) % 1000;
	time_t seconds = (time_t)((wall_ms - ms) / 1000);
	struct tm tm;
	size_t n;

	if (!gmtime_r(&seconds, &tm) || tm.tm_year > 8099 || tm.tm_year < -1900)
		return strcpy(text, "0001-01-01T00:00:00Z");
	n = strftime(text, VD_TIME_TEXT, "%Y-%m-%dT%H:%M:%S", &tm);
	(void)snprintf(text + n, VD_TIME_TEXT - n, ".%03dZ", (int)ms);
	return text;
}

/* Reads ".123456789", keeps milliseconds; false if a point has no digits or too many. */
static bool read_decimals(const char **p, int64_t *ret_ms)
{
	int digits = 0;
	int64_t ms = 0;

	if (**p != '.')
		return true;
	for ((*p)++; isdigit((unsigned char)**p); (*p)++, digits++) {
		if (digits < 3)
			ms = ms * 10 + (**p - '0');
	}
	for (int n = digits; n < 3; n++)
		ms *= 10;
	*ret_ms = ms;
	return digits >= 1 && digits <= 9;
}

/* Reads "Z" or "+hh:mm" up to the end of the text. */
static bool read_offset(const char *p, int64_t *ret_ms)
{
	int hours, minutes, used = 0;

	if ((*p == 'Z' || *p == 'z') && !p[1])
		return true;
	if ((*p != '+' && *p != '-') || sscanf(p + 1, "%2d:%2d%n", &hours, &minutes, &used) != 2)
		return false;
	if (p[1 + used] || used != 5 || hours < 0 || hours > 23 || minutes < 0 || minutes > 59)
		return false;
	*ret_ms = (*p == '+' ? 1 : -1) * (int64_t)(hours * 60 + minutes) * 60000;
	return true;
}

int vd_time_parse(const char *text, int64_t *ret_wall_ms)
{
	struct tm tm = { 0 };
	int64_t ms = 0, offset_ms = 0;
	const char *p = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);

	if (!p || !read_decimals(&p, &ms) || !read_offset(p, &offset_ms))
		return -EINVAL;
	*ret_wall_ms = (int64_t)timegm(&tm) * 1000 + ms - offset_ms;
	return 0;
}

const char *vd_time_quality(void)
{
	struct timex t = { 0 };

	return adjtimex(&t) == TIME_ERROR ? "unsynchronized" : "synchronized";
}
