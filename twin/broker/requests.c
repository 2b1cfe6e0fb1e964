/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/broker/requests.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

struct waiting {
	const char *name;   /* first, for the comparison */
	size_t count, next; /* used of the ring, and where the next one goes */
	struct {
		unsigned char len; /* 0: free */
		char text[VD_REQUEST_RID];
	} rids[VD_REQUESTS_EACH];
	char identity[];
};

struct vd_requests {
	void *tree;
};

static int compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static struct waiting *find(const struct vd_requests *requests, const char *identity)
{
	void *const *node = tfind(&identity, &requests->tree, compare);

	return node ? *node : NULL;
}

static struct waiting *find_or_add(struct vd_requests *requests, const char *identity)
{
	struct waiting *waiting = find(requests, identity);
	size_t size = strlen(identity) + 1;

	if (waiting)
		return waiting;
	waiting = calloc(1, sizeof *waiting + size);
	if (!waiting)
		return NULL;
	memcpy(waiting->identity, identity, size);
	waiting->name = waiting->identity;
	if (tsearch(waiting, &requests->tree, compare))
		return waiting;
	free(waiting);
	return NULL;
}

int vd_requests_new(struct vd_requests **ret_requests)
{
	struct vd_requests *requests = calloc(1, sizeof *requests);

	if (!requests)
		return -ENOMEM;
	*ret_requests = requests;
	return 0;
}

struct vd_requests *vd_requests_free(struct vd_requests *requests)
{
	if (requests)
		tdestroy(requests->tree, free);
	free(requests);
	return NULL;
}

int vd_requests_add(struct vd_requests *requests, const char *identity, const char *rid,
		    size_t rid_len)
{
	struct waiting *waiting;

	if (rid_len == 0 || rid_len > VD_REQUEST_RID)
		return -EMSGSIZE;
	waiting = find_or_add(requests, identity);
	if (!waiting)
		return -ENOMEM;
	waiting->count += !waiting->rids[waiting->next].len;
	waiting->rids[waiting->next].len = (unsigned char)rid_len;
	memcpy(waiting->rids[waiting->next].text, rid, rid_len);
	waiting->next = (waiting->next + 1) % VD_REQUESTS_EACH;
	return 0;
}

void vd_requests_forget(struct vd_requests *requests, const char *identity)
{
	struct waiting *waiting = find(requests, identity);

	if (!waiting)
		return;
	(void)tdelete(&identity, &requests->tree, compare);
	free(waiting);
}

void vd_requests_remove(struct vd_requests *requests, const char *identity, const char *rid,
			size_t rid_len)
{
	struct waiting *waiting = find(requests, identity);

	for (size_t i = 0; waiting && i < VD_REQUESTS_EACH; i++) {
		if (waiting->rids[i].len != rid_len || rid_len == 0 ||
		    memcmp(waiting->rids[i].text, rid, rid_len) != 0)
			continue;
		waiting->rids[i].len = 0;
		if (--waiting->count == 0)
			vd_requests_forget(requests, identity);
		return;
	}
}

struct drain {
	vd_request_fn fn;
	void *argument;
};

static void visit(const void *node, VISIT order, void *closure)
{
	const struct waiting *const *at = node;
	const struct drain *drain = closure;

	if (order != postorder && order != leaf)
		return;
	for (size_t i = 0; i < VD_REQUESTS_EACH; i++) {
		if ((*at)->rids[i].len)
			drain->fn((*at)->identity, (*at)->rids[i].text, (*at)->rids[i].len,
				  drain->argument);
	}
}

void vd_requests_drain(struct vd_requests *requests, vd_request_fn fn, void *argument)
{
	struct drain drain = { fn, argument };

	twalk_r(requests->tree, visit, &drain);
	tdestroy(requests->tree, free);
	requests->tree = NULL;
}
