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
	time_t seconds = (time_t)(wall_ms / 1000 - (wall_ms % 1000 < 0));
	struct tm tm;
	size_t n;

	if (!gmtime_r(&seconds, &tm) || tm.tm_year > 8099 || tm.tm_year < 1000 - 1900) {
		(void)snprintf(text, VD_TIME_TEXT, "0001-01-01T00:00:00Z");
		return text;
	}
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

/* strptime() and sscanf() forgive spaces, signs and missing digits; a time stamp must not. */
static bool has_form(const char *text, const char *form)
{
	for (; *form; text++, form++) {
		if (*form == '0' ? !isdigit((unsigned char)*text) : *text != *form)
			return false;
	}
	return true;
}

static int two_digits(const char *p)
{
	return (p[0] - '0') * 10 + (p[1] - '0');
}

/* Reads "Z" or "+hh:mm" up to the end of the text. */
static bool read_offset(const char *p, int64_t *ret_ms)
{
	int hours, minutes;

	if ((*p == 'Z' || *p == 'z') && !p[1])
		return true;
	if ((*p != '+' && *p != '-') || !has_form(p + 1, "00:00") || p[6])
		return false;
	hours = two_digits(p + 1);
	minutes = two_digits(p + 4);
	*ret_ms = (*p == '+' ? 1 : -1) * (int64_t)(hours * 60 + minutes) * 60000;
	return hours <= 23 && minutes <= 59;
}

int vd_time_parse(const char *text, int64_t *ret_wall_ms)
{
	struct tm tm = { 0 };
	int64_t ms = 0, offset_ms = 0;
	const char *p = has_form(text, "0000-00-00T00:00:00")
				? strptime(text, "%Y-%m-%dT%H:%M:%S", &tm)
				: NULL;
	int day = tm.tm_mday, leap_s = tm.tm_sec > 59;
	time_t seconds;

	if (!p || !read_decimals(&p, &ms) || !read_offset(p, &offset_ms))
		return -EINVAL;
	tm.tm_sec -= leap_s;
	seconds = timegm(&tm);
	if (tm.tm_mday != day) /* 31 February has become a day in March */
		return -EINVAL;
	*ret_wall_ms = ((int64_t)seconds + leap_s) * 1000 + ms - offset_ms;
	return 0;
}

const char *vd_time_quality(void)
{
	struct timex t = { 0 };

	return adjtimex(&t) == TIME_ERROR ? "unsynchronized" : "synchronized";
}
