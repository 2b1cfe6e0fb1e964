/* SPDX-License-Identifier: Apache-2.0 */
/* vedettectl(1): options, and which command they are for */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/version.h"
#include "twin/ctl/client.h"
#include "twin/ctl/ctl.h"
#include "twin/ctl/say.h"

static const struct command {
	const char *noun, *verb; /* verb NULL: the noun is the command */
	int least, most;         /* arguments; -1: any number */
	int (*run)(struct vd_ctl *ctl);
	const char *usage;
} commands[] = {
	{ "device", "list", 0, 0, vd_cmd_device_list, "" },
	{ "device", "show", 1, 1, vd_cmd_device_show, "DEVICE[/MODULE] [--credentials]" },
	{ "device", "create", 1, 1, vd_cmd_device_create,
	  "DEVICE[/MODULE] [--auth TYPE] [--thumbprint HEX]" },
	{ "device", "delete", 1, 1, vd_cmd_device_delete, "DEVICE[/MODULE]" },
	{ "device", "enable", 1, 1, vd_cmd_device_enable, "DEVICE" },
	{ "device", "disable", 1, 1, vd_cmd_device_disable, "DEVICE" },
	{ "twin", "get", 1, 1, vd_cmd_twin_get, "DEVICE [--section desired|reported|tags]" },
	{ "twin", "set", 1, -1, vd_cmd_twin_set,
	  "DEVICE PATH=VALUE... | --file FILE [--replace] [--wait S] [--comment T]" },
	{ "twin", "diff", 1, 1, vd_cmd_twin_diff, "DEVICE [--all]" },
	{ "twin", "history", 1, 2, vd_cmd_twin_history, "DEVICE [VERSION] [--limit N]" },
	{ "verdicts", NULL, 0, 0, vd_cmd_verdicts,
	  "[--device ID] [--verdict V] [--limit N] [--from T] [--to T] [--where C] [--recipe R] |"
	  " [--follow]" },
	{ "events", NULL, 0, 0, vd_cmd_events, "[--device ID] [--follow]" },
	{ "message", "send", 1, -1, vd_cmd_message_send,
	  "DEVICE [KEY=VALUE...] [--payload TEXT | --file FILE] [--timeout S]" },
	{ "message", "purge", 1, 1, vd_cmd_message_purge, "DEVICE" },
	{ "method", "invoke", 2, 2, vd_cmd_method_invoke,
	  "DEVICE METHOD [--payload JSON] [--timeout S]" },
	{ "enrolment", "create", 0, 0, vd_cmd_enrolment_create,
	  "--device ID | --any [--expires TIME] [--tags JSON]" },
	{ "enrolment", "list", 0, 0, vd_cmd_enrolment_list, "" },
	{ "enrolment", "delete", 1, 1, vd_cmd_enrolment_delete, "TOKENID" },
	{ "certificate", "list", 0, 0, vd_cmd_certificate_list, "[--device ID]" },
	{ "certificate", "revoke", 1, 1, vd_cmd_certificate_revoke,
	  "DEVICE --serial HEX | --all [--reason TEXT]" },
	{ "audit", "list", 0, 0, vd_cmd_audit_list,
	  "[--device ID] [--actor A] [--action A] [--limit N]" },
	{ "audit", "verify", 0, 0, vd_cmd_audit_verify, "[--anchor ID:HASH]" },
	{ "package", "keygen", 1, 1, vd_cmd_package_keygen, "FILE" },
	{ "package", "build", 1, 1, vd_cmd_package_build, "FOLDER [--arch A] [--out FOLDER]" },
	{ "package", "sign", 1, 1, vd_cmd_package_sign, "MANIFEST --key FILE" },
	{ "package", "upload", 1, 1, vd_cmd_package_upload, "MANIFEST" },
	{ "package", "list", 0, 1, vd_cmd_package_list, "[NAME]" },
	{ "package", "channel", 0, 3, vd_cmd_package_channel,
	  "[NAME] | NAME CHANNEL VERSION [--arch A] [--comment TEXT]" },
	{ "package", "history", 2, 2, vd_cmd_package_history,
	  "NAME CHANNEL [--arch A] [--limit N]" },
	{ "package", "gc", 0, 0, vd_cmd_package_gc, "[--dry-run] [--days N]" },
	{ "images", "export", 0, 0, vd_cmd_images_export,
	  "--device ID [--since TIME] --coco FOLDER" },
	{ "label", "add", 1, 1, vd_cmd_label_add,
	  "LABEL --device ID --item ITEM | --sha256 HEX [--boxes JSON] [--comment TEXT]" },
	{ "label", "list", 0, 0, vd_cmd_label_list,
	  "[--device ID] [--item ITEM] [--sha256 HEX] [--limit N]" },
	{ "audit", "export", 0, 0, vd_cmd_audit_export, "[--anchor ID:HASH]" },
	{ "drift", NULL, 0, 0, vd_cmd_drift, "[--older-than S]" },
	{ "deadletter", "list", 0, 0, vd_cmd_deadletter_list, "[--device ID] [--limit N]" },
	{ "deadletter", "show", 1, 1, vd_cmd_deadletter_show, "ID" },
	{ "deadletter", "replay", 0, -1, vd_cmd_deadletter_replay, "ID... | --all" },
	{ "stats", NULL, 0, 0, vd_cmd_stats, "[--device ID]" },
	{ "usage", NULL, 0, 0, vd_cmd_usage, "[--device ID] [--days N]" },
};

/* Those that ask no hub. */
static int (*const apart[])(struct vd_ctl *ctl) = { vd_cmd_package_keygen, vd_cmd_package_build,
						    vd_cmd_package_sign };

static bool is_apart(const struct command *command)
{
	for (size_t i = 0; i < VD_COUNT(apart); i++) {
		if (apart[i] == command->run)
			return true;
	}
	return false;
}

static void print_usage(FILE *out)
{
	(void)fputs("usage: vedettectl [options] command\n", out);
	for (size_t i = 0; i < VD_COUNT(commands); i++)
		(void)fprintf(out, "  %s%s%s %s\n", commands[i].noun, commands[i].verb ? " " : "",
			      commands[i].verb ? commands[i].verb : "", commands[i].usage);
	(void)fputs("options:\n"
		    "  -o json|table  --connection-string TEXT (or VEDETTE_HUB_CONNECTION)\n"
		    "  --ca FILE  --connect-to ADDR:PORT  --socket PATH  --version  --help\n",
		    out);
}

enum option_kind { TEXT, NUMBER, FLAG };

struct parsed {
	struct vd_ctl ctl;
	const char *output, *connection, *ca, *connect_to, *socket;
	bool is_version, is_help;
};

static const struct option_row {
	const char *name;
	enum option_kind kind;
	size_t offset;
} option_rows[] = {
	{ "output", TEXT, offsetof(struct parsed, output) },
	{ "connection-string", TEXT, offsetof(struct parsed, connection) },
	{ "ca", TEXT, offsetof(struct parsed, ca) },
	{ "connect-to", TEXT, offsetof(struct parsed, connect_to) },
	{ "socket", TEXT, offsetof(struct parsed, socket) },
	{ "version", FLAG, offsetof(struct parsed, is_version) },
	{ "help", FLAG, offsetof(struct parsed, is_help) },
	{ "file", TEXT, offsetof(struct parsed, ctl.file) },
	{ "device", TEXT, offsetof(struct parsed, ctl.device) },
	{ "module", TEXT, offsetof(struct parsed, ctl.module) },
	{ "verdict", TEXT, offsetof(struct parsed, ctl.verdict) },
	{ "payload", TEXT, offsetof(struct parsed, ctl.payload) },
	{ "auth", TEXT, offsetof(struct parsed, ctl.auth) },
	{ "thumbprint", TEXT, offsetof(struct parsed, ctl.thumbprint[0]) },
	{ "secondary-thumbprint", TEXT, offsetof(struct parsed, ctl.thumbprint[1]) },
	{ "section", TEXT, offsetof(struct parsed, ctl.section) },
	{ "replace", FLAG, offsetof(struct parsed, ctl.is_replace) },
	{ "follow", FLAG, offsetof(struct parsed, ctl.is_follow) },
	{ "all", FLAG, offsetof(struct parsed, ctl.is_all) },
	{ "disabled", FLAG, offsetof(struct parsed, ctl.is_disabled) },
	{ "credentials", FLAG, offsetof(struct parsed, ctl.is_credentials) },
	{ "tags", TEXT, offsetof(struct parsed, ctl.tags) },
	{ "expires", TEXT, offsetof(struct parsed, ctl.expires) },
	{ "serial", TEXT, offsetof(struct parsed, ctl.serial) },
	{ "reason", TEXT, offsetof(struct parsed, ctl.reason) },
	{ "actor", TEXT, offsetof(struct parsed, ctl.actor) },
	{ "action", TEXT, offsetof(struct parsed, ctl.action) },
	{ "anchor", TEXT, offsetof(struct parsed, ctl.anchor) },
	{ "from", TEXT, offsetof(struct parsed, ctl.from) },
	{ "to", TEXT, offsetof(struct parsed, ctl.to) },
	{ "where", TEXT, offsetof(struct parsed, ctl.where) },
	{ "recipe", TEXT, offsetof(struct parsed, ctl.recipe) },
	{ "arch", TEXT, offsetof(struct parsed, ctl.arch) },
	{ "out", TEXT, offsetof(struct parsed, ctl.out) },
	{ "key", TEXT, offsetof(struct parsed, ctl.key) },
	{ "comment", TEXT, offsetof(struct parsed, ctl.comment) },
	{ "item", TEXT, offsetof(struct parsed, ctl.item) },
	{ "sha256", TEXT, offsetof(struct parsed, ctl.sha256) },
	{ "boxes", TEXT, offsetof(struct parsed, ctl.boxes) },
	{ "since", TEXT, offsetof(struct parsed, ctl.since) },
	{ "coco", TEXT, offsetof(struct parsed, ctl.coco) },
	{ "dry-run", FLAG, offsetof(struct parsed, ctl.is_dry_run) },
	{ "any", FLAG, offsetof(struct parsed, ctl.is_any) },
	{ "days", NUMBER, offsetof(struct parsed, ctl.days) },
	{ "limit", NUMBER, offsetof(struct parsed, ctl.limit) },
	{ "wait", NUMBER, offsetof(struct parsed, ctl.wait_s) },
	{ "timeout", NUMBER, offsetof(struct parsed, ctl.timeout_s) },
	{ "older-than", NUMBER, offsetof(struct parsed, ctl.older_s) },
	{ "connect-timeout", NUMBER, offsetof(struct parsed, ctl.connect_timeout_s) },
};

enum { OPTION_COUNT = VD_COUNT(option_rows), OPTION_BASE = 256, NUMBER_MAX = 1000000 };

static int take_option(struct parsed *parsed, const struct option_row *row, const char *value)
{
	void *out = (char *)parsed + row->offset;
	char *end = NULL;
	long number;

	if (row->kind == FLAG) {
		*(bool *)out = true;
		return 0;
	}
	if (row->kind == TEXT) {
		*(const char **)out = value;
		return 0;
	}
	number = strtol(value, &end, 10);
	if (end == value || *end || number < 0 || number > NUMBER_MAX)
		return vd_say_error(VD_EXIT_USAGE, "--%s: \"%s\" is not a number from 0 to %d",
				    row->name, value, NUMBER_MAX);
	*(int *)out = (int)number;
	return 0;
}

/* Options may stand anywhere; getopt moves the rest to the end. */
static int read_options(int argc, char **argv, struct parsed *parsed)
{
	struct option table[OPTION_COUNT + 1] = { 0 };

	for (int i = 0; i < OPTION_COUNT; i++)
		table[i] = (struct option){ option_rows[i].name,
					    option_rows[i].kind == FLAG ? no_argument
									: required_argument,
					    NULL, OPTION_BASE + i };
	for (int c; (c = getopt_long(argc, argv, "o:h", table, NULL)) != -1;) {
		int row = c == 'o' ? 0 : c - OPTION_BASE;
		int r;

		if (c == 'h') {
			parsed->is_help = true;
			continue;
		}
		if (row < 0 || row >= OPTION_COUNT)
			return VD_EXIT_USAGE;
		r = take_option(parsed, &option_rows[row], optarg);
		if (r != 0)
			return r;
	}
	return VD_EXIT_OK;
}

static int check_output(struct parsed *parsed)
{
	const char *section = parsed->ctl.section;

	if (parsed->output && strcmp(parsed->output, "json") != 0 &&
	    strcmp(parsed->output, "table") != 0)
		return vd_say_error(VD_EXIT_USAGE, "-o: \"%s\" is neither json nor table",
				    parsed->output);
	if (section && strcmp(section, "desired") != 0 && strcmp(section, "reported") != 0 &&
	    strcmp(section, "tags") != 0)
		return vd_say_error(VD_EXIT_USAGE,
				    "--section: \"%s\" is none of desired, reported, tags",
				    section);
	parsed->ctl.is_json = parsed->output && strcmp(parsed->output, "json") == 0;
	return VD_EXIT_OK;
}

static const struct command *find_command(char **words, int count)
{
	for (size_t i = 0; i < VD_COUNT(commands); i++) {
		const struct command *c = &commands[i];

		if (count > 0 && strcmp(c->noun, words[0]) == 0 &&
		    (!c->verb || (count > 1 && strcmp(c->verb, words[1]) == 0)))
			return c;
	}
	return NULL;
}

static int run_command(struct parsed *parsed, const struct command *command)
{
	VD_CLEANUP(vd_client_free) struct vd_client *client = NULL;
	const char *text =
		parsed->connection ? parsed->connection : getenv("VEDETTE_HUB_CONNECTION");
	const struct vd_client_options options = { &parsed->ctl.connection, parsed->ca,
						   parsed->connect_to, parsed->socket };
	struct vd_fault fault = { 0 };

	if (!text)
		return vd_say_error(
			VD_EXIT_USAGE,
			"no hub: give --connection-string or set VEDETTE_HUB_CONNECTION "
			"(vedette-hub --show-policy prints one)");
	if (vd_connection_parse(text, &parsed->ctl.connection, &fault) < 0)
		return vd_say_error(VD_EXIT_USAGE, "%s", fault.text);
	if (vd_client_new(&options, &client) < 0)
		return vd_say_error(VD_EXIT_FAILED, "%s", strerror(ENOMEM));
	parsed->ctl.client = client;
	return command->run(&parsed->ctl);
}

static int find_and_run(struct parsed *parsed, char **words, int count)
{
	const struct command *command = find_command(words, count);
	int words_of_command;

	if (!command) {
		print_usage(stderr);
		return VD_EXIT_USAGE;
	}
	words_of_command = command->verb ? 2 : 1;
	parsed->ctl.arguments = (const char *const *)words + words_of_command;
	parsed->ctl.argument_count = count - words_of_command;
	if (parsed->ctl.argument_count < command->least ||
	    (command->most >= 0 && parsed->ctl.argument_count > command->most))
		return vd_say_error(VD_EXIT_USAGE, "usage: vedettectl %s%s%s %s", command->noun,
				    command->verb ? " " : "", command->verb ? command->verb : "",
				    command->usage);
	return is_apart(command) ? command->run(&parsed->ctl) : run_command(parsed, command);
}

int main(int argc, char **argv)
{
	struct parsed parsed = {
		.ctl = { .days = -1,
			 .limit = -1,
			 .wait_s = -1,
			 .timeout_s = -1,
			 .connect_timeout_s = -1,
			 .older_s = -1 },
	};
	int r = read_options(argc, argv, &parsed);

	(void)signal(SIGPIPE, SIG_IGN);
	if (r == VD_EXIT_OK && parsed.is_version) {
		(void)printf("vedettectl %s\n", VD_VERSION);
		return VD_EXIT_OK;
	}
	if (r == VD_EXIT_OK && parsed.is_help) {
		print_usage(stdout);
		return VD_EXIT_OK;
	}
	if (r == VD_EXIT_OK)
		r = check_output(&parsed);
	return r == VD_EXIT_OK ? find_and_run(&parsed, argv + optind, argc - optind) : r;
}
