/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/store/account.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "agent/store/batch.h"

enum { LAYOUT = 1, SLOTS = 2, SLOT = 4096 }; /* each slot in a page of its own */

struct head {
	uint32_t layout, size, crc, zero;
};
_Static_assert(sizeof(struct head) + sizeof(struct vd_account) == VD_ACCOUNT_BYTES, "no padding");

/* --- what is settled --- */

void vd_account_raise_low(struct vd_account *account, enum vd_class class, uint64_t low)
{
	if (low <= account->low[class])
		return;
	account->low[class] = low;
	for (size_t i = 0; i < VD_SETTLED; i++)
		if (account->settled[i].class == (uint64_t) class && account->settled[i].last < low)
			account->settled[i] = (struct vd_settled){ 0 };
}

/* The range of class that ends nearest before first; NULL: none. */
static const struct vd_settled *find_before(const struct vd_account *account, enum vd_class class,
					    uint64_t first)
{
	const struct vd_settled *nearest = NULL;

	for (size_t i = 0; i < VD_SETTLED; i++) {
		const struct vd_settled *s = &account->settled[i];

		if (s->first && s->class == (uint64_t) class && s->last < first &&
		    (!nearest || s->last > nearest->last))
			nearest = s;
	}
	return nearest;
}

uint64_t vd_account_settled_before(const struct vd_account *account, enum vd_class class,
				   uint64_t first)
{
	const struct vd_settled *before = find_before(account, class, first);

	return before ? before->last : 0;
}

static struct vd_settled *find_free(struct vd_account *account)
{
	for (size_t i = 0; i < VD_SETTLED; i++)
		if (!account->settled[i].first)
			return &account->settled[i];
	return NULL;
}

void vd_account_settle(struct vd_account *account, enum vd_class class, uint64_t first,
		       uint64_t last, bool joins)
{
	const struct vd_settled *before = joins ? find_before(account, class, first) : NULL;
	struct vd_settled *place =
		before ? &account->settled[before - account->settled] : find_free(account);

	if (!place || last < account->low[class])
		return;
	*place = (struct vd_settled){ .class = (uint64_t) class,
				      .first = before ? before->first : first,
				      .last = last };
}

bool vd_account_is_settled(const struct vd_account *account, enum vd_class class, uint64_t first,
			   uint64_t last)
{
	if (last < account->low[class])
		return true;
	for (size_t i = 0; i < VD_SETTLED; i++) {
		const struct vd_settled *s = &account->settled[i];

		if (s->first && s->class == (uint64_t) class && first >= s->first &&
		    last <= s->last)
			return true;
	}
	return false;
}

/* --- as bytes --- */

void vd_account_encode(const struct vd_account *account, unsigned char out[static VD_ACCOUNT_BYTES])
{
	struct head head = { .layout = LAYOUT, .size = sizeof *account };

	head.crc = vd_crc32c(vd_crc32c(0, &head, sizeof head), account, sizeof *account);
	memcpy(out, &head, sizeof head);
	memcpy(out + sizeof head, account, sizeof *account);
}

int vd_account_decode(const void *data, size_t len, struct vd_account *ret_account)
{
	const unsigned char *bytes = data;
	struct head head;
	uint32_t crc;

	if (len != VD_ACCOUNT_BYTES)
		return -EBADMSG;
	memcpy(&head, bytes, sizeof head);
	crc = head.crc;
	head.crc = 0;
	if (head.layout != LAYOUT || head.size != sizeof *ret_account ||
	    crc != vd_crc32c(vd_crc32c(0, &head, sizeof head), bytes + sizeof head,
			     sizeof *ret_account))
		return -EBADMSG;
	memcpy(ret_account, bytes + sizeof head, sizeof *ret_account);
	return 0;
}

/* --- the file beside --- */

static int read_slot(int fd, unsigned slot, struct vd_account *ret_account)
{
	unsigned char bytes[VD_ACCOUNT_BYTES];
	ssize_t n = pread(fd, bytes, sizeof bytes, (off_t)slot * SLOT);

	return n < 0 ? -errno : vd_account_decode(bytes, (size_t)n, ret_account);
}

static bool is_newer(const struct vd_account *a, const struct vd_account *b)
{
	return a->saves != b->saves ? a->saves > b->saves : a->next_seq > b->next_seq;
}

int vd_account_open(struct vd_account_file *file, const char *path, struct vd_account *ret_account)
{
	int found = 0;

	file->next_slot = 0;
	file->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	if (file->fd < 0)
		return -errno;
	for (unsigned slot = 0; slot < SLOTS; slot++) {
		struct vd_account account;

		if (read_slot(file->fd, slot, &account) < 0 ||
		    (found && !is_newer(&account, ret_account)))
			continue;
		*ret_account = account;
		file->next_slot = (slot + 1) % SLOTS;
		found = 1;
	}
	return found;
}

void vd_account_write(struct vd_account_file *file, const struct vd_account *account)
{
	unsigned char bytes[VD_ACCOUNT_BYTES];

	if (file->fd < 0)
		return;
	vd_account_encode(account, bytes);
	(void)!pwrite(file->fd, bytes, sizeof bytes, (off_t)file->next_slot * SLOT);
	file->next_slot = (file->next_slot + 1) % SLOTS;
}

void vd_account_close(struct vd_account_file *file)
{
	if (file->fd >= 0) {
		(void)fdatasync(file->fd);
		(void)close(file->fd);
	}
	file->fd = -1;
}
