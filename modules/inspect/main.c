/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "modules/inspect/replay.h"
#include "modules/inspect/station.h"
#include "modules/sdk/module.h"

extern const char vd_schema_json[];

struct program {
	struct vd_station *station; /* NULL until the first parameters are good */
};

static int on_start(struct vd_module *module, const cJSON *parameters, void *argument,
		    struct vd_fault *fault)
{
	struct program *program = argument;

	return vd_station_new(module, parameters, &program->station, fault);
}

static int on_parameters(struct vd_module *module, const cJSON *parameters, void *argument,
			 struct vd_fault *fault)
{
	struct program *program = argument;

	return vd_station_configure(program->station, parameters, fault);
}

static void on_message(struct vd_module *module, const char *input, const char *from,
		       const cJSON *body, void *argument)
{
	struct program *program = argument;

	if (program->station)
		vd_station_message(program->station, input, from, body);
}

static void on_call(struct vd_module *module, int64_t id, const char *method, const cJSON *body,
		    void *argument)
{
	struct program *program = argument;

	if (program->station)
		vd_station_call(program->station, id, method, body);
	else if (vd_module_answer(module, id, 503, NULL) != 0)
		vd_log(VD_WARN, "call.unanswered", "method=%s", method);
}

static int on_stop(struct vd_module *module, void *argument)
{
	struct program *program = argument;

	return !program->station || vd_station_stop(program->station) ? 0 : VD_MODULE_LATER;
}

static void on_end(struct vd_module *module, void *argument)
{
	struct program *program = argument;

	program->station = vd_station_free(program->station);
}

static int replay(int argc, char **argv)
{
	static const struct option known[] = { { "replay", required_argument, NULL, 'r' },
					       { "parameters", required_argument, NULL, 'p' },
					       { "against", required_argument, NULL, 'a' },
					       { "models", required_argument, NULL, 'm' },
					       { 0 } };
	struct vd_replay_options options = { .schema = vd_schema_json };
	int option;

	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (option == 'r')
			options.folder = optarg;
		else if (option == 'p')
			options.parameters = optarg;
		else if (option == 'a')
			options.against = optarg;
		else if (option == 'm')
			options.models = optarg;
		else
			return VD_REPLAY_REFUSED;
	}
	if (options.folder && options.parameters && optind == argc)
		return vd_replay(&options, stdout, stderr);
	(void)fputs("usage: vedette-inspect --replay FOLDER --parameters FILE [--against FILE] "
		    "[--models FOLDER]\n",
		    stderr);
	return VD_REPLAY_REFUSED;
}

int main(int argc, char **argv)
{
	static const struct vd_module_program module = {
		.name = "inspect",
		.version = VD_INSPECT_VERSION,
		.schema = vd_schema_json,
		.on_start = on_start,
		.on_parameters = on_parameters,
		.on_message = on_message,
		.on_call = on_call,
		.on_stop = on_stop,
		.on_end = on_end,
	};
	struct program program = { 0 };

	if (argc > 1 && strncmp(argv[1], "--replay", 8) == 0)
		return replay(argc, argv);
	return vd_module_run(argc, argv, &module, &program);
}
