/* SPDX-License-Identifier: Apache-2.0 */
/* Parameters of the tools that ask a model (infer.h). */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "modules/inspect/recipe/step.h"

static bool is_digest(const char *text)
{
	for (int i = 0; i < VD_SHA256_TEXT - 1; i++) {
		if (!isdigit((unsigned char)text[i]) && (text[i] < 'a' || text[i] > 'f'))
			return false;
	}
	return text[VD_SHA256_TEXT - 1] == '\0';
}

static int parse_package(struct vd_step *step, const cJSON *json, struct vd_fault *fault)
{
	struct vd_network_step *network = &step->network;
	const char *sha256 = vd_json_string(json, "sha256", "");

	if (!is_digest(sha256))
		return vd_recipe_refuse(fault, "/sha256", "not 64 hexadecimal digits:", sha256);
	(void)snprintf(network->sha256, sizeof network->sha256, "%s", sha256);
	network->folder = strdup(vd_json_string(json, "package", ""));
	network->threads = (int)vd_json_int(json, "threads", 1);
	network->timeout_ms = (int)vd_json_int(json, "timeoutMs", 1000);
	network->quarters = (int)vd_json_int(json, "turnDeg", 0) / 90;
	network->confidence_min = vd_json_number(json, "minConfidence", NAN);
	return network->folder ? 0 : -ENOMEM;
}

static int parse_labels(struct vd_step *step, const cJSON *json, struct vd_fault *fault)
{
	const cJSON *expected = vd_json_array(json, "expected");
	const cJSON *unexpected = vd_json_array(json, "unexpected"), *a, *b;

	step->network.expected = expected;
	step->network.unexpected = unexpected;
	cJSON_ArrayForEach(a, expected)
	{
		cJSON_ArrayForEach(b, unexpected)
		{
			if (strcmp(a->valuestring, b->valuestring) == 0)
				return vd_recipe_refuse(fault, "/unexpected",
							"is expected as well:", b->valuestring);
		}
	}
	return 0;
}

static int parse_text(struct vd_step *step, const cJSON *json, struct vd_fault *fault)
{
	const char *expected = vd_json_string(json, "expected", NULL);
	const char *pattern = vd_json_string(json, "pattern", NULL);
	char text[128] = "";
	int r;

	if (!expected == !pattern)
		return vd_recipe_refuse(fault, "", "a text needs either expected or pattern", NULL);
	r = vd_code_expectation_new(expected, pattern, text, &step->code.expectation);
	return r == -EINVAL ? vd_recipe_refuse(fault, "/pattern", "no regular expression:", text)
			    : r;
}

int vd_step_parse_model(struct vd_step *step, const cJSON *json, struct vd_fault *fault)
{
	const int r = parse_package(step, json, fault);

	if (r < 0)
		return r;
	return step->tool == VD_OCR ? parse_text(step, json, fault)
				    : parse_labels(step, json, fault);
}
