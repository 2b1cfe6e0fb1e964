/* SPDX-License-Identifier: Apache-2.0 */
/* Enrolment tokens and the certificates that came of them. */
#include "twin/hub/store/trust.h"

#include <errno.h>
#include <string.h>

#include "twin/hub/store/sql.h"

#define ENROLMENT_COLUMNS                                                                          \
	"id, secret_digest, device_id, tags, author, created_ms, expires_ms, used_ms, used_by,"    \
	" public_key"
#define CERTIFICATE_COLUMNS                                                                        \
	"serial, device_id, thumbprint, enrolment_id, not_before_ms, not_after_ms, issued_ms,"     \
	" revoked_ms, reason, pem"

static const char add_sql[] =
	"INSERT INTO enrolments (id, secret_digest, device_id, tags, author, created_ms,"
	" expires_ms) VALUES (?, ?, ?, ?, ?, ?, ?)";
static const char get_sql[] = "SELECT " ENROLMENT_COLUMNS " FROM enrolments WHERE id = ?";
static const char use_sql[] = "UPDATE enrolments SET used_ms = ?, used_by = ?, public_key = ?"
			      " WHERE id = ? AND used_ms = 0";
static const char delete_sql[] = "DELETE FROM enrolments WHERE id = ?";
static const char each_sql[] =
	"SELECT " ENROLMENT_COLUMNS " FROM enrolments ORDER BY created_ms DESC, id LIMIT ?";
static const char open_count_sql[] =
	"SELECT count(*) FROM enrolments WHERE used_ms = 0 AND expires_ms > ?";
static const char void_sql[] = "DELETE FROM enrolments WHERE used_ms = 0";
static const char expire_sql[] =
	"DELETE FROM enrolments WHERE expires_ms < ?1 AND (used_ms = 0 OR used_ms < ?1)";
static const char certificate_add_sql[] =
	"INSERT INTO certificates (serial, device_id, thumbprint, enrolment_id, not_before_ms,"
	" not_after_ms, issued_ms, pem) VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
static const char certificates_sql[] =
	"SELECT " CERTIFICATE_COLUMNS " FROM certificates WHERE ?1 IS NULL OR device_id = ?1"
	" ORDER BY issued_ms DESC, serial LIMIT ?2";
static const char certificate_of_sql[] =
	"SELECT " CERTIFICATE_COLUMNS " FROM certificates WHERE enrolment_id = ?"
	" AND enrolment_id <> '' AND revoked_ms = 0 LIMIT 1";
static const char revoke_sql[] =
	"UPDATE certificates SET revoked_ms = ?, reason = ? WHERE device_id = ? AND revoked_ms = 0"
	" AND (?4 IS NULL OR serial = lower(?4))";
static const char counts_sql[] =
	"SELECT coalesce(sum(revoked_ms = 0 AND not_after_ms > ?1), 0),"
	" coalesce(sum(revoked_ms > 0), 0),"
	" coalesce(min(CASE WHEN revoked_ms = 0 AND not_after_ms > ?1 THEN not_after_ms END), 0)"
	" FROM certificates";

static int tags_text(const cJSON *tags, char **ret_text)
{
	*ret_text = tags ? vd_json_text(tags) : strdup("{}");
	return *ret_text ? 0 : -ENOMEM;
}

int vd_store_enrolment_add(struct vd_store *s, const struct vd_enrolment *e)
{
	VD_CLEANUP(vd_free) char *tags = NULL;
	int r = tags_text(e->tags, &tags);

	return r < 0 ? r
		     : vd_sql_run(s,
				  vd_sql(s, add_sql, "tttttii", e->id, e->secret_digest, e->device,
					 tags, e->author, e->created_ms, e->expires_ms));
}

static int read_enrolment(sqlite3_stmt *q, struct vd_enrolment *e)
{
	const char *tags = (const char *)sqlite3_column_text(q, 3);

	*e = (struct vd_enrolment){
		.created_ms = sqlite3_column_int64(q, 5),
		.expires_ms = sqlite3_column_int64(q, 6),
		.used_ms = sqlite3_column_int64(q, 7),
	};
	vd_sql_copy(q, 0, e->id, sizeof e->id);
	vd_sql_copy(q, 1, e->secret_digest, sizeof e->secret_digest);
	vd_sql_copy(q, 2, e->device, sizeof e->device);
	vd_sql_copy(q, 4, e->author, sizeof e->author);
	vd_sql_copy(q, 8, e->used_by, sizeof e->used_by);
	vd_sql_copy(q, 9, e->public_key, sizeof e->public_key);
	e->tags = tags ? cJSON_Parse(tags) : NULL;
	return e->tags ? 0 : -ENOMEM;
}

int vd_store_enrolment_get(struct vd_store *s, const char *id, struct vd_enrolment *ret_enrolment)
{
	sqlite3_stmt *q = vd_sql(s, get_sql, "t", id);
	int r = vd_sql_step(s, q);

	if (r <= 0)
		return r == 0 ? VD_STORE_NONE : r;
	r = read_enrolment(q, ret_enrolment);
	vd_sql_done(q);
	return r;
}

int vd_store_enrolment_use(struct vd_store *s, const char *id, const char *device,
			   const char *public_key, int64_t now_ms)
{
	return vd_sql_run(s, vd_sql(s, use_sql, "ittt", now_ms, device, public_key, id));
}

int vd_store_enrolment_delete(struct vd_store *s, const char *id)
{
	return vd_sql_run(s, vd_sql(s, delete_sql, "t", id));
}

int vd_store_enrolment_each(struct vd_store *s, int limit, vd_enrolment_fn fn, void *argument)
{
	sqlite3_stmt *q = vd_sql(s, each_sql, "i", (int64_t)limit);
	int r;

	while ((r = vd_sql_step(s, q)) > 0) {
		struct vd_enrolment e;

		r = read_enrolment(q, &e);
		if (r == 0)
			r = fn(&e, argument);
		e.tags = vd_json_free(e.tags);
		if (r != 0) {
			vd_sql_done(q);
			return r;
		}
	}
	return r;
}

int vd_store_enrolment_open_count(struct vd_store *s, int64_t now_ms, int64_t *ret_count)
{
	sqlite3_stmt *q = vd_sql(s, open_count_sql, "i", now_ms);
	int r = vd_sql_step(s, q);

	if (r <= 0)
		return r < 0 ? r : -EIO;
	*ret_count = sqlite3_column_int64(q, 0);
	vd_sql_done(q);
	return 0;
}

int vd_store_enrolment_void(struct vd_store *s)
{
	int r = vd_sql_run(s, vd_sql(s, void_sql, ""));

	return r == VD_STORE_NONE ? 0 : r;
}

int vd_store_enrolment_expire(struct vd_store *s, int64_t before_ms)
{
	int r = vd_sql_run(s, vd_sql(s, expire_sql, "i", before_ms));

	return r == 0 ? vd_sql_changes(s) : r == VD_STORE_NONE ? 0 : r;
}

int vd_store_certificate_add(struct vd_store *s, const struct vd_certificate_row *row)
{
	return vd_sql_run(s, vd_sql(s, certificate_add_sql, "ttttiiit", row->serial, row->device,
				    row->thumbprint, row->enrolment, row->not_before_ms,
				    row->not_after_ms, row->issued_ms, row->pem));
}

static void read_certificate(sqlite3_stmt *q, struct vd_certificate_row *row)
{
	*row = (struct vd_certificate_row){
		.device = (const char *)sqlite3_column_text(q, 1),
		.thumbprint = (const char *)sqlite3_column_text(q, 2),
		.enrolment = (const char *)sqlite3_column_text(q, 3),
		.not_before_ms = sqlite3_column_int64(q, 4),
		.not_after_ms = sqlite3_column_int64(q, 5),
		.issued_ms = sqlite3_column_int64(q, 6),
		.revoked_ms = sqlite3_column_int64(q, 7),
		.reason = (const char *)sqlite3_column_text(q, 8),
		.pem = (const char *)sqlite3_column_text(q, 9),
	};
	vd_sql_copy(q, 0, row->serial, sizeof row->serial);
}

int vd_store_certificate_each(struct vd_store *s, const char *device, int limit,
			      vd_certificate_fn fn, void *argument)
{
	sqlite3_stmt *q = vd_sql(s, certificates_sql, "ti", device, (int64_t)limit);
	int r;

	while ((r = vd_sql_step(s, q)) > 0) {
		struct vd_certificate_row row;

		read_certificate(q, &row);
		r = fn(&row, argument);
		if (r != 0) {
			vd_sql_done(q);
			return r;
		}
	}
	return r;
}

int vd_store_certificate_of_enrolment(struct vd_store *s, const char *enrolment,
				      vd_certificate_fn fn, void *argument)
{
	sqlite3_stmt *q = vd_sql(s, certificate_of_sql, "t", enrolment);
	struct vd_certificate_row row;
	int r = vd_sql_step(s, q);

	if (r <= 0)
		return r == 0 ? VD_STORE_NONE : r;
	read_certificate(q, &row);
	r = fn(&row, argument);
	vd_sql_done(q);
	return r;
}

int vd_store_certificate_revoke(struct vd_store *s, const char *device, const char *serial,
				const char *reason, int64_t now_ms)
{
	return vd_sql_run(s, vd_sql(s, revoke_sql, "ittt", now_ms, reason, device, serial));
}

int vd_store_certificate_counts(struct vd_store *s, int64_t now_ms, int64_t *ret_valid,
				int64_t *ret_revoked, int64_t *ret_first_end_ms)
{
	sqlite3_stmt *q = vd_sql(s, counts_sql, "i", now_ms);
	int r = vd_sql_step(s, q);

	if (r <= 0)
		return r < 0 ? r : -EIO;
	*ret_valid = sqlite3_column_int64(q, 0);
	*ret_revoked = sqlite3_column_int64(q, 1);
	*ret_first_end_ms = sqlite3_column_int64(q, 2);
	vd_sql_done(q);
	return 0;
}
