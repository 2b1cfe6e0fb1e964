/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include <stdint.h>

/* Letters of 5 x 7 points for the overlay; lower case is drawn as upper case. */
enum { VD_FONT_COLUMNS = 5, VD_FONT_ROWS = 7 };

/* Five columns, bit 0 on top; what is not in the font is a full block. */
const uint8_t *vd_font_glyph(char c);
