/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/cloud/wire.h"

#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <MQTTAsync.h>

#include "base/log.h"

enum { INBOX_BYTES = 4 << 20, FREE_PATIENCE_S = 3 };

enum order_type { ORDER_OPEN, ORDER_CLOSE, ORDER_SUBSCRIBE, ORDER_PUBLISH, ORDER_QUIT };

/* One allocation: the texts stand behind the struct. */
struct order {
	struct order *next;
	enum order_type type;
	unsigned generation;
	struct vd_wire_target target;
	char *const *filters;
	int qos[VD_WIRE_FILTERS];
	size_t count;
	const char *topic;
	const void *payload;
	size_t len;
	uint64_t id;
	char texts[];
};

struct news {
	struct news *next;
	unsigned generation;
	struct vd_wire_event event;
	char texts[];
};

/* A publish under way: what paho's callbacks are given. */
struct slot {
	struct vd_wire *wire;
	uint64_t id;
	unsigned generation;
	bool is_used;
};

struct vd_wire {
	struct vd_source *source;
	int wake_fd;
	vd_wire_fn fn;
	void *argument;
	unsigned generation; /* of the connection the loop's thread believes in */
	pthread_t thread;
	pthread_mutex_t lock; /* never held while a function of paho runs */
	pthread_cond_t wake;
	struct order *orders, **orders_end;
	struct news *inbox, **inbox_end;
	size_t inbox_bytes;
	struct slot slots[VD_WIRE_WINDOW];
	size_t slots_used;
	/* The thread's own. */
	MQTTAsync client;
	uint16_t port;
	/* Of the client's life: read by callbacks, changed while there is none. */
	unsigned client_generation;
	char tls_error[192];
};

/* --- the inbox: called from paho's threads --- */

static struct news *make_news(const struct vd_wire_event *event)
{
	size_t text_len = event->text ? strlen(event->text) + 1 : 0;
	struct news *n = malloc(sizeof *n + text_len + event->topic_len + event->len);
	char *at;

	if (!n)
		return NULL;
	*n = (struct news){ .event = *event };
	at = n->texts;
	if (event->text)
		n->event.text = memcpy(at, event->text, text_len);
	at += text_len;
	if (event->topic_len)
		n->event.topic = memcpy(at, event->topic, event->topic_len);
	at += event->topic_len;
	if (event->len)
		n->event.payload = memcpy(at, event->payload, event->len);
	return n;
}

/* False: no room, or no memory. */
static bool post(struct vd_wire *wire, unsigned generation, const struct vd_wire_event *event)
{
	struct news *n = make_news(event);
	uint64_t one = 1;
	bool fits;

	if (!n)
		return false;
	n->generation = generation;
	(void)pthread_mutex_lock(&wire->lock);
	fits = event->type != VD_WIRE_ARRIVED || wire->inbox_bytes + event->len <= INBOX_BYTES;
	if (fits) {
		wire->inbox_bytes += event->len;
		*wire->inbox_end = n;
		wire->inbox_end = &n->next;
	}
	(void)pthread_mutex_unlock(&wire->lock);
	if (!fits)
		free(n);
	(void)!write(wire->wake_fd, &one, sizeof one);
	return fits;
}

static void post_lost(struct vd_wire *wire, const char *what, int code, const char *message)
{
	struct vd_wire_event event = { .type = VD_WIRE_LOST };
	char text[256];

	if (!message)
		message = code == MQTTASYNC_SUCCESS ? "" : MQTTAsync_strerror(code);
	/* Paho's words for both; a wrong name is the one failure of which OpenSSL knows nothing. */
	if (message && strcmp(message, "TCP/TLS connect failure") == 0)
		message = *wire->tls_error
				  ? "TLS"
				  : "no TCP connection, or the certificate is for another host";
	(void)snprintf(text, sizeof text, "%s%s%s%s%s", what, message ? ": " : "",
		       message ? message : "", *wire->tls_error ? ": " : "", wire->tls_error);
	event.text = text;
	(void)post(wire, wire->client_generation, &event);
}

/* --- paho's callbacks: they copy and wake, and call nothing of paho but its free functions --- */

/* "THREAD:error:0A000086:SSL routines:FUNCTION:certificate verify failed:FILE:LINE:": the fifth. */
static int tls_error(const char *text, size_t len, void *argument)
{
	struct vd_wire *wire = argument;
	const char *at = text;

	for (int i = 0; i < 5 && at; i++) {
		at = memchr(at, ':', len - (size_t)(at - text));
		at = at ? at + 1 : NULL;
	}
	if (at)
		(void)snprintf(wire->tls_error, sizeof wire->tls_error, "%.*s",
			       (int)strcspn(at, ":\n"), at);
	return 1;
}

static bool is_peer_port(int fd, uint16_t port)
{
	struct sockaddr_storage peer = { 0 };
	socklen_t len = sizeof peer;

	if (getpeername(fd, (struct sockaddr *)&peer, &len) < 0)
		return false;
	if (peer.ss_family == AF_INET6)
		return ntohs(((struct sockaddr_in6 *)&peer)->sin6_port) == port;
	return peer.ss_family == AF_INET && ntohs(((struct sockaddr_in *)&peer)->sin_port) == port;
}

/*
 * Paho neither sets TCP_NODELAY nor tells its socket, and without it a twin round trip takes 90 ms
 * instead of one: so every socket of ours whose peer has the hub's port gets it.
 */
static bool set_nodelay(uint16_t port)
{
	DIR *folder = opendir("/proc/self/fd");
	struct dirent *entry;
	bool is_set = false;

	while (folder && (entry = readdir(folder))) {
		int fd = (int)strtol(entry->d_name, NULL, 10), on = 1;

		if (entry->d_name[0] != '.' && is_peer_port(fd, port) &&
		    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0)
			is_set = true;
	}
	if (folder)
		(void)closedir(folder);
	return is_set;
}

static void on_connected(void *context, MQTTAsync_successData *data)
{
	struct vd_wire *wire = context;
	struct vd_wire_event event = { .type = VD_WIRE_CONNECTED,
				       .flag = data && data->alt.connect.sessionPresent,
				       .is_nodelay = set_nodelay(wire->port) };

	(void)post(wire, wire->client_generation, &event);
}

static const char *refusal(int code)
{
	static const char *const texts[] = {
		[1] = "the hub refuses this version of MQTT",
		[2] = "the hub refuses the client's name",
		[3] = "the hub is not available",
		[4] = "the hub refuses the credential",
		[5] = "the hub refuses the credential",
	};

	return code > 0 && code < (int)VD_COUNT(texts) ? texts[code] : NULL;
}

static void on_connect_failure(void *context, MQTTAsync_failureData *data)
{
	int code = data ? data->code : 0;
	const char *text = refusal(code);

	post_lost(context, "connect", code, text ? text : data ? data->message : NULL);
}

static void on_lost(void *context, char *cause)
{
	post_lost(context, "connection lost", 0,
		  cause ? cause : "closed by the hub, or no answer to a ping");
}

static void on_subscribed(void *context, MQTTAsync_successData *data)
{
	struct vd_wire *wire = context;
	struct vd_wire_event event = { .type = VD_WIRE_SUBSCRIBED };

	for (int i = 0; data && data->alt.qosList && i < VD_WIRE_FILTERS; i++) {
		if (data->alt.qosList[i] == 0x80) {
			post_lost(wire, "subscribe", 0, "the hub refuses a topic");
			return;
		}
	}
	(void)post(wire, wire->client_generation, &event);
}

static void on_subscribe_failure(void *context, MQTTAsync_failureData *data)
{
	post_lost(context, "subscribe", data ? data->code : 0, data ? data->message : NULL);
}

static int on_arrived(void *context, char *topic, int topic_len, MQTTAsync_message *message)
{
	struct vd_wire *wire = context;
	struct vd_wire_event event = { .type = VD_WIRE_ARRIVED,
				       .topic = topic,
				       .topic_len =
					       topic_len > 0 ? (size_t)topic_len : strlen(topic),
				       .payload = message->payload,
				       .len = (size_t)message->payloadlen };

	if (!post(wire, wire->client_generation, &event))
		return 0; /* paho keeps it and asks again */
	MQTTAsync_freeMessage(&message);
	MQTTAsync_free(topic);
	return 1;
}

static void end_slot(struct slot *slot, bool is_sent)
{
	struct vd_wire *wire = slot->wire;
	struct vd_wire_event event = { .type = is_sent ? VD_WIRE_SENT : VD_WIRE_NOT_SENT };
	unsigned generation;

	(void)pthread_mutex_lock(&wire->lock);
	event.id = slot->id;
	generation = slot->generation;
	slot->is_used = false;
	wire->slots_used--;
	(void)pthread_mutex_unlock(&wire->lock);
	(void)post(wire, generation, &event);
}

static void on_sent(void *context, MQTTAsync_successData *data)
{
	(void)data;
	end_slot(context, true);
}

static void on_not_sent(void *context, MQTTAsync_failureData *data)
{
	(void)data;
	end_slot(context, false);
}

/* --- the thread: the only place where paho's functions are called --- */

static MQTTAsync create_client(struct vd_wire *wire, const struct vd_wire_target *t)
{
	MQTTAsync_createOptions options = MQTTAsync_createOptions_initializer;
	MQTTAsync client = NULL;
	char uri[320];

	options.MQTTVersion = MQTTVERSION_3_1_1;
	options.sendWhileDisconnected = 0;
	(void)snprintf(uri, sizeof uri, strchr(t->host, ':') ? "ssl://[%s]:%u" : "ssl://%s:%u",
		       t->host, t->port);
	if (MQTTAsync_createWithOptions(&client, uri, t->client_id, MQTTCLIENT_PERSISTENCE_NONE,
					NULL, &options) != MQTTASYNC_SUCCESS)
		return NULL;
	if (MQTTAsync_setCallbacks(client, wire, on_lost, on_arrived, NULL) == MQTTASYNC_SUCCESS)
		return client;
	MQTTAsync_destroy(&client);
	return NULL;
}

/* What paho still held of the old client's publishes will not be answered any more. */
static void forget_slots(struct vd_wire *wire)
{
	(void)pthread_mutex_lock(&wire->lock);
	for (size_t i = 0; i < VD_WIRE_WINDOW; i++)
		wire->slots[i].is_used = false;
	wire->slots_used = 0;
	(void)pthread_mutex_unlock(&wire->lock);
}

static void close_client(struct vd_wire *wire)
{
	if (!wire->client)
		return;
	MQTTAsync_destroy(&wire->client); /* says DISCONNECT when it is connected */
	wire->client = NULL;
	forget_slots(wire);
}

/*
 * SECLEVEL 2 excludes TLS below 1.2 and weak keys; paho's own constant for 1.2 would exclude 1.3.
 * verify makes paho compare the host's name with the certificate.
 */
static void set_tls(MQTTAsync_SSLOptions *tls, struct vd_wire *wire, const struct vd_wire_target *t)
{
	tls->trustStore = t->trust_file;
	tls->keyStore = t->certificate_file;
	tls->privateKey = t->key_file;
	tls->enabledCipherSuites = "DEFAULT@SECLEVEL=2";
	tls->enableServerCertAuth = 1;
	tls->verify = 1;
	tls->ssl_error_cb = tls_error;
	tls->ssl_error_context = wire;
}

static void open_client(struct vd_wire *wire, const struct order *order)
{
	MQTTAsync_connectOptions options = MQTTAsync_connectOptions_initializer;
	MQTTAsync_SSLOptions tls = MQTTAsync_SSLOptions_initializer;
	const struct vd_wire_target *t = &order->target;
	MQTTAsync client = create_client(wire, t);
	int rc;

	/* Only now the old one: with a client at all times paho's threads need not stop and start. */
	close_client(wire);
	wire->client = client;
	wire->client_generation = order->generation;
	wire->port = t->port;
	wire->tls_error[0] = '\0';
	if (!client) {
		post_lost(wire, "connect", 0, "out of memory");
		return;
	}
	set_tls(&tls, wire, t);
	options.ssl = &tls;
	options.MQTTVersion = MQTTVERSION_3_1_1; /* the default tries 3.1 after every failure */
	options.cleansession = 0;
	options.keepAliveInterval = (int)t->keepalive_s;
	options.connectTimeout = (int)t->timeout_s;
	options.maxInflight = VD_WIRE_WINDOW;
	options.username = t->user_name;
	options.password = t->password;
	options.context = wire;
	options.onSuccess = on_connected;
	options.onFailure = on_connect_failure;
	rc = MQTTAsync_connect(client, &options);
	if (rc != MQTTASYNC_SUCCESS)
		post_lost(wire, "connect", rc, NULL);
}

static void subscribe(struct vd_wire *wire, struct order *order)
{
	MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;
	int rc;

	options.context = wire;
	options.onSuccess = on_subscribed;
	options.onFailure = on_subscribe_failure;
	rc = MQTTAsync_subscribeMany(wire->client, (int)order->count, order->filters, order->qos,
				     &options);
	if (rc != MQTTASYNC_SUCCESS)
		post_lost(wire, "subscribe", rc, NULL);
}

static struct slot *take_slot(struct vd_wire *wire, const struct order *order)
{
	struct slot *slot = NULL;

	(void)pthread_mutex_lock(&wire->lock);
	for (size_t i = 0; i < VD_WIRE_WINDOW && !slot; i++)
		if (!wire->slots[i].is_used)
			slot = &wire->slots[i];
	if (slot) {
		*slot = (struct slot){ wire, order->id, order->generation, true };
		wire->slots_used++;
	}
	(void)pthread_mutex_unlock(&wire->lock);
	return slot;
}

static void publish(struct vd_wire *wire, const struct order *order)
{
	MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;
	struct slot *slot = order->qos[0] ? take_slot(wire, order) : NULL;
	struct vd_wire_event not_sent = { .type = VD_WIRE_NOT_SENT, .id = order->id };

	options.context = slot;
	options.onSuccess = slot ? on_sent : NULL;
	options.onFailure = slot ? on_not_sent : NULL;
	if (order->qos[0] && !slot)
		(void)post(wire, order->generation, &not_sent);
	else if (MQTTAsync_send(wire->client, order->topic, (int)order->len, order->payload,
				order->qos[0], 0, &options) != MQTTASYNC_SUCCESS &&
		 slot)
		end_slot(slot, false);
}

/* Orders for a connection that is no more are dropped. */
static void carry_out(struct vd_wire *wire, struct order *order)
{
	if (order->type == ORDER_OPEN)
		open_client(wire, order);
	else if (order->type == ORDER_CLOSE || order->type == ORDER_QUIT)
		close_client(wire);
	else if (!wire->client || order->generation != wire->client_generation)
		return;
	else if (order->type == ORDER_SUBSCRIBE)
		subscribe(wire, order);
	else
		publish(wire, order);
}

static struct order *next_order(struct vd_wire *wire)
{
	struct order *order;

	(void)pthread_mutex_lock(&wire->lock);
	while (!wire->orders)
		(void)pthread_cond_wait(&wire->wake, &wire->lock);
	order = wire->orders;
	wire->orders = order->next;
	if (!wire->orders)
		wire->orders_end = &wire->orders;
	(void)pthread_mutex_unlock(&wire->lock);
	return order;
}

static void *run_thread(void *argument)
{
	struct vd_wire *wire = argument;
	enum order_type type;

	(void)pthread_setname_np(pthread_self(), "vd-link");
	do {
		struct order *order = next_order(wire);

		type = order->type;
		carry_out(wire, order);
		free(order);
	} while (type != ORDER_QUIT);
	return NULL;
}

/* --- the loop's side --- */

static void give(struct vd_wire *wire, struct order *order)
{
	order->next = NULL;
	order->generation = wire->generation;
	(void)pthread_mutex_lock(&wire->lock);
	*wire->orders_end = order;
	wire->orders_end = &order->next;
	(void)pthread_cond_signal(&wire->wake);
	(void)pthread_mutex_unlock(&wire->lock);
}

static void on_wake(int fd, int ready, void *argument)
{
	struct vd_wire *wire = argument;
	struct news *news;
	uint64_t count;

	(void)ready;
	(void)!read(fd, &count, sizeof count);
	(void)pthread_mutex_lock(&wire->lock);
	news = wire->inbox;
	wire->inbox = NULL;
	wire->inbox_end = &wire->inbox;
	wire->inbox_bytes = 0;
	(void)pthread_mutex_unlock(&wire->lock);
	while (news) {
		struct news *next = news->next;

		if (news->generation == wire->generation)
			wire->fn(wire->argument, &news->event);
		free(news);
		news = next;
	}
}

int vd_wire_new(struct vd_loop *loop, vd_wire_fn fn, void *argument, struct vd_wire **ret_wire)
{
	struct vd_wire *wire = calloc(1, sizeof *wire);
	int r = 0;

	if (!wire)
		return -ENOMEM;
	wire->fn = fn;
	wire->argument = argument;
	wire->orders_end = &wire->orders;
	wire->inbox_end = &wire->inbox;
	(void)pthread_mutex_init(&wire->lock, NULL);
	(void)pthread_cond_init(&wire->wake, NULL);
	wire->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (wire->wake_fd < 0)
		r = -errno;
	if (r == 0)
		r = vd_loop_fd(loop, wire->wake_fd, VD_READABLE, on_wake, wire, &wire->source);
	if (r == 0)
		r = -pthread_create(&wire->thread, NULL, run_thread, wire);
	if (r < 0) {
		wire->source = vd_source_free(wire->source);
		vd_close(&wire->wake_fd);
		free(wire);
		return r;
	}
	*ret_wire = wire;
	return 0;
}

static void free_rest(struct vd_wire *wire)
{
	while (wire->orders) {
		struct order *next = wire->orders->next;

		free(wire->orders);
		wire->orders = next;
	}
	while (wire->inbox) {
		struct news *next = wire->inbox->next;

		free(wire->inbox);
		wire->inbox = next;
	}
	vd_close(&wire->wake_fd);
	(void)pthread_cond_destroy(&wire->wake);
	(void)pthread_mutex_destroy(&wire->lock);
	free(wire);
}

struct vd_wire *vd_wire_free(struct vd_wire *wire)
{
	struct order *quit = calloc(1, sizeof *quit);
	struct timespec deadline;

	wire->source = vd_source_free(wire->source);
	wire->generation++;
	(void)clock_gettime(CLOCK_REALTIME, &deadline);
	deadline.tv_sec += FREE_PATIENCE_S;
	if (quit) {
		quit->type = ORDER_QUIT;
		give(wire, quit);
	}
	if (quit && pthread_timedjoin_np(wire->thread, NULL, &deadline) == 0) {
		free_rest(wire);
		return NULL;
	}
	/* Paho is inside a name server's time-out: its thread keeps what it uses. */
	vd_log(VD_WARN, "link.thread-left", "reason=\"paho does not return\"");
	(void)pthread_detach(wire->thread);
	return NULL;
}

static char *put_text(char **at, const char *text)
{
	size_t size = text ? strlen(text) + 1 : 0;
	char *copy = text ? memcpy(*at, text, size) : NULL;

	*at += size;
	return copy;
}

int vd_wire_open(struct vd_wire *wire, const struct vd_wire_target *t)
{
	const char *texts[] = { t->host,       t->client_id, t->user_name,       t->password,
				t->trust_file, t->key_file,  t->certificate_file };
	struct order *order;
	size_t size = 0;
	char *at;

	for (size_t i = 0; i < VD_COUNT(texts); i++)
		size += texts[i] ? strlen(texts[i]) + 1 : 0;
	order = calloc(1, sizeof *order + size);
	if (!order)
		return -ENOMEM;
	at = order->texts;
	order->type = ORDER_OPEN;
	order->target = *t;
	order->target.host = put_text(&at, t->host);
	order->target.client_id = put_text(&at, t->client_id);
	order->target.user_name = put_text(&at, t->user_name);
	order->target.password = put_text(&at, t->password);
	order->target.trust_file = put_text(&at, t->trust_file);
	order->target.key_file = put_text(&at, t->key_file);
	order->target.certificate_file = put_text(&at, t->certificate_file);
	wire->generation++;
	give(wire, order);
	return 0;
}

void vd_wire_close(struct vd_wire *wire)
{
	struct order *order = calloc(1, sizeof *order);

	wire->generation++; /* even without memory for the order nothing is heard of it any more */
	if (!order)
		return;
	order->type = ORDER_CLOSE;
	give(wire, order);
}

int vd_wire_subscribe(struct vd_wire *wire, char *const *filters, const int *qos, size_t count)
{
	struct order *order = calloc(1, sizeof *order);

	if (!order)
		return -ENOMEM;
	order->type = ORDER_SUBSCRIBE;
	order->filters = filters;
	order->count = count;
	memcpy(order->qos, qos, count * sizeof *qos);
	give(wire, order);
	return 0;
}

int vd_wire_publish(struct vd_wire *wire, const char *topic, const void *payload, size_t len,
		    int qos, uint64_t id)
{
	size_t topic_size = strlen(topic) + 1;
	struct order *order = malloc(sizeof *order + topic_size + len);

	if (!order)
		return -ENOMEM;
	*order = (struct order){ .type = ORDER_PUBLISH, .qos = { qos }, .len = len, .id = id };
	order->topic = memcpy(order->texts, topic, topic_size);
	order->payload = order->texts + topic_size;
	if (len)
		memcpy(order->texts + topic_size, payload, len);
	give(wire, order);
	return 0;
}
