/* SPDX-License-Identifier: Apache-2.0 */
/* vedette-enrol(1) */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <curl/curl.h>

#include "agent/vedette-enrol/answer.h"
#include "agent/vedette-enrol/identity.h"
#include "agent/vedette-enrol/post.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/version.h"

enum { EXIT_DONE, EXIT_REFUSED, EXIT_USAGE, EXIT_LATER };
enum { TOKEN_BYTES = 512, SMALL_FILE = 65536, MQTT_PORT = 8883 };

struct options {
	const char *hub, *ca, *device, *token_file, *folder, *connect_to;
	int mqtt_port;
	bool is_renewal, is_forced, is_version;
};

static int usage(void)
{
	(void)fputs("usage: vedette-enrol --hub HOST[:PORT] --ca FILE --device ID\n"
		    "           [--token-file FILE] [--folder FOLDER] [--mqtt-port N] [--force]\n"
		    "       vedette-enrol --renew [--folder FOLDER] [--force]\n"
		    "       vedette-enrol --version\n",
		    stderr);
	return EXIT_USAGE;
}

static int take_option(struct options *o, int c, const char *value)
{
	char *end = NULL;

	switch (c) {
	case 'h':
		o->hub = value;
		return 0;
	case 'c':
		o->ca = value;
		return 0;
	case 'd':
		o->device = value;
		return 0;
	case 't':
		o->token_file = value;
		return 0;
	case 'o':
		o->folder = value;
		return 0;
	case 'x':
		o->connect_to = value;
		return 0;
	case 'm':
		o->mqtt_port = (int)strtol(value, &end, 10);
		return *end || o->mqtt_port < 1 || o->mqtt_port > 65535 ? -EINVAL : 0;
	case 'r':
		o->is_renewal = true;
		return 0;
	case 'f':
		o->is_forced = true;
		return 0;
	case 'v':
		o->is_version = true;
		return 0;
	default:
		return -EINVAL;
	}
}

static int read_options(int argc, char **argv, struct options *o)
{
	static const struct option table[] = {
		{ "hub", required_argument, NULL, 'h' },
		{ "ca", required_argument, NULL, 'c' },
		{ "device", required_argument, NULL, 'd' },
		{ "token-file", required_argument, NULL, 't' },
		{ "folder", required_argument, NULL, 'o' },
		{ "connect-to", required_argument, NULL, 'x' },
		{ "mqtt-port", required_argument, NULL, 'm' },
		{ "renew", no_argument, NULL, 'r' },
		{ "force", no_argument, NULL, 'f' },
		{ "version", no_argument, NULL, 'v' },
		{ 0 },
	};

	for (int c; (c = getopt_long(argc, argv, "", table, NULL)) != -1;) {
		if (take_option(o, c, optarg) < 0)
			return -EINVAL;
	}
	if (o->is_version)
		return 0;
	if (optind != argc || (!o->is_renewal && (!o->hub || !o->ca || !o->device)) ||
	    (o->is_renewal && (o->device || o->token_file)))
		return -EINVAL;
	return 0;
}

static int fail(int r, const struct vd_fault *fault)
{
	(void)fprintf(stderr, "vedette-enrol: %s\n", fault->code ? fault->text : strerror(-r));
	return r == -EHOSTUNREACH ? EXIT_LATER : EXIT_REFUSED;
}

/* Never from the command line, which every user of the machine can read. */
static int read_token(const struct options *o, char token[static TOKEN_BYTES],
		      struct vd_fault *fault)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };
	const char *from = o->token_file, *environment = getenv("VEDETTE_ENROL_TOKEN");
	int r = 0;

	if (from)
		r = vd_file_read(strcmp(from, "-") == 0 ? "/dev/stdin" : from, TOKEN_BYTES - 1,
				 &text, fault);
	else if (environment)
		r = vd_buf_printf(&text, "%s", environment);
	if (r < 0)
		return r;
	(void)snprintf(token, TOKEN_BYTES, "%s", text.data ? text.data : "");
	token[strcspn(token, "\r\n \t")] = '\0';
	if (text.data)
		explicit_bzero(text.data, text.len);
	if (token[0])
		return 0;
	vd_fault_set(fault, 400, "", "no token: give --token-file or VEDETTE_ENROL_TOKEN");
	return -EINVAL;
}

/* A request, its answer, and the files. token NULL: the identity that there is vouches. */
static int order(const struct options *o, const struct vd_folder *folder, const char *hub,
		 const char *device, const char *token, struct vd_fault *fault)
{
	const struct vd_post post = { .hub = hub,
				      .path = token ? "/enrol" : "/enrol/renew",
				      .ca = o->ca ? o->ca : folder->ca,
				      .identity = token ? NULL : folder->identity,
				      .connect_to = o->connect_to };
	VD_CLEANUP(vd_key_free) struct vd_key *key = NULL;
	VD_CLEANUP(vd_buf_fini) struct vd_buf csr = { 0 };
	VD_CLEANUP(vd_json_free) cJSON *body = cJSON_CreateObject();
	VD_CLEANUP(vd_json_free) cJSON *answer = NULL;
	int r = vd_key_keep(folder->new_key, &key, fault);

	if (r == 0)
		r = vd_key_request(key, device, &csr, fault);
	if (r == 0 && (!body || !vd_json_add_string(body, "csr", csr.data) ||
		       (token && !vd_json_add_string(body, "token", token))))
		r = -ENOMEM;
	if (r == 0)
		r = vd_post(&post, body, &answer, fault);
	if (r == 0)
		r = vd_answer_store(folder, answer, hub, o->mqtt_port, key, device, fault);
	if (r == 0)
		(void)printf("%s: certificate %s until %s\n", device,
			     vd_json_string(answer, "serial", ""),
			     vd_json_string(answer, "notAfter", ""));
	return r;
}

static int enrol(const struct options *o, const struct vd_folder *folder)
{
	char token[TOKEN_BYTES] = "";
	struct vd_fault fault = { 0 };
	struct stat file;
	int r;

	if (!o->is_forced && stat(folder->identity, &file) == 0) {
		vd_fault_set(&fault, 409, "", "%s exists: use --renew, or --force for a new one",
			     folder->identity);
		return fail(-EEXIST, &fault);
	}
	r = read_token(o, token, &fault);
	if (r == 0)
		r = order(o, folder, o->hub, o->device, token, &fault);
	explicit_bzero(token, sizeof token);
	return r < 0 ? fail(r, &fault) : EXIT_DONE;
}

static int read_hub(const struct options *o, const struct vd_folder *folder, char hub[static 300],
		    struct vd_fault *fault)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };
	VD_CLEANUP(vd_json_free) cJSON *json = NULL;
	int r = 0;

	if (!o->hub)
		r = vd_file_read(folder->enrolment, SMALL_FILE, &text, fault);
	if (r == 0 && !o->hub)
		r = vd_json_parse(text.data ? text.data : "", text.len, &json, fault);
	if (r < 0)
		return r;
	(void)snprintf(hub, 300, "%s", o->hub ? o->hub : vd_json_string(json, "hub", ""));
	return 0;
}

static int renew(const struct options *o, const struct vd_folder *folder)
{
	struct vd_identity_dates dates;
	struct vd_fault fault = { 0 };
	char hub[300], end[VD_TIME_TEXT];
	int r = vd_identity_read(folder->identity, &dates, &fault);

	if (r < 0)
		return fail(r, &fault);
	if (!o->is_forced && !vd_identity_is_due(&dates, vd_clock_wall_ms())) {
		(void)printf("%s: not due, good until %s\n", dates.common_name,
			     vd_time_text(dates.not_after_ms, end));
		return EXIT_DONE;
	}
	r = read_hub(o, folder, hub, &fault);
	if (r == 0)
		r = order(o, folder, hub, dates.common_name, NULL, &fault);
	return r < 0 ? fail(r, &fault) : EXIT_DONE;
}

int main(int argc, char **argv)
{
	struct options options = { .folder = "/etc/vedette", .mqtt_port = MQTT_PORT };
	struct vd_folder folder;
	struct vd_fault fault = { 0 };
	int r;

	if (read_options(argc, argv, &options) < 0)
		return usage();
	if (options.is_version) {
		(void)printf("vedette-enrol %s\n", VD_VERSION);
		return EXIT_DONE;
	}
	(void)signal(SIGPIPE, SIG_IGN);
	(void)umask(077);
	r = vd_folder_name(options.folder, &folder);
	if (r == 0)
		r = vd_file_make_folders(options.folder, 0755);
	if (r == 0 && curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		r = -ENOMEM;
	if (r < 0) {
		vd_fault_set(&fault, 500, "", "%s: %s", options.folder, strerror(-r));
		return fail(r, &fault);
	}
	r = options.is_renewal ? renew(&options, &folder) : enrol(&options, &folder);
	curl_global_cleanup();
	return r;
}
