/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/ctl/client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <curl/curl.h>

#include "base/sas.h"
#include "base/version.h"
#include "twin/ctl/ctl.h"
#include "twin/ctl/sse.h"

enum {
	TOKEN_S = 3600,
	CONNECT_S = 10,
	CALL_S = 30,
	ANSWER_BYTES = 64 << 20,
	SILENCE_S = 60,
	UPLOAD_S = 3600
};

struct vd_client {
	const struct vd_connection *connection;
	CURL *curl;
	struct curl_slist *connect_to;
	char error[CURL_ERROR_SIZE];
	bool is_local; /* on the hub's socket */
	const char *ca, *socket;
};

static struct curl_slist *list_free(struct curl_slist *list)
{
	curl_slist_free_all(list);
	return NULL;
}
VD_DEFINE_CLEANUP(struct curl_slist, list_free)

int vd_client_new(const struct vd_client_options *options, struct vd_client **ret_client)
{
	VD_CLEANUP(vd_client_free) struct vd_client *client = calloc(1, sizeof *client);
	char text[300];

	if (!client || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return -ENOMEM;
	client->connection = options->connection;
	client->ca = options->ca;
	client->socket = options->socket;
	client->is_local = options->socket != NULL;
	client->curl = curl_easy_init();
	if (options->connect_to) {
		(void)snprintf(text, sizeof text, "::%s", options->connect_to);
		client->connect_to = curl_slist_append(NULL, text);
	}
	if (!client->curl || (options->connect_to && !client->connect_to))
		return -ENOMEM;
	*ret_client = VD_TAKE(client);
	return 0;
}

struct vd_client *vd_client_free(struct vd_client *client)
{
	if (client) {
		curl_easy_cleanup(client->curl);
		curl_slist_free_all(client->connect_to);
		curl_global_cleanup();
		free(client);
	}
	return NULL;
}

int vd_client_escape(struct vd_client *client, const char *text, struct vd_buf *out)
{
	char *escaped = curl_easy_escape(client->curl, text, (int)strlen(text));
	int r = escaped ? vd_buf_append(out, escaped, strlen(escaped)) : -ENOMEM;

	curl_free(escaped);
	return r;
}

static int add_header(struct curl_slist **list, const char *name, const char *value)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf text = { 0 };
	struct curl_slist *longer;

	if (vd_buf_printf(&text, "%s: %s", name, value) < 0)
		return -ENOMEM;
	longer = curl_slist_append(*list, text.data);
	if (!longer)
		return -ENOMEM;
	*list = longer;
	return 0;
}

static int add_token(struct vd_client *client, struct curl_slist **headers)
{
	const struct vd_connection *c = client->connection;
	VD_CLEANUP(vd_buf_fini) struct vd_buf token = { 0 };
	int r = vd_sas_make(c->host, c->key, c->policy, time(NULL) + TOKEN_S, &token);

	if (r < 0) {
		(void)fputs(
			"vedettectl: the SharedAccessKey of the connection string is not base64\n",
			stderr);
		return r;
	}
	return add_header(headers, "Authorization", token.data);
}

static int set_target(struct vd_client *client, const char *path)
{
	VD_CLEANUP(vd_buf_fini) struct vd_buf url = { 0 };

	curl_easy_reset(client->curl);
	client->error[0] = '\0';
	if (vd_buf_printf(&url, "%s://%s%s%sapi-version=2021-04-12",
			  client->is_local ? "http" : "https", client->connection->host, path,
			  strchr(path, '?') ? "&" : "?") < 0)
		return -ENOMEM;
	(void)curl_easy_setopt(client->curl, CURLOPT_URL, url.data);
	(void)curl_easy_setopt(client->curl, CURLOPT_PROTOCOLS_STR,
			       client->is_local ? "http" : "https");
	(void)curl_easy_setopt(client->curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	(void)curl_easy_setopt(client->curl, CURLOPT_ERRORBUFFER, client->error);
	(void)curl_easy_setopt(client->curl, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(client->curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S);
	(void)curl_easy_setopt(client->curl, CURLOPT_USERAGENT, "vedettectl/" VD_VERSION);
	if (client->ca)
		(void)curl_easy_setopt(client->curl, CURLOPT_CAINFO, client->ca);
	if (client->connect_to)
		(void)curl_easy_setopt(client->curl, CURLOPT_CONNECT_TO, client->connect_to);
	if (client->socket)
		(void)curl_easy_setopt(client->curl, CURLOPT_UNIX_SOCKET_PATH, client->socket);
	return 0;
}

static size_t collect(char *bytes, size_t one, size_t len, void *argument)
{
	return vd_buf_append(argument, bytes, len) == 0 ? len : 0;
}

static int exit_of_status(long status, const char *name)
{
	if (strcmp(name, "DeviceNotOnline") == 0)
		return VD_EXIT_FAILED;
	switch (status) {
	case 401:
	case 403:
		return VD_EXIT_UNAUTHORIZED;
	case 404:
		return VD_EXIT_NOT_FOUND;
	case 409:
	case 412:
		return VD_EXIT_CONFLICT;
	case 502: /* the front's, when the hub is away; the hub's own is a bad answer */
		return strcmp(name, "BadDeviceResponse") == 0 ? VD_EXIT_FAILED
							      : VD_EXIT_UNREACHABLE;
	case 503:
		return VD_EXIT_UNREACHABLE;
	case 504:
		return VD_EXIT_TIMED_OUT;
	default:
		return VD_EXIT_FAILED;
	}
}

/* "ErrorCode:DeviceNotFound;there is no device d9" -> name and text. */
static void split_message(const char *message, char *name, size_t name_size, const char **ret_text)
{
	size_t len = strcspn(message, ";");
	const char *colon = memchr(message, ':', len);

	name[0] = '\0';
	*ret_text = message;
	if (!message[len] || !colon)
		return;
	(void)snprintf(name, name_size, "%.*s", (int)(len - (size_t)(colon + 1 - message)),
		       colon + 1);
	*ret_text = message + len + 1;
}

static int say_refused(const struct vd_request *request, long status, const char *answer,
		       size_t len)
{
	VD_CLEANUP(vd_json_free) cJSON *json = NULL;
	char name[64] = "";
	const char *text = "no reason given";
	int code;

	if (vd_json_parse(answer, len, &json, NULL) == 0)
		split_message(vd_json_string(json, "Message", text), name, sizeof name, &text);
	code = exit_of_status(status, name);
	if (code == VD_EXIT_NOT_FOUND && request->is_quiet)
		return code;
	(void)fprintf(stderr, "vedettectl: %s %s: %s (%ld%s%s)\n", request->method, request->path,
		      text, status, name[0] ? " " : "", name);
	return code;
}

static int say_unreachable(const struct vd_client *client, CURLcode code)
{
	bool is_late = code == CURLE_OPERATION_TIMEDOUT;

	(void)fprintf(
		stderr, "vedettectl: the hub %s cannot be reached: %s\n", client->connection->host,
		client->error[0] ? client->error
				 : (is_late ? "no answer in time" : curl_easy_strerror(code)));
	return VD_EXIT_UNREACHABLE;
}

static int run_call(struct vd_client *client, const struct vd_request *request, const char *body,
		    struct curl_slist *headers, struct vd_buf *answer)
{
	long status = 0;
	CURLcode code;

	(void)curl_easy_setopt(client->curl, CURLOPT_CUSTOMREQUEST, request->method);
	(void)curl_easy_setopt(client->curl, CURLOPT_HTTPHEADER, headers);
	if (body)
		(void)curl_easy_setopt(client->curl, CURLOPT_POSTFIELDS, body);
	(void)curl_easy_setopt(client->curl, CURLOPT_WRITEFUNCTION, collect);
	(void)curl_easy_setopt(client->curl, CURLOPT_WRITEDATA, answer);
	(void)curl_easy_setopt(client->curl, CURLOPT_TIMEOUT,
			       (long)(request->timeout_s ? request->timeout_s : CALL_S));
	code = curl_easy_perform(client->curl);
	if (code != CURLE_OK)
		return say_unreachable(client, code);
	(void)curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status / 100 != 2)
		return say_refused(request, status, answer->len ? answer->data : "", answer->len);
	return VD_EXIT_OK;
}

static int make_headers(struct vd_client *client, const struct vd_request *request,
			struct curl_slist **ret_headers)
{
	int r = add_token(client, ret_headers);

	if (r == 0 && request->if_match)
		r = add_header(ret_headers, "If-Match", request->if_match);
	if (r == 0 && request->body)
		r = add_header(ret_headers, "Content-Type", "application/json; charset=utf-8");
	return r == 0 ? add_header(ret_headers, "Expect", "") : r;
}

int vd_client_call(struct vd_client *client, const struct vd_request *request, cJSON **ret_json)
{
	VD_CLEANUP(list_free) struct curl_slist *headers = NULL;
	VD_CLEANUP(vd_free) char *body = request->body ? vd_json_text(request->body) : NULL;
	VD_CLEANUP(vd_buf_fini) struct vd_buf answer = { .limit = ANSWER_BYTES };
	struct vd_fault fault = { 0 };
	int r;

	if ((request->body && !body) || set_target(client, request->path) < 0 ||
	    make_headers(client, request, &headers) < 0)
		return VD_EXIT_FAILED;
	r = run_call(client, request, body, headers, &answer);
	if (r != VD_EXIT_OK || !ret_json)
		return r;
	*ret_json = NULL;
	if (answer.len && vd_json_parse(answer.data, answer.len, ret_json, &fault) < 0) {
		(void)fprintf(stderr, "vedettectl: %s %s: the answer is not JSON: %s\n",
			      request->method, request->path, fault.text);
		return VD_EXIT_FAILED;
	}
	return VD_EXIT_OK;
}

int vd_client_get_bytes(struct vd_client *client, const char *path, struct vd_buf *out)
{
	VD_CLEANUP(list_free) struct curl_slist *headers = NULL;
	const struct vd_request request = { "GET", path, .timeout_s = UPLOAD_S, .is_quiet = true };

	if (set_target(client, path) < 0 || add_token(client, &headers) < 0)
		return VD_EXIT_FAILED;
	return run_call(client, &request, NULL, headers, out);
}

static size_t read_on(char *bytes, size_t one, size_t len, void *argument)
{
	return fread(bytes, one, len, argument);
}

static int send_file(struct vd_client *client, const char *path, FILE *file)
{
	VD_CLEANUP(list_free) struct curl_slist *headers = NULL;
	VD_CLEANUP(vd_buf_fini) struct vd_buf answer = { .limit = ANSWER_BYTES };
	const struct vd_request request = { "PUT", path, .timeout_s = UPLOAD_S };
	struct stat status;

	if (fstat(fileno(file), &status) < 0 || set_target(client, path) < 0 ||
	    add_token(client, &headers) < 0 ||
	    add_header(&headers, "Content-Type", "application/octet-stream") < 0)
		return VD_EXIT_FAILED;
	(void)curl_easy_setopt(client->curl, CURLOPT_UPLOAD, 1L);
	(void)curl_easy_setopt(client->curl, CURLOPT_READFUNCTION, read_on);
	(void)curl_easy_setopt(client->curl, CURLOPT_READDATA, file);
	(void)curl_easy_setopt(client->curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)status.st_size);
	return run_call(client, &request, NULL, headers, &answer);
}

int vd_client_put_file(struct vd_client *client, const char *path, const char *file)
{
	FILE *stream = fopen(file, "rbe");
	int r;

	if (!stream) {
		(void)fprintf(stderr, "vedettectl: %s: %s\n", file, strerror(errno));
		return VD_EXIT_FAILED;
	}
	r = send_file(client, path, stream);
	(void)fclose(stream);
	return r;
}

struct stream {
	struct vd_client *client;
	struct vd_sse sse;
	struct vd_buf refusal; /* the answer, when it is none of events */
	vd_event_fn on_event;
	void *argument;
	bool is_ended, is_open;
};

static size_t feed_stream(char *bytes, size_t one, size_t len, void *argument)
{
	struct stream *stream = argument;
	long status = 0;

	(void)curl_easy_getinfo(stream->client->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status != 200)
		return vd_buf_append(&stream->refusal, bytes, len) == 0 ? len : 0;
	stream->is_open = true;
	stream->is_ended =
		vd_sse_feed(&stream->sse, bytes, len, stream->on_event, stream->argument) != 0;
	return stream->is_ended ? 0 : len;
}

static int run_stream(struct stream *stream, const char *path)
{
	const struct vd_request request = { .method = "GET", .path = path };
	CURL *curl = stream->client->curl;
	long status = 0;
	CURLcode code;

	(void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, feed_stream);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, stream);
	/* The hub sends a comment every 15 s: a minute of silence is a dead line. */
	(void)curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
	(void)curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)SILENCE_S);
	code = curl_easy_perform(curl);
	(void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	if (stream->is_ended || (code == CURLE_OK && status == 200))
		return VD_EXIT_OK;
	if (code == CURLE_OK)
		return say_refused(&request, status,
				   stream->refusal.len ? stream->refusal.data : "",
				   stream->refusal.len);
	return say_unreachable(stream->client, code);
}

int vd_client_stream(struct vd_client *client, const char *path, const char *last_event_id,
		     vd_event_fn on_event, void *argument, bool *ret_is_open)
{
	VD_CLEANUP(list_free) struct curl_slist *headers = NULL;
	struct stream stream = { .client = client, .on_event = on_event, .argument = argument };
	int r = set_target(client, path);

	stream.refusal.limit = 65536;
	if (r == 0)
		r = add_token(client, &headers);
	if (r == 0 && last_event_id)
		r = add_header(&headers, "Last-Event-ID", last_event_id);
	if (r < 0)
		return VD_EXIT_FAILED;
	(void)curl_easy_setopt(client->curl, CURLOPT_HTTPHEADER, headers);
	r = run_stream(&stream, path);
	*ret_is_open = stream.is_open;
	vd_sse_fini(&stream.sse);
	vd_buf_fini(&stream.refusal);
	return r;
}
