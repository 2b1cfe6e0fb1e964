/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stddef.h>

/*
 * What an image file says about itself, from its first bytes alone; nothing is decompressed.
 */

/* "image/jpeg" "image/png" "image/gif" "image/bmp" "image/webp" "image/tiff"
 * "image/x-portable-anymap"; NULL: none of these. Static. */
const char *vd_image_mime(const void *bytes, size_t len);

/*
 * The orientation in an APP1 segment's contents ("Exif", then TIFF): 1 upright, 3 upside down, 6 to be
 * turned clockwise by a quarter to be upright, 8 anticlockwise; 2, 4, 5, 7 are the same mirrored.
 * 0: none, or not to be read. One tag of the first directory is all that is wanted of EXIF, which is why
 * it is read here, over bounds, and not by a library that parses makers' notes.
 */
int vd_exif_orientation(const void *bytes, size_t len);
