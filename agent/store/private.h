/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/store/batch.h"
#include "agent/store/db.h"
#include "agent/store/outbox.h"
#include "agent/store/policy.h"
#include "agent/store/store.h"
#include "agent/store/upload.h"
#include "base/buf.h"
#include "base/loop.h"

/*
 * What the files of this folder share.
 *
 *   loop's thread                    lock                     writer's thread
 *   store.c, outbox.c  -- queued, delivered, documents -->  writer.c  one transaction a group
 *                      <-- done, ready, state, figures --   room.c    quotas, eviction, tombstones
 *                                                           reader.c  rows -> batches to send
 *                                                           image.c   files of attachments
 *   upload.c     <-- the next image, what became of it -->  upload.c
 *                                                           key.c     what was stored already
 *                                                           opening.c, salvage.c  the file
 * The lock is never held across a call to SQLite, a write or a handler.
 */

/* A file that an entry brings along. */
struct vd_enclosure {
	char name[64], media_type[64];
	char sha256[65];
	uint64_t bytes;
	int fd;
	bool is_written; /* it lies in the images folder, durable */
};

/* Whether an entry's key is known; seq is then that of the first. */
enum vd_repeat {
	VD_REPEAT_NONE,
	VD_REPEAT_OF_STORED, /* by an earlier row */
	VD_REPEAT_IN_ROW,    /* by an entry of the same row: it shares that one's fate */
};

/* A record on its way to the disk; later, the answer to its producer. */
struct vd_entry {
	struct vd_entry *next;
	enum vd_class class;
	uint64_t token, seq;
	uint64_t queued_ms;
	struct vd_fault *fault; /* NULL: stored, once it is done */
	struct vd_enclosure *enclosures;
	size_t enclosure_count;
	int64_t wall_ms;
	int worth, rank;          /* of its images */
	const char *module, *key; /* behind the tail; key NULL: none */
	uint32_t body_crc;        /* with a key */
	enum vd_repeat repeat;
	bool is_conflict; /* a repeat with another body */
	size_t len;
	char tail[]; /* the envelope behind the sequence number */
};

struct vd_queue {
	struct vd_entry *head, *last;
	size_t count;
	uint64_t bytes;
};

struct vd_document {
	struct vd_document *next;
	uint64_t token;
	char name[VD_DOCUMENT_NAME + 1];
	char *text; /* NULL: delete */
	size_t len;
	bool is_silent; /* the store's own put: nobody waits for an answer */
};

/* Rows that were loaded, until their deletion is committed. */
struct vd_claim {
	struct vd_claim *next;
	uint64_t id;
	enum vd_class class;
	uint64_t first, last;
	uint64_t rows, bytes, records;            /* of kind VD_ROW_RECORDS */
	uint64_t tombstone_rows, tombstone_bytes; /* of kind VD_ROW_TOMBSTONE */
	uint64_t named[VD_CLASSES];               /* records that these tombstones count */
};

/* A batch ready to be sent, or out. */
struct vd_shipment {
	struct vd_shipment *next;
	struct vd_outbox_batch batch;
	enum vd_stream stream;
	char bag[256];
	char payload[];
};

struct vd_shipments {
	struct vd_shipment *head, *last;
	size_t count;
	uint64_t bytes;
};

/* Batches loaded ahead, a stream. What is loaded cannot be evicted: few while nothing is sent. */
enum { VD_READY_MAX = 16, VD_READY_IDLE = 6, VD_READY_BYTES = 256 << 10 };

enum vd_reason { VD_REASON_QUOTA, VD_REASON_FULL, VD_REASON_EXPIRED, VD_REASON_CORRUPT };
enum { VD_REASONS = VD_REASON_CORRUPT + 1 };

/* Losses of one class for one reason, in a transaction, and the row that they may join. */
struct vd_loss {
	uint64_t first, last, count;
	uint64_t row; /* tombstone written by this process and not loaded yet; 0: none */
	uint64_t row_first, row_last, row_count, row_bytes;
};

/* What became of images that were handed out. */
enum { VD_ENDINGS = 32 };
struct vd_ending {
	int64_t id;
	enum vd_image_state state;
};
struct vd_endings {
	struct vd_ending list[VD_ENDINGS];
	size_t count;
};

struct vd_uploads {
	struct vd_upload next;
	bool has_next, is_new; /* on_image to be called */
	bool is_sought,
		is_sought_anew; /* vd_upload_next found none; and the writer has not looked */
	struct vd_endings endings;
};

/* What a transaction changes besides the disk: copied before, put back when it fails. */
struct vd_ledger {
	struct vd_account account;
	struct vd_loss losses[VD_CLASSES][VD_REASONS];
	struct vd_image_count images[VD_IMAGE_STATES];
	bool is_dirty; /* the figures must be saved */
};

/* The writer's own; only its thread looks in here once it runs. */
struct vd_writer {
	struct vd_db *db; /* NULL: could not be opened yet */
	struct vd_packer *packer;
	struct vd_account_file beside;
	uint64_t kernel_boot;
	struct vd_ledger ledger;
	struct vd_buf raw, packed, spare, stored;
	struct vd_queue held[VD_CLASSES]; /* being written */
	struct vd_queue finished;         /* answers, to be posted */
	struct vd_document *documents, **documents_end;
	struct vd_claim *claims;
	uint64_t *done_ids; /* batches delivered, their deletion not committed */
	size_t done_count, done_capacity;
	struct vd_endings endings; /* not committed */
	uint64_t hints[VD_CLASSES]
		      [2]; /* rows up to here are gone or claimed: backlog (or all), live */
	uint64_t oldest_clock[VD_CLASSES]; /* of the oldest row; 0: none */
	uint64_t gone[VD_CLASSES]; /* records delivered and evicted when that was looked up */
	uint64_t next_id;          /* of a batch */
	uint64_t boundary;         /* rows up to here are backlog */
	uint64_t retry_ms;         /* after a failure, not before; 0: sound */
	uint64_t next_expiry_ms;
	unsigned keys_kept; /* since the last trim */
	bool is_loaded;     /* the figures of the file were read once */
	bool needs_adoption;
	struct vd_image *dead; /* images to unlink after the commit */
	size_t dead_count, dead_capacity;
};

struct vd_store {
	struct vd_loop *loop;
	struct vd_source *source, *turn_end;
	int wake_fd; /* eventfd: the writer has news */
	struct vd_store_handlers handlers;
	void *argument;
	/* Constant after the open. */
	char *folder, *images, *path;
	struct vd_buf head; /* the envelope before the sequence number */
	char device_id[256], boot_id[64];
	uint64_t image_max_bytes, ring_max_bytes, class_max_bytes[VD_CLASSES];
	bool send_plain;
	/* Set by the loop's thread at any time (vd_store_set_bounds), read by the writer. */
	_Atomic uint64_t max_bytes, ttl_ms[VD_CLASSES];
	struct vd_document *cache; /* what vd_store_document_get answers; changed under the lock */
	/* The loop's thread only. */
	struct vd_shipments out;
	unsigned turn;
	uint64_t refused[VD_CLASSES], repeated[VD_CLASSES], key_conflicts;

	pthread_t thread;
	bool has_thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	/* Under the lock. */
	struct vd_queue queued;
	uint64_t waiting_records, waiting_bytes; /* queued and held */
	struct vd_document *documents, **documents_end;
	uint64_t *delivered; /* ids */
	size_t delivered_count, delivered_capacity;
	struct vd_queue done;
	struct vd_document *documents_done, **documents_done_end;
	struct vd_shipments ready[VD_STREAMS];
	uint64_t waiting_files, waiting_file_bytes; /* enclosures of those */
	uint64_t due_ms;     /* when the next commit is to begin; UINT64_MAX: nothing waits */
	bool wants_boundary; /* sending resumed: what lies there now is backlog */
	bool wants_load;     /* batches were handed out */
	bool has_new_bounds; /* what they leave no room for goes now, not at the next look */
	bool is_sending;     /* vd_outbox_next was called since the connection came */
	bool is_hungry;      /* vd_outbox_next found nothing */
	bool is_closing;
	bool is_ready_new, is_state_new; /* handlers to call */
	char degraded[256], notice[256];
	struct vd_uploads uploads;
	struct vd_account account;                        /* as of the last commit */
	struct vd_image_count images_of[VD_IMAGE_STATES]; /* likewise */
	uint64_t oldest_clock[VD_CLASSES];
	uint64_t commits, last_commit_us, slowest_commit_us;

	struct vd_writer writer;
};

/* outbox.c */
void vd_outbox_turn_ends(void *store); /* the timer's callback */

/* store.c */
void vd_queue_push(struct vd_queue *queue, struct vd_entry *entry);
struct vd_entry *vd_queue_pop(struct vd_queue *queue);               /* NULL: empty */
void vd_queue_append(struct vd_queue *queue, struct vd_queue *more); /* more is empty afterwards */
void vd_entry_free(struct vd_entry *entry);
void vd_entry_close_enclosures(struct vd_entry *entry);
struct vd_document *vd_document_free(struct vd_document *document); /* returns its next */
struct vd_document *vd_document_new(const char *name, const char *text, size_t len, uint64_t token);
/* With the lock held; takes document, in place of the one with its name. */
void vd_store_remember(struct vd_store *store, struct vd_document *document);
bool vd_store_remembers(const struct vd_store *store, const char *name);
void vd_shipments_push(struct vd_shipments *shipments, struct vd_shipment *shipment);
/* With the lock held: the loop's thread is to look. */
void vd_store_news(struct vd_store *store);

/* writer.c */
enum { VD_GATHER_MS = 100, VD_GATHER_BYTES = 256 << 10, VD_GATHER_IDS = 256 };
void *vd_writer_main(void *store);
/* -EBUSY, -ENOMEM; else 0, though perhaps degraded. */
VD_MUST int vd_writer_open(struct vd_store *store, struct vd_fault *fault);
void vd_writer_fini(struct vd_store *store);
uint64_t vd_writer_clock_ms(const struct vd_writer *writer);
/* Ends a transaction, with the account if it must be saved. */
VD_MUST int vd_writer_commit(struct vd_store *store);

/* opening.c */
/*
 * Opens the file and loads documents and figures; one that is not sound is replaced by what can
 * be read of it. error gets the reason of a failure.
 */
VD_MUST int vd_opening_open(struct vd_store *store, char *error, size_t error_size);
/* Remembers those that are not remembered yet. */
VD_MUST int vd_opening_load_documents(struct vd_store *store, struct vd_db *db);
/* The open file turned out not to be sound, for this reason. */
VD_MUST int vd_opening_replace(struct vd_store *store, char *error, size_t error_size);

/* salvage.c */
/* Reads what can be read of the file into a new one, and puts that in its place. None is open. */
VD_MUST int vd_salvage(struct vd_store *store, char *error, size_t error_size);
/* Ends an exchange of the files that was cut short. */
VD_MUST int vd_salvage_finish(const struct vd_store *store);

/* room.c: inside a transaction */
VD_MUST int vd_room_expire(struct vd_store *store);
/* 1: there is room for cost bytes of class; 0: there is none to be had; < 0: the disk. */
VD_MUST int vd_room_make(struct vd_store *store, enum vd_class class, uint64_t cost);
VD_MUST int vd_room_lose(struct vd_store *store, const struct vd_row *row, enum vd_reason reason);
VD_MUST int vd_room_write_tombstones(struct vd_store *store);
/* The rows of class from first to last have been deleted: nothing of them is still to come. */
VD_MUST int vd_room_settled(struct vd_store *store, enum vd_class class, uint64_t first,
			    uint64_t last);
/* Counts out what should be there and is not, of classes that have nothing more to send. */
VD_MUST int vd_room_settle(struct vd_store *store);
/* A row is loaded to be sent: what it says can no longer change. */
void vd_room_claimed(struct vd_store *store, const struct vd_row *row);
VD_MUST int vd_room_insert(struct vd_store *store, const struct vd_row *row, uint64_t records);

/* reader.c */
VD_MUST int vd_reader_fill(struct vd_store *store);
VD_MUST int vd_reader_delete_done(struct vd_store *store); /* inside a transaction */
void vd_reader_forget_done(struct vd_store *store);        /* after its commit */
/* The sum of the claims of a class, without those that are done. */
struct vd_claim vd_reader_under_way(const struct vd_writer *writer, enum vd_class class);
/* The next row of class that no batch holds; as vd_db_next. */
VD_MUST int vd_reader_unclaimed(struct vd_store *store, enum vd_class class, uint64_t after,
				uint64_t upto, int kind, struct vd_row *ret_row);

/* key.c: inside a transaction */
/* 1: entry repeats a stored one, or one of the row that begins with entry from: no record. 0. */
VD_MUST int vd_key_find(struct vd_store *store, const struct vd_entry *from,
			struct vd_entry *entry);
/* The entries from (inclusive) to end (exclusive) are stored, under their numbers. */
VD_MUST int vd_key_keep(struct vd_store *store, const struct vd_entry *from,
			const struct vd_entry *end);

/* image.c */
/* Copies, verifies and makes durable; 0, -EBADMSG with a fault: not what it says; else the disk. */
VD_MUST int vd_image_write(const char *folder, struct vd_enclosure *enclosure,
			   struct vd_fault *fault);
void vd_image_file(const struct vd_enclosure *enclosure, char file[static 80]);
const char *vd_image_media_type(const char *file);
VD_MUST int vd_image_index(struct vd_store *store, struct vd_entry *entry);
VD_MUST int vd_image_make_room(struct vd_store *store);
void vd_image_unlink_dead(struct vd_store *store);
/* Removes the files of an entry that was refused, unless another one's row knows them. */
void vd_image_discard(struct vd_store *store, const struct vd_entry *entry);
/* Gives files without a row one, inside a transaction: after a crash, or when the file was lost. */
VD_MUST int vd_image_adopt(struct vd_store *store);

/* upload.c */
void vd_upload_take(struct vd_store *store);           /* with the lock held */
VD_MUST int vd_upload_end_all(struct vd_store *store); /* inside a transaction */
/* Outside of one: finds the next image if one is sought. */
VD_MUST int vd_upload_look(struct vd_store *store);
