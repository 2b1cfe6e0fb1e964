/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vedette-tls-request.so, preloaded into mosquitto: one port for tokens and certificates.
 *
 * mosquitto either insists on a certificate of its CA or never asks for one, but Azure's
 * devices bring a token, a certificate of our CA or a self-signed one to the same port 8883. Where
 * mosquitto would insist, this asks instead and accepts what comes; the handshake still proves
 * the possession of the key, and vedette-broker.so, which sees the certificate, decides. Where
 * mosquitto does not ask, nothing changes. Without the preload such a listener refuses who has no
 * certificate of the CA: it fails closed.
 */
#include <dlfcn.h>
#include <stdlib.h>

#include <openssl/ssl.h>

static int accept_any(int preverified, X509_STORE_CTX *context)
{
	return 1;
}

void SSL_CTX_set_verify(SSL_CTX *context, int mode, SSL_verify_cb callback)
{
	void (*next)(SSL_CTX *, int, SSL_verify_cb);

	*(void **)&next = dlsym(RTLD_NEXT, "SSL_CTX_set_verify");
	if (!next)
		abort();
	if (mode & SSL_VERIFY_FAIL_IF_NO_PEER_CERT)
		next(context, SSL_VERIFY_PEER, accept_any);
	else
		next(context, mode, callback);
}
