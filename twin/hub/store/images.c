/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/hub/store/images.h"

#include <errno.h>

#include "twin/hub/store/sql.h"

#define UPLOAD_COLUMNS "correlation_id, device_id, blob_name, created_ms, expires_ms"
#define IMAGE_COLUMNS  "images.digest, bytes, content_type, images.stored_ms"

static const char upload_add_sql[] = "INSERT INTO uploads VALUES (?, ?, ?, ?, ?)";
static const char upload_get_sql[] =
	"SELECT " UPLOAD_COLUMNS " FROM uploads WHERE correlation_id = ?";
static const char upload_find_sql[] =
	"SELECT " UPLOAD_COLUMNS " FROM uploads WHERE device_id = ? AND blob_name = ?"
	" ORDER BY created_ms LIMIT 1";
static const char upload_remove_sql[] = "DELETE FROM uploads WHERE correlation_id = ?";
static const char upload_count_sql[] =
	"SELECT count(*) FROM uploads WHERE device_id = ? AND expires_ms > ?";
static const char upload_expired_sql[] =
	"SELECT " UPLOAD_COLUMNS " FROM uploads WHERE expires_ms <= ? LIMIT 1";
static const char image_add_sql[] = "INSERT OR IGNORE INTO images VALUES (?, ?, ?, ?)";
static const char name_drop_sql[] = "DELETE FROM image_names"
				    " WHERE device_id = ? AND blob_name = ? AND digest <> ?";
static const char name_add_sql[] = "INSERT OR IGNORE INTO image_names (device_id, blob_name,"
				   " digest, stored_ms) VALUES (?, ?, ?, ?)";
static const char name_has_sql[] = "SELECT count(*) FROM image_names"
				   " WHERE device_id = ? AND blob_name = ?";
static const char name_tell_sql[] = "UPDATE image_names SET told = 1"
				    " WHERE device_id = ? AND blob_name = ? AND told = 0";
static const char image_get_sql[] = "SELECT " IMAGE_COLUMNS " FROM images WHERE digest = ?";
static const char image_expired_sql[] = "SELECT " IMAGE_COLUMNS " FROM images WHERE stored_ms < ?"
					" ORDER BY stored_ms LIMIT 1";
static const char image_remove_sql[] = "DELETE FROM images WHERE digest = ?";
static const char image_bytes_sql[] = "SELECT coalesce(sum(bytes), 0) FROM images";
static const char image_find_sql[] =
	"SELECT " IMAGE_COLUMNS ", device_id, blob_name FROM image_names JOIN images USING (digest)"
	" WHERE device_id = ? AND blob_name = ?";
static const char image_all_sql[] =
	"SELECT " IMAGE_COLUMNS ", device_id, blob_name FROM image_names JOIN images USING (digest)"
	" ORDER BY id DESC LIMIT ?";
static const char image_each_sql[] =
	"SELECT " IMAGE_COLUMNS ", device_id, blob_name FROM image_names JOIN images USING (digest)"
	" WHERE device_id = ? ORDER BY id DESC LIMIT ?";
static const char image_named_sql[] =
	"SELECT " IMAGE_COLUMNS ", device_id, blob_name FROM image_names JOIN images USING (digest)"
	" WHERE digest = ?1 AND (?2 IS NULL OR device_id = ?2) ORDER BY id DESC LIMIT ?3";
static const char key_add_sql[] = "INSERT OR IGNORE INTO hub_keys VALUES (?, ?)";
static const char key_get_sql[] = "SELECT key FROM hub_keys WHERE name = ?";

int vd_store_upload_add(struct vd_store *s, const struct vd_upload *u)
{
	return vd_sql_run(s, vd_sql(s, upload_add_sql, "tttii", u->correlation_id, u->device,
				    u->blob_name, u->created_ms, u->expires_ms));
}

static int read_upload(struct vd_store *s, sqlite3_stmt *q, struct vd_upload *ret_upload)
{
	int r = vd_sql_step(s, q);

	if (r <= 0)
		return r == 0 ? VD_STORE_NONE : r;
	vd_sql_copy(q, 0, ret_upload->correlation_id, sizeof ret_upload->correlation_id);
	vd_sql_copy(q, 1, ret_upload->device, sizeof ret_upload->device);
	vd_sql_copy(q, 2, ret_upload->blob_name, sizeof ret_upload->blob_name);
	ret_upload->created_ms = sqlite3_column_int64(q, 3);
	ret_upload->expires_ms = sqlite3_column_int64(q, 4);
	vd_sql_done(q);
	return 0;
}

int vd_store_upload_get(struct vd_store *s, const char *correlation_id,
			struct vd_upload *ret_upload)
{
	return read_upload(s, vd_sql(s, upload_get_sql, "t", correlation_id), ret_upload);
}

int vd_store_upload_find(struct vd_store *s, const char *device, const char *blob_name,
			 struct vd_upload *ret_upload)
{
	return read_upload(s, vd_sql(s, upload_find_sql, "tt", device, blob_name), ret_upload);
}

int vd_store_upload_expired(struct vd_store *s, int64_t now_ms, struct vd_upload *ret_upload)
{
	return read_upload(s, vd_sql(s, upload_expired_sql, "i", now_ms), ret_upload);
}

int vd_store_upload_remove(struct vd_store *s, const char *correlation_id)
{
	return vd_sql_run(s, vd_sql(s, upload_remove_sql, "t", correlation_id));
}

static int read_number(struct vd_store *s, sqlite3_stmt *q, int64_t *ret_number)
{
	int r = vd_sql_step(s, q);

	if (r <= 0)
		return r < 0 ? r : -EIO;
	*ret_number = sqlite3_column_int64(q, 0);
	vd_sql_done(q);
	return 0;
}

int vd_store_upload_count(struct vd_store *s, const char *device, int64_t now_ms, int *ret_count)
{
	int64_t count = 0;
	int r = read_number(s, vd_sql(s, upload_count_sql, "ti", device, now_ms), &count);

	if (r == 0)
		*ret_count = (int)count;
	return r;
}

int vd_store_image_add(struct vd_store *s, const struct vd_image *image)
{
	int added = vd_sql_run(s, vd_sql(s, image_add_sql, "titi", image->digest, image->bytes,
					 image->content_type, image->stored_ms));
	int r = added;

	/* The same name of the same image stays as it is, told or not. */
	if (r >= 0)
		r = vd_sql_run(s, vd_sql(s, name_drop_sql, "ttt", image->device, image->blob_name,
					 image->digest));
	if (r >= 0)
		r = vd_sql_run(s, vd_sql(s, name_add_sql, "ttti", image->device, image->blob_name,
					 image->digest, image->stored_ms));
	if (r < 0)
		return r;
	return added == VD_STORE_NONE ? VD_STORE_DUPLICATE : 0;
}

static void read_columns(sqlite3_stmt *q, struct vd_image *image)
{
	*image = (struct vd_image){ 0 };
	vd_sql_copy(q, 0, image->digest, sizeof image->digest);
	image->bytes = sqlite3_column_int64(q, 1);
	vd_sql_copy(q, 2, image->content_type, sizeof image->content_type);
	image->stored_ms = sqlite3_column_int64(q, 3);
	if (sqlite3_column_count(q) > 4) {
		vd_sql_copy(q, 4, image->device, sizeof image->device);
		vd_sql_copy(q, 5, image->blob_name, sizeof image->blob_name);
	}
}

static int read_image(struct vd_store *s, sqlite3_stmt *q, struct vd_image *ret_image)
{
	int r = vd_sql_step(s, q);

	if (r <= 0)
		return r == 0 ? VD_STORE_NONE : r;
	read_columns(q, ret_image);
	vd_sql_done(q);
	return 0;
}

int vd_store_image_get(struct vd_store *s, const char *digest, struct vd_image *ret_image)
{
	return read_image(s, vd_sql(s, image_get_sql, "t", digest), ret_image);
}

int vd_store_image_find(struct vd_store *s, const char *device, const char *blob_name,
			struct vd_image *ret_image)
{
	return read_image(s, vd_sql(s, image_find_sql, "tt", device, blob_name), ret_image);
}

int vd_store_image_expired(struct vd_store *s, int64_t before_ms, struct vd_image *ret_image)
{
	return read_image(s, vd_sql(s, image_expired_sql, "i", before_ms), ret_image);
}

int vd_store_image_remove(struct vd_store *s, const char *digest)
{
	return vd_sql_run(s, vd_sql(s, image_remove_sql, "t", digest));
}

int vd_store_image_tell(struct vd_store *s, const struct vd_upload *upload)
{
	int64_t count = 0;
	int r = read_number(s, vd_sql(s, name_has_sql, "tt", upload->device, upload->blob_name),
			    &count);

	if (r < 0 || count == 0)
		return r;
	r = vd_sql_run(s, vd_sql(s, name_tell_sql, "tt", upload->device, upload->blob_name));
	return r == VD_STORE_NONE ? VD_STORE_DUPLICATE : r;
}

int vd_store_image_bytes(struct vd_store *s, int64_t *ret_bytes)
{
	return read_number(s, vd_sql(s, image_bytes_sql, ""), ret_bytes);
}

static sqlite3_stmt *query_each(struct vd_store *s, const char *device, const char *digest,
				int64_t limit)
{
	if (digest)
		return vd_sql(s, image_named_sql, "tti", digest, device, limit);
	return device ? vd_sql(s, image_each_sql, "ti", device, limit)
		      : vd_sql(s, image_all_sql, "i", limit);
}

int vd_store_image_each(struct vd_store *s, const char *device, const char *digest, int limit,
			vd_image_fn fn, void *argument)
{
	sqlite3_stmt *q = query_each(s, device, digest, limit);
	struct vd_image image;
	int r;

	while ((r = vd_sql_step(s, q)) > 0) {
		read_columns(q, &image);
		r = fn(&image, argument);
		if (r != 0) {
			vd_sql_done(q);
			return r;
		}
	}
	return r;
}

int vd_store_key_add(struct vd_store *s, const char *name, const char *key)
{
	int r = vd_sql_run(s, vd_sql(s, key_add_sql, "tt", name, key));

	return r == VD_STORE_NONE ? VD_STORE_DUPLICATE : r;
}

int vd_store_key_get(struct vd_store *s, const char *name, char ret_key[static VD_KEY_BYTES])
{
	sqlite3_stmt *q = vd_sql(s, key_get_sql, "t", name);
	int r = vd_sql_step(s, q);

	if (r <= 0)
		return r == 0 ? VD_STORE_NONE : r;
	vd_sql_copy(q, 0, ret_key, VD_KEY_BYTES);
	vd_sql_done(q);
	return 0;
}
