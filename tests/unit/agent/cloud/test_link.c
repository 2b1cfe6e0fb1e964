/* SPDX-License-Identifier: Apache-2.0 */
#include "vd_test.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/cloud/link.h"
#include "base/clock.h"
#include "base/json.h"
#include "broker.h"

/* Paho 1.3.12 may lose some bytes of its own when a client is destroyed in the middle of a write. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libpaho-mqtt3as";
}

struct site {
	struct broker *broker;
	struct vd_loop *loop;
	struct vd_link *link;
	struct vd_link_config config;
	unsigned ups, downs, twins, desireds, reporteds, publisheds, methods, messages;
	int twin_status, reported_status, published_result;
	int64_t desired_version, reported_version, twin_a;
	uint64_t reported_id, published_id;
	char reason[256], method[64], rid[64], payload[128], bag[128];
	bool is_patch_clean;
};

static void on_up(void *argument, bool session_present)
{
	(void)session_present;
	((struct site *)argument)->ups++;
}

static void on_down(void *argument, const char *reason)
{
	struct site *s = argument;

	s->downs++;
	(void)snprintf(s->reason, sizeof s->reason, "%s", reason);
}

static void on_twin(void *argument, int status, const cJSON *twin)
{
	struct site *s = argument;

	s->twins++;
	s->twin_status = status;
	s->twin_a = vd_json_int(vd_json_object(twin, "desired"), "a", -1);
}

static void on_desired(void *argument, int64_t version, const cJSON *patch)
{
	struct site *s = argument;

	s->desireds++;
	s->desired_version = version;
	s->is_patch_clean = !vd_json_get(patch, "$version") && vd_json_int(patch, "b", 0) == 2;
}

static void on_reported(void *argument, uint64_t id, int status, int64_t version)
{
	struct site *s = argument;

	s->reporteds++;
	s->reported_id = id;
	s->reported_status = status;
	s->reported_version = version;
}

static void on_published(void *argument, uint64_t id, int result)
{
	struct site *s = argument;

	s->publisheds++;
	s->published_id = id;
	s->published_result = result;
}

static void on_method(void *argument, const char *rid, const char *name, const cJSON *payload)
{
	struct site *s = argument;

	s->methods++;
	(void)snprintf(s->rid, sizeof s->rid, "%s", rid);
	(void)snprintf(s->method, sizeof s->method, "%s", name);
	assert_int_equal(vd_json_int(payload, "x", 0), 1);
}

static void on_message(void *argument, const char *bag, const void *payload, size_t len)
{
	struct site *s = argument;

	s->messages++;
	(void)snprintf(s->bag, sizeof s->bag, "%s", bag);
	(void)snprintf(s->payload, sizeof s->payload, "%.*s", (int)len, (const char *)payload);
}

static const struct vd_link_handlers handlers = {
	on_up, on_down, on_twin, on_desired, on_reported, on_published, on_method, on_message
};

static struct site *make_site(const char *certified_name)
{
	struct site *s = calloc(1, sizeof *s);
	static char trust[256];

	assert_non_null(s);
	s->broker = broker_new(certified_name);
	assert_int_equal(vd_loop_new(&s->loop), 0);
	(void)snprintf(trust, sizeof trust, "%s", broker_path(s->broker, "ca.pem"));
	s->config = (struct vd_link_config){ .host = "localhost",
					     .port = (uint16_t)s->broker->tls_port,
					     .device_id = "d1",
					     .key = "c2VjcmV0",
					     .trust_file = trust,
					     .backoff_first_ms = 50,
					     .backoff_ceiling_ms = 200,
					     .connect_timeout_ms = 5000 };
	return s;
}

static int set_up(void **state)
{
	*state = make_site("localhost");
	return 0;
}

static int set_up_for_another_name(void **state)
{
	*state = make_site("other.example");
	return 0;
}

static int tear_down(void **state)
{
	struct site *s = *state;

	s->link = vd_link_free(s->link);
	s->loop = vd_loop_free(s->loop);
	broker_free(s->broker);
	free(s);
	return 0;
}

static void start(struct site *s)
{
	struct vd_fault fault = { 0 };

	if (vd_link_new(s->loop, &s->config, &handlers, s, &s->link, &fault) < 0)
		fail_msg("%s %s", fault.pointer, fault.text);
	assert_int_equal(vd_link_start(s->link), 0);
}

struct running {
	struct site *site;
	struct vd_source *timer;
	const unsigned *counter;
	unsigned wanted;
	uint64_t deadline_ms;
	bool is_late;
};

static void on_tick(void *argument)
{
	struct running *r = argument;

	r->is_late = vd_clock_mono_ms() > r->deadline_ms;
	if (r->is_late || (r->counter && *r->counter >= r->wanted))
		vd_loop_stop(r->site->loop, 0);
	else
		assert_int_equal(vd_timer_arm(r->timer, 2), 0);
}

/* Runs the loop until the counter is there, or for so long. */
static bool run(struct site *s, const unsigned *counter, unsigned wanted, uint64_t limit_ms)
{
	struct running r = { .site = s,
			     .counter = counter,
			     .wanted = wanted,
			     .deadline_ms = vd_clock_mono_ms() + limit_ms };

	assert_int_equal(vd_loop_timer(s->loop, on_tick, &r, &r.timer), 0);
	assert_int_equal(vd_timer_arm(r.timer, 1), 0);
	assert_int_equal(vd_loop_run(s->loop), 0);
	r.timer = vd_source_free(r.timer);
	return !r.is_late;
}

#define WAIT(site, counter, wanted)                                                                \
	do {                                                                                       \
		struct vd_link_status status_;                                                     \
		if (!run(site, &(site)->counter, wanted, 10000)) {                                 \
			vd_link_status((site)->link, &status_);                                    \
			fail_msg("%s is %u, not %u; %s: %s", #counter, (site)->counter,            \
				 (unsigned)(wanted), vd_link_state_name(status_.state),            \
				 status_.last_error);                                              \
		}                                                                                  \
	} while (0)

/* The kernel's word on every socket to the broker. */
static bool all_sockets_are_nodelay(int port)
{
	DIR *folder = opendir("/proc/self/fd");
	struct dirent *entry;
	bool all = false;

	while ((entry = readdir(folder))) {
		struct sockaddr_in peer = { 0 };
		socklen_t len = sizeof peer, on_len = sizeof(int);
		int fd = (int)strtol(entry->d_name, NULL, 10), on = 0;

		if (getpeername(fd, (struct sockaddr *)&peer, &len) < 0 ||
		    peer.sin_family != AF_INET || ntohs(peer.sin_port) != port)
			continue;
		(void)getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &on_len);
		all = on != 0;
		if (!all)
			break;
	}
	(void)closedir(folder);
	return all;
}

static void it_comes_up_over_tls_without_delay(void **state)
{
	struct site *s = *state;
	struct vd_link_status status;

	broker_start(s->broker, BROKER_ANONYMOUS);
	start(s);
	WAIT(s, ups, 1);
	vd_link_status(s->link, &status);
	assert_int_equal(status.state, VD_LINK_UP);
	assert_int_equal(status.connects, 1);
	assert_true(status.is_nodelay);
	assert_true(status.credential_expires_s > 0);
	assert_true(all_sockets_are_nodelay(s->broker->tls_port));
	vd_link_stop(s->link);
	assert_int_equal(s->downs, 1);
	assert_string_equal(s->reason, "stopped");
	assert_int_equal(vd_link_get_twin(s->link), -ENOTCONN);
}

static void telemetry_is_acknowledged_and_reaches_the_hub(void **state)
{
	struct site *s = *state;

	broker_start(s->broker, BROKER_ANONYMOUS);
	start(s);
	WAIT(s, ups, 1);
	assert_int_equal(vd_link_publish(s->link, 7, "%24.mid=b%3A1-2&class=verdict", "[1]", 3), 0);
	WAIT(s, publisheds, 1);
	assert_int_equal(s->published_id, 7);
	assert_int_equal(s->published_result, 0);
	WAIT(s, broker->events, 1);
	assert_string_equal(s->broker->events_topic,
			    "devices/d1/messages/events/%24.mid=b%3A1-2&class=verdict");
	assert_string_equal(s->broker->events_payload, "[1]");
	for (unsigned i = 0; i < 40; i++)
		assert_int_equal(vd_link_publish(s->link, 8 + i, "", "[2]", 3), 0);
	WAIT(s, publisheds, 41);
	assert_int_equal(s->published_id, 47); /* in order */
}

static void twin_method_and_message_come_and_go(void **state)
{
	struct site *s = *state;

	broker_start(s->broker, BROKER_ANONYMOUS);
	start(s);
	WAIT(s, ups, 1);
	assert_int_equal(vd_link_get_twin(s->link), 0);
	assert_int_equal(vd_link_get_twin(s->link), 0); /* shares the answer */
	WAIT(s, twins, 1);
	assert_int_equal(s->twin_status, 200);
	assert_int_equal(s->twin_a, 1);
	assert_int_equal(vd_link_report(s->link, 5, "{\"r\":1}", 7), 0);
	WAIT(s, reporteds, 1);
	assert_int_equal(s->reported_id, 5);
	assert_int_equal(s->reported_status, 204);
	assert_int_equal(s->reported_version, 2);
	broker_send(s->broker, "$iothub/twin/PATCH/properties/desired/?$version=4",
		    "{\"b\":2,\"$version\":4}");
	WAIT(s, desireds, 1);
	assert_int_equal(s->desired_version, 4);
	assert_true(s->is_patch_clean);
	broker_send(s->broker, "$iothub/methods/POST/learn/?$rid=m1", "{\"x\":1}");
	WAIT(s, methods, 1);
	assert_string_equal(s->method, "learn");
	assert_int_equal(vd_link_answer(s->link, s->rid, 200, "{\"ok\":true}"), 0);
	WAIT(s, broker->answers, 1);
	assert_string_equal(s->broker->answer_topic, "$iothub/methods/res/200/?$rid=m1");
	assert_string_equal(s->broker->answer_payload, "{\"ok\":true}");
	broker_send(s->broker, "devices/d1/messages/devicebound/%24.mid=1", "hello");
	WAIT(s, messages, 1);
	assert_string_equal(s->bag, "%24.mid=1");
	assert_string_equal(s->payload, "hello");
	assert_int_equal(s->twins, 1);
}

static void rubbish_from_the_hub_is_survived(void **state)
{
	struct site *s = *state;

	broker_start(s->broker, BROKER_ANONYMOUS);
	start(s);
	WAIT(s, ups, 1);
	broker_send(s->broker, "$iothub/twin/res/200/?$rid=", "{");
	broker_send(s->broker, "$iothub/twin/res/200/?$rid=4711", "{");
	broker_send(s->broker, "$iothub/twin/PATCH/properties/desired/?$version=4", "[1,2");
	broker_send(s->broker, "$iothub/twin/PATCH/properties/desired/?$version=4", "[1]");
	broker_send(s->broker, "devices/d1/messages/devicebound/", "end");
	WAIT(s, messages, 1);
	assert_int_equal(s->desireds + s->twins + s->reporteds, 0);
	assert_int_equal(s->downs, 0);
}

static void a_request_without_an_answer_times_out(void **state)
{
	struct site *s = *state;

	s->config.request_timeout_ms = 200;
	s->broker->is_mute = true;
	broker_start(s->broker, BROKER_ANONYMOUS);
	start(s);
	WAIT(s, ups, 1);
	assert_int_equal(vd_link_get_twin(s->link), 0);
	assert_int_equal(vd_link_report(s->link, 6, "{}", 2), 0);
	WAIT(s, twins, 1);
	WAIT(s, reporteds, 1);
	assert_int_equal(s->twin_status, 408);
	assert_int_equal(s->reported_status, 408);
	assert_int_equal(s->downs, 0);
}

static void a_certificate_for_another_host_is_refused(void **state)
{
	struct site *s = *state;
	struct vd_link_status status;

	broker_start(s->broker, BROKER_ANONYMOUS);
	start(s);
	assert_false(run(s, &s->ups, 1, 1000));
	vd_link_status(s->link, &status);
	assert_true(status.failures >= 2);
	assert_non_null(strstr(status.last_error, "the certificate is for another host"));
	assert_int_equal(s->broker->events, 0);
}

static void a_certificate_of_an_unknown_authority_is_refused(void **state)
{
	struct site *s = *state;
	struct vd_link_status status;

	s->config.trust_file = NULL; /* the system's */
	broker_start(s->broker, BROKER_ANONYMOUS);
	start(s);
	assert_false(run(s, &s->ups, 1, 1000));
	vd_link_status(s->link, &status);
	assert_string_equal(status.last_error, "connect: TLS: certificate verify failed");
}

static void tls_below_1_2_is_refused(void **state)
{
	struct site *s = *state;
	struct vd_link_status status;

	s->config.connect_timeout_ms = 400;
	broker_start_tls(s->broker, "-tls1_1");
	start(s);
	assert_false(run(s, &s->ups, 1, 1000));
	vd_link_status(s->link, &status);
	assert_memory_equal(status.last_error, "connect: TLS: ", 14);
	broker_stop(s->broker);
	broker_start_tls(s->broker, "-tls1_2"); /* gets past TLS, then nobody speaks MQTT */
	assert_false(run(s, &s->ups, 1, 2500));
	vd_link_status(s->link, &status);
	assert_string_equal(status.last_error, "connect: no answer in time");
}

static void a_refused_credential_is_named(void **state)
{
	struct site *s = *state;
	struct vd_link_status status;

	broker_start(s->broker, 0);
	start(s);
	assert_false(run(s, &s->ups, 1, 1000));
	vd_link_status(s->link, &status);
	assert_string_equal(status.last_error, "connect: the hub refuses the credential");
}

static void a_certificate_serves_as_credential(void **state)
{
	struct site *s = *state;
	struct vd_link_status status;
	char certificate[256], key[256];

	(void)snprintf(certificate, sizeof certificate, "%s", broker_path(s->broker, "client.pem"));
	(void)snprintf(key, sizeof key, "%s", broker_path(s->broker, "client.key"));
	s->config.key = NULL;
	s->config.certificate_file = certificate;
	s->config.key_file = key;
	broker_start(s->broker, BROKER_CLIENT_CERTIFICATES);
	start(s);
	WAIT(s, ups, 1);
	vd_link_status(s->link, &status);
	assert_int_equal(status.credential_expires_s, 0);
}

static void the_credential_is_renewed_before_it_expires(void **state)
{
	struct site *s = *state;

	s->config.token_lifetime_s = 2;
	broker_start(s->broker, BROKER_ANONYMOUS);
	start(s);
	WAIT(s, ups, 1);
	WAIT(s, ups, 2);
	assert_int_equal(s->downs, 1);
	assert_string_equal(s->reason, "the credential is renewed");
	assert_int_equal(vd_link_publish(s->link, 9, "", "[]", 2), 0);
	WAIT(s, publisheds, 1);
	assert_int_equal(s->published_result, 0);
}

static void it_comes_back_after_the_broker_did(void **state)
{
	struct site *s = *state;

	broker_start(s->broker, BROKER_ANONYMOUS);
	start(s);
	WAIT(s, ups, 1);
	broker_stop(s->broker);
	assert_true(vd_link_publish(s->link, 9, "", "[]", 2) == 0);
	WAIT(s, downs, 1);
	assert_int_equal(vd_link_publish(s->link, 10, "", "[]", 2), -ENOTCONN);
	assert_false(run(s, &s->ups, 2, 500));
	broker_start(s->broker, BROKER_ANONYMOUS);
	WAIT(s, ups, 2);
	assert_int_equal(vd_link_publish(s->link, 11, "", "[]", 2), 0);
	WAIT(s, broker->events, 1);
	assert_int_equal(s->downs, 1);
	/* What was under way when the connection went is not sent behind our back. */
	assert_false(run(s, &s->broker->events, 2, 300));
}

static int listen_and_never_answer(int port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons((uint16_t)port),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;

	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(listen(fd, 16), 0);
	return fd;
}

static void a_hub_that_never_answers_is_left_and_tried_again(void **state)
{
	struct site *s = *state;
	struct vd_link_status status;
	int listener = listen_and_never_answer(s->broker->tls_port);

	s->config.connect_timeout_ms = 300;
	start(s);
	assert_false(run(s, &s->ups, 1, 2500));
	vd_link_status(s->link, &status);
	assert_true(status.failures >= 2);
	assert_string_equal(status.last_error, "connect: no answer in time");
	assert_int_equal(close(listener), 0);
	broker_start(s->broker, BROKER_ANONYMOUS);
	WAIT(s, ups, 1);
}

static void a_link_is_freed_in_the_middle_of_an_attempt(void **state)
{
	struct site *s = *state;
	int listener = listen_and_never_answer(s->broker->tls_port);
	uint64_t before_ms;

	start(s);
	(void)run(s, NULL, 0, 100);
	before_ms = vd_clock_mono_ms();
	s->link = vd_link_free(s->link);
	assert_true(vd_clock_mono_ms() - before_ms < 5000);
	assert_int_equal(close(listener), 0);
}

static void a_bad_configuration_is_refused_with_its_place(void **state)
{
	struct site *s = *state;
	struct vd_fault fault = { 0 };
	struct vd_link_config c = s->config;

	c.host = "a/b";
	assert_int_equal(vd_link_new(s->loop, &c, &handlers, s, &s->link, &fault), -EINVAL);
	assert_string_equal(fault.pointer, "/host");
	c = s->config;
	c.device_id = "a/b";
	assert_int_equal(vd_link_new(s->loop, &c, &handlers, s, &s->link, &fault), -EINVAL);
	assert_string_equal(fault.pointer, "/deviceId");
	c = s->config;
	c.key = "not base64!";
	assert_int_equal(vd_link_new(s->loop, &c, &handlers, s, &s->link, &fault), -EINVAL);
	assert_string_equal(fault.pointer, "/key");
	c = s->config;
	c.key = NULL;
	assert_int_equal(vd_link_new(s->loop, &c, &handlers, s, &s->link, &fault), -EINVAL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(it_comes_up_over_tls_without_delay),
		TEST(telemetry_is_acknowledged_and_reaches_the_hub),
		TEST(twin_method_and_message_come_and_go),
		TEST(rubbish_from_the_hub_is_survived),
		TEST(a_request_without_an_answer_times_out),
		cmocka_unit_test_setup_teardown(a_certificate_for_another_host_is_refused,
						set_up_for_another_name, tear_down),
		TEST(a_certificate_of_an_unknown_authority_is_refused),
		TEST(tls_below_1_2_is_refused),
		TEST(a_refused_credential_is_named),
		TEST(a_certificate_serves_as_credential),
		TEST(the_credential_is_renewed_before_it_expires),
		TEST(it_comes_back_after_the_broker_did),
		TEST(a_hub_that_never_answers_is_left_and_tried_again),
		TEST(a_link_is_freed_in_the_middle_of_an_attempt),
		TEST(a_bad_configuration_is_refused_with_its_place),
	};
	int failed;

	(void)mosquitto_lib_init();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	(void)mosquitto_lib_cleanup();
	return failed;
}
