/* SPDX-License-Identifier: Apache-2.0 */
#include "vd_test.h"
