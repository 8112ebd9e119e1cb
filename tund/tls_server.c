/* See tls_server.h. */
#include "tls_server.h"

#include <errno.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#define DAY_S (24L * 3600)
#define CERTIFICATE_DAYS 3650

/* A certificate that says as little as one can. */
static int fill_certificate(X509 *cert, EVP_PKEY *key)
{
    X509_NAME *name = X509_get_subject_name(cert);
    uint64_t serial;

    if (RAND_bytes((unsigned char *)&serial, sizeof(serial)) != 1)
        return 0;
    return X509_set_version(cert, X509_VERSION_3) &&
           ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert), serial >> 1) &&
           X509_gmtime_adj(X509_getm_notBefore(cert), -DAY_S) &&
           X509_gmtime_adj(X509_getm_notAfter(cert), CERTIFICATE_DAYS * DAY_S) &&
           X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"localhost",
                                      -1, -1, 0) &&
           X509_set_issuer_name(cert, name) && X509_set_pubkey(cert, key) &&
           X509_sign(cert, key, EVP_sha256());
}

static int use_new_certificate(SSL_CTX *ctx)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    int ok = key && cert && fill_certificate(cert, key) &&
             SSL_CTX_use_certificate(ctx, cert) == 1 && SSL_CTX_use_PrivateKey(ctx, key) == 1;

    X509_free(cert);
    EVP_PKEY_free(key);
    return ok;
}

int tls_server_new(struct ssl_ctx_st **out, struct why *w)
{
    int err = tls_load(w);
    const char *text;
    SSL_CTX *ctx;

    if (err)
        return err;
    ctx = SSL_CTX_new(TLS_server_method());
    if (ctx && SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) == 1 && use_new_certificate(ctx) &&
        SSL_CTX_set_num_tickets(ctx, 0) == 1) {
        SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
        *out = ctx;
        return 0;
    }
    text = ERR_reason_error_string(ERR_peek_last_error());
    err = why_set(w, -ENOMEM, "TLS: %s", text ? text : "no reason given");
    ERR_clear_error();
    SSL_CTX_free(ctx);
    return err;
}
