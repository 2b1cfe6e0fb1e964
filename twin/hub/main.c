/* SPDX-License-Identifier: Apache-2.0 */
/* vedette-hub(8) */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <systemd/sd-daemon.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/version.h"
#include "twin/hub/config.h"
#include "twin/hub/hub.h"
#include "twin/hub/policies.h"
#include "twin/hub/queries/query_index.h"
#include "twin/hub/store/backup.h"
#include "twin/hub/store/store.h"
#include "twin/hub/store/twin_index.h"

enum { EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct options {
	const char *config, *policy, *backup, *restore;
	bool is_check, is_explain, is_version, is_check_index, is_rebuild_index;
};

static int usage(void)
{
	(void)fputs("usage: vedette-hub --config FILE [--check-config | --show-policy NAME |\n"
		    "                   --backup COPY | --restore COPY | --check-index |\n"
		    "                   --rebuild-index]\n"
		    "       vedette-hub --explain | --version\n",
		    stderr);
	return EXIT_USAGE;
}

static int read_options(int argc, char **argv, struct options *options)
{
	static const struct option table[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "check-config", no_argument, NULL, 'k' },
		{ "show-policy", required_argument, NULL, 'p' },
		{ "backup", required_argument, NULL, 'b' },
		{ "restore", required_argument, NULL, 'r' },
		{ "check-index", no_argument, NULL, 'i' },
		{ "rebuild-index", no_argument, NULL, 'I' },
		{ "explain", no_argument, NULL, 'e' },
		{ "version", no_argument, NULL, 'v' },
		{ 0 },
	};

	for (int c; (c = getopt_long(argc, argv, "c:", table, NULL)) != -1;) {
		if (c == 'c')
			options->config = optarg;
		else if (c == 'k')
			options->is_check = true;
		else if (c == 'p')
			options->policy = optarg;
		else if (c == 'b')
			options->backup = optarg;
		else if (c == 'r')
			options->restore = optarg;
		else if (c == 'i')
			options->is_check_index = true;
		else if (c == 'I')
			options->is_rebuild_index = true;
		else if (c == 'e')
			options->is_explain = true;
		else if (c == 'v')
			options->is_version = true;
		else
			return -EINVAL;
	}
	if (optind != argc || (!options->config && !options->is_explain && !options->is_version))
		return -EINVAL;
	return 0;
}

static int fail(const struct vd_fault *fault, int r)
{
	(void)fprintf(stderr, "vedette-hub: %s%s%s\n", fault->pointer,
		      fault->pointer[0] ? ": " : "", fault->code ? fault->text : strerror(-r));
	return EXIT_FAILED;
}

/* Whoever can open the database has every key anyway: files' permissions decide. */
static int show_policy(const struct vd_config *config, const char *name)
{
	VD_CLEANUP(vd_store_free) struct vd_store *store = NULL;
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };
	struct vd_fault fault = { 0 };
	char path[PATH_MAX];
	int r;

	(void)snprintf(path, sizeof path, "%s/hub.sqlite", config->state_folder);
	r = vd_store_open(path, false, &store, &fault);
	if (r < 0)
		return fail(&fault, r);
	r = vd_policies_show(store, config->host_name, name, &text);
	if (r == VD_STORE_NONE) {
		vd_fault_set(&fault, 404, "", "there is no policy \"%s\"", name);
		return fail(&fault, r);
	}
	if (r < 0)
		return fail(&fault, r);
	(void)puts(text.data);
	return 0;
}

static void name_database(const struct vd_config *config, char path[static PATH_MAX])
{
	(void)snprintf(path, PATH_MAX, "%s/hub.sqlite", config->state_folder);
}

static int backup(const struct vd_config *config, const char *copy)
{
	struct vd_fault fault = { 0 };
	char database[PATH_MAX];
	int r;

	name_database(config, database);
	(void)umask(077);
	r = vd_store_backup(database, copy, &fault);
	return r < 0 ? fail(&fault, r) : 0;
}

/* Who answers on the hub's socket has the database open. */
static bool is_running(const struct vd_config *config)
{
	VD_CLEANUP(vd_close) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	(void)snprintf(address.sun_path, sizeof address.sun_path, "%s", config->socket);
	return fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) == 0;
}

static int check_stopped(const struct vd_config *config, struct vd_fault *fault)
{
	if (!is_running(config))
		return 0;
	vd_fault_set(fault, 409, "", "%s: the hub is running; stop it first", config->socket);
	return -EBUSY;
}

static int restore(const struct vd_config *config, const char *copy)
{
	struct vd_fault fault = { 0 };
	char database[PATH_MAX];
	int r = 0;

	name_database(config, database);
	(void)umask(077);
	r = check_stopped(config, &fault);
	if (r < 0)
		return fail(&fault, r);
	r = vd_file_make_folders(config->state_folder, 0700);
	if (r == 0)
		r = vd_store_restore(copy, database, vd_clock_wall_ms(), &fault);
	return r < 0 ? fail(&fault, r) : 0;
}

static int open_index(const struct vd_config *config, struct vd_store **ret_store,
		      struct vd_query_index **ret_index, struct vd_fault *fault)
{
	char database[PATH_MAX];
	int r;

	name_database(config, database);
	r = vd_store_open(database, false, ret_store, fault);
	if (r == 0 && ret_index)
		r = vd_query_index_new(NULL, *ret_store, config, ret_index, fault);
	return r;
}

/* Of a hub that may be running. */
static int check_index(const struct vd_config *config)
{
	VD_CLEANUP(vd_store_free) struct vd_store *store = NULL;
	struct vd_twin_index_report report = { 0 };
	struct vd_fault fault = { 0 };
	int r = open_index(config, &store, NULL, &fault);

	if (r == 0)
		r = vd_twin_index_check(store, &report);
	if (r < 0)
		return fail(&fault, r);
	(void)printf("%lld twins, %lld entries, %lld missing, %lld stale%s\n",
		     (long long)report.twins, (long long)report.entries, (long long)report.missing,
		     (long long)report.stale, report.is_built ? "" : "; not built yet");
	return report.is_built && (report.missing > 0 || report.stale > 0) ? EXIT_FAILED : 0;
}

static int rebuild_index(const struct vd_config *config)
{
	enum { TWINS_AT_ONCE = 10000 };
	VD_CLEANUP(vd_store_free) struct vd_store *store = NULL;
	VD_CLEANUP(vd_query_index_free) struct vd_query_index *index = NULL;
	struct vd_fault fault = { 0 };
	bool is_done = false;
	int r = check_stopped(config, &fault);

	if (r == 0)
		r = open_index(config, &store, &index, &fault);
	if (r == 0)
		r = vd_twin_index_empty(store);
	while (r == 0 && !is_done)
		r = vd_twin_index_build(store, TWINS_AT_ONCE, &is_done);
	return r < 0 ? fail(&fault, r) : check_index(config);
}

static void on_signal(int number, void *argument)
{
	vd_log(VD_NOTICE, "hub.stopping", "signal=%d", number);
	vd_loop_stop(argument, 0);
}

static int serve(struct vd_loop *loop, const struct vd_config *config)
{
	VD_CLEANUP(vd_source_free) struct vd_source *term = NULL;
	VD_CLEANUP(vd_source_free) struct vd_source *interrupt = NULL;
	VD_CLEANUP(vd_hub_free) struct vd_hub *hub = NULL;
	struct vd_fault fault = { 0 };
	int r = vd_loop_signal(loop, SIGTERM, on_signal, loop, &term);

	if (r == 0)
		r = vd_loop_signal(loop, SIGINT, on_signal, loop, &interrupt);
	if (r == 0)
		r = vd_hub_new(loop, config, &hub, &fault);
	if (r < 0)
		return fail(&fault, r);
	vd_log(VD_NOTICE, "hub.ready", "version=%s hostName=%s socket=%s", VD_VERSION,
	       config->host_name, config->socket);
	(void)sd_notify(0, "READY=1");
	r = vd_loop_run(loop);
	(void)sd_notify(0, "STOPPING=1");
	return r == 0 ? 0 : EXIT_FAILED;
}

static int run(const struct vd_config *config)
{
	VD_CLEANUP(vd_loop_free) struct vd_loop *loop = NULL;
	struct vd_fault fault = { 0 };
	int r = vd_loop_new(&loop);

	if (r < 0)
		return fail(&fault, r);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)umask(077); /* the database has keys */
	vd_log_set_level(config->log_level);
	return serve(loop, config);
}

int main(int argc, char **argv)
{
	VD_CLEANUP(vd_config_fini) struct vd_config config = { 0 };
	struct options options = { 0 };
	struct vd_fault fault = { 0 };
	int r;

	if (read_options(argc, argv, &options) < 0)
		return usage();
	if (options.is_version) {
		(void)printf("vedette-hub %s\n", VD_VERSION);
		return 0;
	}
	if (options.is_explain) {
		vd_config_explain(stdout);
		return 0;
	}
	r = vd_config_read(options.config, &config, &fault);
	if (r < 0)
		return fail(&fault, r);
	if (options.is_check) {
		(void)printf("%s: good\n", options.config);
		return 0;
	}
	if (options.backup)
		return backup(&config, options.backup);
	if (options.restore)
		return restore(&config, options.restore);
	if (options.is_rebuild_index)
		return rebuild_index(&config);
	if (options.is_check_index)
		return check_index(&config);
	return options.policy ? show_policy(&config, options.policy) : run(&config);
}
