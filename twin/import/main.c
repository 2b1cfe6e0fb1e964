/* SPDX-License-Identifier: Apache-2.0 */
/* vedette-import(1) */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/version.h"
#include "twin/document/desired.h"
#include "twin/import/desired.h"

enum { ALL, LEFT_OUT, USAGE, FAILED, CHOICES = 32 };

struct import {
	struct vd_import_choices choices;
	struct vd_import_choice cameras[CHOICES], models[CHOICES];
	cJSON *desired;
	bool is_less; /* something was not carried over */
};

static void print_usage(FILE *out)
{
	(void)fputs("usage: vedette-import vio [options] STATION.json...\n"
		    "  --camera ID=SOURCE    where a camera's pictures come from\n"
		    "  --model NAME=FOLDER   package of a model\n"
		    "  --data FOLDER         where pictures of fake cameras are "
		    "(/var/lib/vedette/data)\n"
		    "  --instance NAME       the inspecting module (station)\n"
		    "  --package-version V   of the packages camera and inspect (1.0.0)\n"
		    "  --version  --help\n",
		    out);
}

static int take_choice(struct vd_import_choice *choices, int *count, char *text)
{
	char *equals = strchr(text, '=');

	if (!equals || equals == text || !equals[1]) {
		(void)fprintf(stderr, "vedette-import: \"%s\" is not NAME=VALUE\n", text);
		return USAGE;
	}
	if (*count == CHOICES) {
		(void)fprintf(stderr, "vedette-import: more than %d of one option\n", CHOICES);
		return USAGE;
	}
	*equals = '\0';
	choices[(*count)++] = (struct vd_import_choice){ text, equals + 1 };
	return 0;
}

static int take_option(struct import *import, int option, char *value)
{
	struct vd_import_choices *choices = &import->choices;

	switch (option) {
	case 'c':
		return take_choice(import->cameras, &choices->camera_count, value);
	case 'm':
		return take_choice(import->models, &choices->model_count, value);
	case 'd':
		choices->data_folder = value;
		return 0;
	case 'i':
		choices->instance = value;
		return 0;
	case 'p':
		choices->package_version = value;
		return 0;
	default:
		print_usage(stderr);
		return USAGE;
	}
}

/* What VIO's own documents have and Vedette does not take from there, and why. */
static const char *why(const char *key)
{
	static const struct {
		const char *key, *text;
	} reasons[] = {
		{ "position", "was a remark only; name the camera for it" },
		{ "exposition", "was never applied; set the camera's controls" },
		{ "brightness", "was never applied; set the camera's controls" },
		{ "source_directory", "is not needed" },
		{ "service_url", "is not needed" },
		{ "model_serving_url", "is not needed: models run inside the inspection" },
		{ "model_id", "is not needed: a package has a digest" },
		{ "model_type", "stands in the model's package" },
		{ "expected_image_resolution", "stands in the model's package" },
		{ "class_to_detect", "names objects, and the rule is about none" },
		{ "binary_storage_config", "images go to the outbox: see images.keep" },
		{ "metadata_storage_config", "records go to the outbox" },
	};

	for (size_t i = 0; i < VD_COUNT(reasons); i++) {
		if (!strcmp(reasons[i].key, key))
			return reasons[i].text;
	}
	return NULL;
}

static void print_notes(struct import *import, const char *path, const struct vd_rest *rest)
{
	const cJSON *note;

	cJSON_ArrayForEach(note, rest->notes)
	{
		import->is_less = true;
		(void)fprintf(stderr, "%s: %s%s%s\n", path, vd_json_string(note, "pointer", ""),
			      vd_json_string(note, "pointer", "")[0] ? ": " : "",
			      vd_json_string(note, "text", ""));
	}
}

/* "marker.json" in some folder is the station "marker", if the document does not say otherwise. */
static void name_of(const char *path, char name[static 65])
{
	const char *slash = strrchr(path, '/');

	(void)snprintf(name, 65, "%s", slash ? slash + 1 : path);
	name[strcspn(name, ".")] = '\0';
}

static int import_document(struct import *import, const char *path, cJSON *document,
			   struct vd_fault *fault)
{
	VD_CLEANUP(vd_rest_fini) struct vd_rest rest = { 0 };
	struct vd_vio_station station;
	char name[65];
	int r = vd_rest_init(&rest);

	name_of(path, name);
	if (r == 0)
		r = vd_vio_read(document, name, &rest, &station, fault);
	if (r == 0)
		r = vd_desired_add(import->desired, &station, &import->choices, &rest, fault);
	if (r == 0)
		r = vd_rest_list(&rest, document, why);
	if (r == 0)
		print_notes(import, path, &rest);
	return r;
}

static int import_file(struct import *import, const char *path)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };
	VD_CLEANUP(vd_json_free) cJSON *document = NULL;
	struct vd_fault fault = { 0 };
	int r = vd_file_read(path, VD_VIO_BYTES, &text, &fault);

	if (r == 0)
		r = vd_json_parse(text.data, text.len, &document, &fault);
	if (r == 0)
		r = import_document(import, path, document, &fault);
	if (r == 0)
		return 0;
	(void)fprintf(stderr, "%s: %s%s%s\n", path, fault.pointer, fault.pointer[0] ? ": " : "",
		      fault.text[0] ? fault.text : strerror(-r));
	return FAILED;
}

/* As the agent will look at it. */
static int check(const cJSON *desired)
{
	VD_CLEANUP(vd_desired_free) struct vd_desired *parsed = NULL;
	struct vd_fault fault = { 0 };
	int r = vd_desired_parse(desired, &parsed, &fault);

	if (r == 0)
		return 0;
	(void)fprintf(stderr, "vedette-import: what came out is refused: %s: %s\n", fault.pointer,
		      fault.text[0] ? fault.text : strerror(-r));
	return FAILED;
}

static int print(const cJSON *desired)
{
	char *text = cJSON_Print(desired);
	int r = text && puts(text) >= 0 && fflush(stdout) == 0 ? 0 : FAILED;

	free(text);
	return r;
}

static int run(struct import *import, char **paths, int count)
{
	int r = vd_desired_new(&import->choices, &import->desired) == 0 ? 0 : FAILED;

	for (int i = 0; r == 0 && i < count; i++)
		r = import_file(import, paths[i]);
	if (r != 0)
		return r;
	vd_desired_finish(import->desired, &import->choices);
	r = check(import->desired);
	if (r == 0)
		r = print(import->desired);
	return r == 0 && import->is_less ? LEFT_OUT : r;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "camera", required_argument, NULL, 'c' },
		{ "model", required_argument, NULL, 'm' },
		{ "data", required_argument, NULL, 'd' },
		{ "instance", required_argument, NULL, 'i' },
		{ "package-version", required_argument, NULL, 'p' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct import import = { .choices = { .instance = "station",
					      .package_version = "1.0.0",
					      .data_folder = "/var/lib/vedette/data" } };
	int r;

	import.choices.cameras = import.cameras;
	import.choices.models = import.models;
	for (int c; (c = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
		if (c == 'V')
			return printf("vedette-import %s\n", VD_VERSION) > 0 ? ALL : FAILED;
		if (c == 'h') {
			print_usage(stdout);
			return ALL;
		}
		r = take_option(&import, c, optarg);
		if (r != 0)
			return r;
	}
	if (argc - optind < 2 || strcmp(argv[optind], "vio") != 0) {
		print_usage(stderr);
		return USAGE;
	}
	r = run(&import, argv + optind + 1, argc - optind - 1);
	vd_json_free(import.desired);
	return r;
}
