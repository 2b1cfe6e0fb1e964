/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <systemd/sd-daemon.h>

#include "agent/vedetted/agent.h"
#include "base/clock.h"
#include "base/version.h"

enum { EXIT_CONFIG = 2, STOP_TIMEOUT_MS = 20000 };

static void close_store_and_leave(void *argument)
{
	struct vd_agent *a = argument;

	vd_loop_stop(a->loop, 0);
}

static void on_stop_signal(int signal, void *argument)
{
	struct vd_agent *a = argument;

	if (a->is_stopping) { /* asked twice: do not wait for modules */
		vd_loop_stop(a->loop, 0);
		return;
	}
	a->is_stopping = true;
	vd_log(VD_NOTICE, "agent.stop", "signal=%d", signal);
	(void)sd_notify(0, "STOPPING=1");
	vd_supervisor_stop_all(a->supervisor, close_store_and_leave);
}

static void on_hangup(int signal, void *argument)
{
	struct vd_agent *a = argument;

	(void)signal;
	vd_log_set_level(vd_log_is_on(VD_DEBUG) ? a->config.log_level : VD_DEBUG);
	vd_log(VD_NOTICE, "log.level", "debug=%s", vd_log_is_on(VD_DEBUG) ? "on" : "off");
}

/* The loop's own sign of life: a loop that hangs feeds no watchdog, and systemd starts it anew. */
static void feed_watchdog(void *argument)
{
	struct vd_agent *a = argument;

	(void)sd_notify(0, "WATCHDOG=1");
	if (vd_timer_arm(a->watchdog_timer, a->watchdog_ms) < 0)
		vd_log(VD_ERROR, "watchdog.timer", "cannot be armed");
}

static int start_watchdog(struct vd_agent *a)
{
	uint64_t period_us = 0;
	int r = sd_watchdog_enabled(0, &period_us);

	if (r <= 0)
		return r;
	a->watchdog_ms = period_us / 1000 / 2;
	r = vd_loop_timer(a->loop, feed_watchdog, a, &a->watchdog_timer);
	return r < 0 ? r : vd_timer_arm(a->watchdog_timer, 0);
}

static int open_store(struct vd_agent *a, struct vd_fault *fault)
{
	struct vd_store_config config = {
		.folder = a->config.state_folder,
		.device_id = a->config.device_id,
		.boot_id = a->boot_id,
		.send_plain = !a->config.compress_batches,
	};

	return vd_store_open(a->loop, &config, &vd_agent_store_handlers, a, &a->store, fault);
}

static int make_link(struct vd_agent *a, struct vd_fault *fault)
{
	const struct vd_config *c = &a->config;
	struct vd_link_config config = {
		.host = c->host,
		.port = (uint16_t)c->port,
		.device_id = c->device_id,
		.key = c->key,
		.certificate_file = c->certificate_file,
		.key_file = c->private_key_file,
		.trust_file = c->trusted_ca_file,
		.keepalive_s = (uint32_t)c->keep_alive_s,
		.connect_timeout_ms = (uint32_t)c->connect_timeout_s * 1000,
		.token_lifetime_s = (uint32_t)c->token_life_s,
		.backoff_first_ms = c->backoff_first_ms,
		.backoff_ceiling_ms = c->backoff_limit_ms,
	};

	return vd_link_new(a->loop, &config, &vd_agent_link_handlers, a, &a->link, fault);
}

static int make_uploader(struct vd_agent *a, struct vd_fault *fault)
{
	const struct vd_config *c = &a->config;
	struct vd_uploader_config config = {
		.host = c->host,
		.port = (uint16_t)c->https_port,
		.device_id = c->device_id,
		.key = c->key,
		.certificate_file = c->certificate_file,
		.key_file = c->private_key_file,
		.trust_file = c->trusted_ca_file,
		.token_lifetime_s = (uint32_t)c->token_life_s,
		.backoff_first_ms = c->backoff_first_ms,
		.backoff_ceiling_ms = c->backoff_limit_ms,
	};

	return vd_uploader_new(a->loop, &config, &vd_agent_uploader_handlers, a, &a->uploader,
			       fault);
}

static int catch_signals(struct vd_agent *a)
{
	int r = vd_loop_signal(a->loop, SIGTERM, on_stop_signal, a, &a->signals[0]);

	if (r == 0)
		r = vd_loop_signal(a->loop, SIGINT, on_stop_signal, a, &a->signals[1]);
	if (r == 0)
		r = vd_loop_signal(a->loop, SIGHUP, on_hangup, a, &a->signals[2]);
	return r;
}

/*
 * The order is the promise: modules come up from the last good document before the link is
 * even begun, and nothing here waits for a network.
 */
static int start(struct vd_agent *a, struct vd_fault *fault)
{
	int r = vd_loop_new(&a->loop);

	if (r == 0)
		r = catch_signals(a);
	if (r == 0)
		r = vd_local_new(a, a->config.run_folder, &a->local, fault);
	if (r == 0)
		r = open_store(a, fault);
	if (r == 0)
		r = vd_reported_new(&a->reported);
	if (r == 0)
		r = vd_loop_timer(a->loop, vd_agent_report_now, a, &a->report_timer);
	if (r == 0)
		r = vd_loop_timer(a->loop, vd_agent_settle_timeout, a, &a->settle_timer);
	if (r == 0)
		r = vd_supervisor_new(a->loop, &vd_agent_supervisor_handlers, NULL, a,
				      &a->supervisor);
	if (r == 0)
		r = make_link(a, fault);
	if (r == 0)
		r = make_uploader(a, fault);
	if (r == 0)
		r = vd_agent_boot_document(a);
	if (r == 0)
		r = start_watchdog(a);
	if (r == 0)
		r = vd_link_start(a->link);
	return r;
}

static void finish(struct vd_agent *a)
{
	a->is_stopping = true;
	a->local = vd_local_free(a->local);
	vd_agent_drop_calls(a);
	a->supervisor = vd_supervisor_free(a->supervisor);
	a->link = vd_link_free(a->link);
	a->uploader = vd_uploader_free(a->uploader);
	a->store = vd_store_close(a->store);
	vd_agent_drop_publications(a);
	a->reported = vd_reported_free(a->reported);
	while (a->instances)
		vd_instance_remove(&a->instances, a->instances->id);
	a->candidate = vd_set_free(a->candidate);
	a->set = vd_set_free(a->set);
	a->latest = vd_json_free(a->latest);
	a->report_timer = vd_source_free(a->report_timer);
	a->settle_timer = vd_source_free(a->settle_timer);
	a->watchdog_timer = vd_source_free(a->watchdog_timer);
	for (size_t i = 0; i < VD_COUNT(a->signals); i++)
		a->signals[i] = vd_source_free(a->signals[i]);
	if (a->loop)
		a->loop = vd_loop_free(a->loop);
	vd_config_fini(&a->config);
}

static int run(struct vd_agent *a)
{
	struct vd_fault fault = { 0 };
	int r;

	a->started_wall_ms = vd_clock_wall_ms();
	a->started_mono_ms = vd_clock_mono_ms();
	a->latest_version = -1;
	a->outcome.version = -1;
	(void)vd_uuid(a->boot_id);
	vd_log_set_level(a->config.log_level);
	r = start(a, &fault);
	if (r < 0) {
		vd_log(VD_ERROR, "agent.start", "error=%s %s", strerror(-r), fault.text);
	} else {
		vd_log(VD_NOTICE, "agent.start", "version=%s device=%s boot=%s", VD_VERSION,
		       a->config.device_id, a->boot_id);
		(void)sd_notifyf(0, "READY=1\nSTATUS=device %s", a->config.device_id);
		r = vd_loop_run(a->loop);
	}
	finish(a);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int usage(FILE *out)
{
	(void)fputs("usage: vedetted [--config FILE] [--check-config] [--explain] [--version]\n\n"
		    "The agent of this box: runs the modules that the desired document names.\n"
		    "  --config FILE    configuration, /etc/vedette/vedetted.conf if not given\n"
		    "  --check-config   check it, say what is wrong and where, and leave\n"
		    "  --explain        every setting: type, bounds, default, meaning\n",
		    out);
	return out == stdout ? EXIT_SUCCESS : EXIT_CONFIG;
}

int main(int argc, char **argv)
{
	static const struct option known[] = {
		{ "config", 1, NULL, 'c' },  { "check-config", 0, NULL, 'k' },
		{ "explain", 0, NULL, 'e' }, { "version", 0, NULL, 'v' },
		{ "help", 0, NULL, 'h' },    { 0 }
	};
	const char *path = "/etc/vedette/vedetted.conf";
	struct vd_agent agent = { 0 };
	struct vd_fault fault = { 0 };
	bool only_check = false;

	for (int c; (c = getopt_long(argc, argv, "h", known, NULL)) != -1;) {
		switch (c) {
		case 'c':
			path = optarg;
			break;
		case 'k':
			only_check = true;
			break;
		case 'e':
			vd_config_explain(stdout);
			return EXIT_SUCCESS;
		case 'v':
			(void)puts("vedetted " VD_VERSION);
			return EXIT_SUCCESS;
		case 'h':
			return usage(stdout);
		default:
			return usage(stderr);
		}
	}
	if (optind != argc)
		return usage(stderr);
	if (vd_config_read(&agent.config, path, &fault) < 0) {
		(void)fprintf(stderr, "vedetted: %s%s%s\n", fault.text,
			      *fault.pointer ? " at " : "", fault.pointer);
		vd_config_fini(&agent.config);
		return EXIT_CONFIG;
	}
	if (only_check) {
		(void)printf("%s: ok, device %s, hub %s:%d\n", path, agent.config.device_id,
			     agent.config.host, agent.config.port);
		vd_config_fini(&agent.config);
		return EXIT_SUCCESS;
	}
	return run(&agent);
}
