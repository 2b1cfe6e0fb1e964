/* SPDX-License-Identifier: Apache-2.0 */
#include "modules/sdk/private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/digest.h"

/* Publications that may wait for their answer; more would only hide that the disk is slow. */
enum { PENDING_LIMIT = 4096 };

struct vd_pending {
	struct vd_pending *next;
	uint64_t id;
	vd_stored_fn fn;
	void *argument;
};

/* The descriptors that a publication is sent with; those made here are closed again. */
struct enclosure {
	int fds[VD_ATTACHMENTS], made[VD_ATTACHMENTS];
	unsigned count;
};

static void enclosure_fini_p(struct enclosure *e)
{
	for (unsigned i = 0; i < VD_ATTACHMENTS; i++)
		vd_close(&e->made[i]);
}

static int write_all(int fd, const uint8_t *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			data += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

/* Sealed, so that the agent may map it without fear of SIGBUS. */
static int make_memfd(const struct vd_attachment *a, int *ret_fd)
{
	VD_CLEANUP(vd_close)
	int fd = memfd_create("vedette-attachment", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int r;

	if (fd < 0)
		return -errno;
	r = write_all(fd, a->data, a->bytes);
	if (r < 0)
		return r;
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0 ||
	    lseek(fd, 0, SEEK_SET) < 0)
		return -errno;
	*ret_fd = fd;
	fd = -1;
	return 0;
}

static int describe(const struct vd_attachment *a, cJSON *list)
{
	cJSON *item = cJSON_CreateObject();
	char digest[VD_SHA256_TEXT];
	const char *sha256 = a->sha256;

	if (!item || !cJSON_AddItemToArray(list, item))
		return -ENOMEM;
	if (!sha256 && a->data) {
		int r = vd_sha256_text(a->data, a->bytes, digest);

		if (r < 0)
			return r;
		sha256 = digest;
	}
	if (!vd_json_add_string(item, "name", a->name) ||
	    !vd_json_add_string(item, "type", a->type) ||
	    !vd_json_add_number(item, "bytes", (double)a->bytes) ||
	    (sha256 && !vd_json_add_string(item, "sha256", sha256)))
		return -ENOMEM;
	return 0;
}

static int enclose(const struct vd_publication *p, cJSON *packet, struct enclosure *e)
{
	cJSON *list = p->attachment_count ? cJSON_AddArrayToObject(packet, "attachments") : NULL;

	if (p->attachment_count > VD_ATTACHMENTS)
		return -EINVAL;
	if (p->attachment_count && !list)
		return -ENOMEM;
	for (; e->count < p->attachment_count; e->count++) {
		const struct vd_attachment *a = &p->attachments[e->count];
		int r = describe(a, list);

		if (r == 0 && a->data)
			r = make_memfd(a, &e->made[e->count]);
		if (r < 0)
			return r;
		e->fds[e->count] = a->data ? e->made[e->count] : a->fd;
	}
	return 0;
}

static int add_pending(struct vd_module *m, const struct vd_publication *p, uint64_t id)
{
	struct vd_pending *pending = malloc(sizeof *pending);

	if (!pending)
		return -ENOMEM;
	*pending = (struct vd_pending){ .id = id, .fn = p->on_stored, .argument = p->argument };
	*m->last_pending = pending;
	m->last_pending = &pending->next;
	m->pending_count++;
	return 0;
}

/* The answers come nearly in the order of the publications, so the search is short. */
static struct vd_pending *take_pending(struct vd_module *m, uint64_t id)
{
	for (struct vd_pending **at = &m->first_pending; *at; at = &(*at)->next) {
		struct vd_pending *found = *at;

		if (found->id != id)
			continue;
		*at = found->next;
		if (m->last_pending == &found->next)
			m->last_pending = at;
		m->pending_count--;
		return found;
	}
	return NULL;
}

static int fill_publication(const struct vd_publication *p, uint64_t id, cJSON *packet)
{
	if (!packet || !vd_json_add_string(packet, "output", p->output) ||
	    !vd_json_add_string(packet, "class", p->record_class) ||
	    !vd_json_add_copy(packet, "body", p->body) ||
	    (p->key && !vd_json_add_string(packet, "key", p->key)) ||
	    (p->on_stored && !vd_json_add_number(packet, "id", (double)id)))
		return -ENOMEM;
	return 0;
}

int vd_module_publish(struct vd_module *m, const struct vd_publication *p, uint64_t *ret_id)
{
	VD_CLEANUP(vd_json_free) cJSON *packet = vd_module_packet("publish");
	VD_CLEANUP(enclosure_fini) struct enclosure e = { .made = { -1, -1, -1, -1 } };
	uint64_t id = m->next_id + 1;
	int r;

	if (!p->output || !p->record_class || !p->body ||
	    (p->key && (!*p->key || strlen(p->key) > VD_KEY_BYTES)))
		return -EINVAL;
	if (p->on_stored && m->pending_count >= PENDING_LIMIT)
		return VD_MODULE_FULL;
	r = fill_publication(p, id, packet);
	if (r == 0)
		r = enclose(p, packet, &e);
	if (r == 0 && p->on_stored)
		r = add_pending(m, p, id);
	if (r < 0)
		return r;
	r = vd_module_send(m, &packet, e.fds, e.count);
	if (r != 0 && p->on_stored) {
		free(take_pending(m, id));
	} else if (r == 0) {
		m->next_id = id;
		if (ret_id)
			*ret_id = id;
	}
	return r;
}

void vd_module_settle(struct vd_module *m, const cJSON *packet)
{
	struct vd_pending *pending = take_pending(m, (uint64_t)vd_json_int(packet, "id", -1));
	bool is_stored = !strcmp(vd_json_string(packet, "type", ""), "stored");

	if (!pending) {
		m->ignored_packets++;
		return;
	}
	pending->fn(m, pending->id, vd_json_int(packet, "seq", -1),
		    is_stored ? NULL : vd_json_string(packet, "text", "refused"),
		    pending->argument);
	free(pending);
}

void vd_module_forget_pending(struct vd_module *m)
{
	while (m->first_pending) {
		struct vd_pending *pending = m->first_pending;

		m->first_pending = pending->next;
		free(pending);
	}
	m->last_pending = &m->first_pending;
	m->pending_count = 0;
}

int vd_module_report(struct vd_module *m, const cJSON *body)
{
	VD_CLEANUP(vd_json_free) cJSON *packet = vd_module_packet("report");

	if (!packet || !vd_json_add_copy(packet, "body", body))
		return -ENOMEM;
	return vd_module_send(m, &packet, NULL, 0);
}

int vd_module_answer(struct vd_module *m, int64_t id, int status, const cJSON *body)
{
	VD_CLEANUP(vd_json_free) cJSON *packet = vd_module_packet("answer");

	if (!packet || !vd_json_add_number(packet, "id", (double)id) ||
	    !vd_json_add_number(packet, "status", status) ||
	    (body && !vd_json_add_copy(packet, "body", body)))
		return -ENOMEM;
	return vd_module_send(m, &packet, NULL, 0);
}
