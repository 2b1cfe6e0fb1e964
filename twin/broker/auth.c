/* SPDX-License-Identifier: Apache-2.0 */
#include "twin/broker/auth.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/digest.h"
#include "base/sas.h"

enum { HOST_BYTES = 256, RESOURCE_BYTES = HOST_BYTES + 2 * VD_TOPIC_IDENTITY };

/* The username names the hub and the identity; both SDKs and EdgeHub end it differently. */
static int read_username(const struct vd_connect *connect, char host[static HOST_BYTES],
			 struct vd_fault *fault)
{
	const char *username = connect->username ? connect->username : "";
	size_t host_len = strcspn(username, "/");
	size_t id_len = strlen(connect->client_id);
	const char *id = username + host_len + 1, *rest;

	if (!username[host_len] || host_len == 0 || host_len >= HOST_BYTES) {
		vd_fault_set(fault, 401, "", "the username is not {host}/{device}/?api-version=…");
		return -EACCES;
	}
	rest = id + id_len;
	if (strncmp(id, connect->client_id, id_len) != 0 ||
	    (*rest != '\0' && *rest != '?' && strncmp(rest, "/?", 2) != 0 &&
	     strncmp(rest, "/api-version=", 13) != 0 && strcmp(rest, "/") != 0)) {
		vd_fault_set(fault, 401, "", "the client id is not the identity of the username");
		return -EACCES;
	}
	memcpy(host, username, host_len);
	host[host_len] = '\0';
	return 0;
}

static size_t without_port(const char *host, size_t len)
{
	const char *colon = memchr(host, ':', len);

	return colon ? (size_t)(colon - host) : len;
}

static bool is_our_host(const char *hosts, const char *host)
{
	size_t len = without_port(host, strlen(host));

	for (const char *at = hosts; *at;) {
		size_t n = strcspn(at, ",");

		if (without_port(at, n) == len && !strncasecmp(at, host, len))
			return true;
		at += n + (at[n] == ',');
	}
	return false;
}

static int refuse(struct vd_fault *fault, int code, const char *text)
{
	vd_fault_set(fault, code, "", "%s", text);
	return -EACCES;
}

/* A module is as enabled as its device. */
static const struct vd_identity *find_enabled(const struct vd_identities *identities,
					      const char *id, struct vd_fault *fault)
{
	const struct vd_identity *identity = vd_identities_find(identities, id);
	const char *slash = strchr(id, '/');
	char device[VD_TOPIC_IDENTITY];

	if (!identity) {
		(void)refuse(fault, 404, "no such identity");
		return NULL;
	}
	if (!identity->enabled) {
		(void)refuse(fault, 403, "the identity is disabled");
		return NULL;
	}
	if (!slash)
		return identity;
	(void)snprintf(device, sizeof device, "%.*s", (int)(slash - id), id);
	return find_enabled(identities, device, fault) ? identity : NULL;
}

static int verify_keys(const struct vd_sas *sas, const char *const keys[2], const char *resource,
		       int64_t now_s, struct vd_fault *fault)
{
	int r = refuse(fault, 401, "there is no key for it");

	for (int i = 0; i < 2; i++) {
		if (!*keys[i])
			continue;
		r = vd_sas_verify(sas, keys[i], resource, now_s, fault);
		if (r != -EACCES)
			break;
	}
	return r;
}

static void name_resource(const char *host, const char *id, char resource[static RESOURCE_BYTES])
{
	const char *slash = strchr(id, '/');

	if (slash)
		(void)snprintf(resource, RESOURCE_BYTES, "%s/devices/%.*s/modules/%s", host,
			       (int)(slash - id), id, slash + 1);
	else
		(void)snprintf(resource, RESOURCE_BYTES, "%s/devices/%s", host, id);
}

static int check_token(const struct vd_identities *identities, const struct vd_identity *identity,
		       const char *host, const struct vd_connect *connect, struct vd_grant *grant,
		       struct vd_fault *fault)
{
	char resource[RESOURCE_BYTES];
	const struct vd_policy *policy;
	struct vd_sas sas;
	int r = vd_sas_parse(connect->password, strlen(connect->password), &sas, fault);

	if (r < 0)
		return r == -ENOMEM ? r : -EACCES;
	name_resource(host, identity->id, resource);
	grant->expires_s = sas.expires_s;
	if (!*sas.policy) {
		grant->by = VD_BY_KEY;
		if (identity->auth != VD_AUTH_SAS)
			return refuse(fault, 401, "the identity does not use keys");
		return verify_keys(&sas, identity->key, resource, connect->now_s, fault);
	}
	policy = vd_identities_policy(identities, sas.policy);
	if (!policy || !(policy->rights & VD_RIGHT_DEVICE))
		return refuse(fault, 403, "the policy of the token may not connect devices");
	grant->by = VD_BY_POLICY;
	return verify_keys(&sas, policy->key, resource, connect->now_s, fault);
}

static bool is_thumbprint(const char *thumbprint, const struct vd_certificate *certificate)
{
	return *thumbprint && (!strcasecmp(thumbprint, certificate->sha1) ||
			       !strcasecmp(thumbprint, certificate->sha256));
}

/* selfSigned: one of the two; certificateAuthority: any of the CA, or, with thumbprints, these. */
static bool is_registered(const struct vd_identity *identity,
			  const struct vd_certificate *certificate)
{
	return is_thumbprint(identity->thumbprint[0], certificate) ||
	       is_thumbprint(identity->thumbprint[1], certificate);
}

static bool is_pinned(const struct vd_identity *identity)
{
	return *identity->thumbprint[0] || *identity->thumbprint[1];
}

static int check_certificate(const struct vd_identity *identity,
			     const struct vd_certificate *certificate, struct vd_fault *fault)
{
	if (!certificate)
		return refuse(fault, 401, "neither a token nor a certificate");
	switch (identity->auth) {
	case VD_AUTH_CA:
		if (!certificate->chained)
			return refuse(fault, 401,
				      "the certificate is not of our CA, or not valid now");
		if (strcmp(certificate->common_name, identity->id) != 0)
			return refuse(fault, 401, "the certificate has another common name");
		if (is_pinned(identity) && !is_registered(identity, certificate))
			return refuse(fault, 401, "the certificate was revoked or replaced");
		return 0;
	case VD_AUTH_SELF_SIGNED:
		if (!is_registered(identity, certificate))
			return refuse(fault, 401, "the certificate has another thumbprint");
		if (!certificate->in_time)
			return refuse(fault, 401, "the certificate is not valid now");
		return 0;
	case VD_AUTH_SAS:
	case VD_AUTH_NONE:
		break;
	}
	return refuse(fault, 401, "the identity does not use certificates");
}

int vd_auth_check(const struct vd_identities *identities, const char *hosts,
		  const struct vd_connect *connect, struct vd_grant *ret_grant,
		  struct vd_fault *fault)
{
	const struct vd_identity *identity;
	struct vd_grant grant = { 0 };
	char host[HOST_BYTES];
	int r;

	if (!vd_identity_id_is_valid(connect->client_id))
		return refuse(fault, 401, "the client id is no identity");
	r = read_username(connect, host, fault);
	if (r < 0)
		return r;
	if (!is_our_host(hosts, host))
		return refuse(fault, 401, "the username names another hub");
	identity = find_enabled(identities, connect->client_id, fault);
	if (!identity)
		return -EACCES;
	if (connect->password && *connect->password) {
		r = check_token(identities, identity, host, connect, &grant, fault);
	} else {
		grant.by = VD_BY_CERTIFICATE;
		r = check_certificate(identity, connect->certificate, fault);
	}
	if (r < 0)
		return r;
	(void)snprintf(grant.identity, sizeof grant.identity, "%s", identity->id);
	*ret_grant = grant;
	return 0;
}

/* FNV-1a; the values lie in memory anyway, and an attacker cannot choose them. */
static uint64_t mix(uint64_t hash, const char *text)
{
	do {
		hash ^= (unsigned char)*text;
		hash *= 1099511628211ULL;
	} while (*text++);
	return hash;
}

uint64_t vd_auth_fingerprint(const struct vd_identities *identities, const char *identity)
{
	const struct vd_identity *found = find_enabled(identities, identity, NULL);
	uint64_t hash = 14695981039346656037ULL;

	if (!found)
		return 0;
	hash = mix(hash, vd_identity_auth_name(found->auth));
	for (int i = 0; i < 2; i++)
		hash = mix(mix(hash, found->key[i]), found->thumbprint[i]);
	return hash ? hash : 1;
}
