/* How it works: the few functions of OpenSSL that are needed are looked up by name in libssl, once; their types
 * come from its headers. It is never unloaded. */
#include "tls.h"

#include <dlfcn.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stddef.h>
#include <string.h>

/* What its macros expand to (SSL_CTX_set_mode and so on) is SSL_CTX_ctrl and SSL_ctrl. */
#define TLS_FUNCTIONS(X)                                                                           \
    X(TLS_client_method) X(SSL_CTX_new) X(SSL_CTX_free) X(SSL_CTX_ctrl) X(SSL_CTX_set_verify)      \
    X(SSL_new) X(SSL_free) X(SSL_ctrl) X(SSL_set_fd) X(SSL_set_accept_state)                       \
    X(SSL_set_connect_state) X(SSL_do_handshake) X(SSL_read) X(SSL_write) X(SSL_shutdown)          \
    X(SSL_get_error) X(ERR_peek_last_error) X(ERR_reason_error_string) X(ERR_clear_error)

static struct {
#define FIELD(name) __typeof__(name) *name;
    TLS_FUNCTIONS(FIELD)
#undef FIELD
} lib;
static void *library;

int tls_load(struct why *w)
{
    static const struct {
        const char *name;
        void *at;
    } symbol[] = {
#define ROW(name) {#name, &lib.name},
        TLS_FUNCTIONS(ROW)
#undef ROW
    };
    void *opened = library ? library : dlopen("libssl.so.3", RTLD_NOW | RTLD_LOCAL);

    for (size_t i = 0; opened && !library && i < sizeof(symbol) / sizeof(symbol[0]); i++) {
        void *found = dlsym(opened, symbol[i].name);

        if (!found) {
            dlclose(opened);
            opened = NULL;
        } else {
            memcpy(symbol[i].at, &found, sizeof(found));
        }
    }
    library = opened;
    return library ? 0 : why_set(w, -ENOENT, "there is no OpenSSL 3 (Debian: libssl3) for TLS");
}

static const char *complaint(void)
{
    const char *text = lib.ERR_reason_error_string(lib.ERR_peek_last_error());

    lib.ERR_clear_error();
    return text ? text : "no reason given";
}

int tls_client_new(struct ssl_ctx_st **out, struct why *w)
{
    int err = tls_load(w);
    SSL_CTX *ctx;

    if (err)
        return err;
    ctx = lib.SSL_CTX_new(lib.TLS_client_method());
    if (!ctx || lib.SSL_CTX_ctrl(ctx, SSL_CTRL_SET_MIN_PROTO_VERSION, TLS1_3_VERSION, NULL) != 1) {
        lib.SSL_CTX_free(ctx);
        return why_set(w, -ENOMEM, "TLS: %s", complaint());
    }
    lib.SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
    *out = ctx;
    return 0;
}

void tls_free(struct ssl_ctx_st *ctx)
{
    if (ctx)
        lib.SSL_CTX_free(ctx);
}

struct ssl_st *tls_begin(struct ssl_ctx_st *ctx, int fd, bool server, const char *sni)
{
    SSL *tls = lib.SSL_new(ctx);

    if (!tls)
        return NULL;
    lib.SSL_ctrl(tls, SSL_CTRL_MODE, SSL_MODE_ENABLE_PARTIAL_WRITE |
                 SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS, NULL);
    if (server)
        lib.SSL_set_accept_state(tls);
    else
        lib.SSL_set_connect_state(tls);
    if (lib.SSL_set_fd(tls, fd) == 1 &&
        (!sni || lib.SSL_ctrl(tls, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                              (void *)(uintptr_t)sni) == 1))
        return tls;
    lib.SSL_free(tls);
    return NULL;
}

void tls_end(struct ssl_st *tls)
{
    if (tls)
        lib.SSL_free(tls);
}

/* `n` is what a function of OpenSSL returned. */
static int result(const SSL *tls, int n, const char **why)
{
    int system_error = errno;

    if (n > 0)
        return n;
    switch (lib.SSL_get_error(tls, n)) {
    case SSL_ERROR_WANT_READ:
        return TLS_WAITS;
    case SSL_ERROR_WANT_WRITE:
        return TLS_WAITS_TO_WRITE;
    case SSL_ERROR_ZERO_RETURN:
        *why = "closed by the other end";
        return TLS_OVER;
    case SSL_ERROR_SYSCALL:
        *why = system_error ? strerror(system_error) : "closed by the other end";
        return TLS_OVER;
    default:
        *why = complaint();
        return TLS_OVER;
    }
}

static void forget_errors(void)
{
    lib.ERR_clear_error();
    errno = 0;
}

int tls_handshake(struct ssl_st *tls, const char **why)
{
    forget_errors();
    return result(tls, lib.SSL_do_handshake(tls), why);
}

int tls_read(struct ssl_st *tls, void *out, int cap, const char **why)
{
    forget_errors();
    return result(tls, lib.SSL_read(tls, out, cap), why);
}

int tls_write(struct ssl_st *tls, const void *data, int len, const char **why)
{
    forget_errors();
    return result(tls, lib.SSL_write(tls, data, len), why);
}

void tls_goodbye(struct ssl_st *tls)
{
    (void)lib.SSL_shutdown(tls);
    forget_errors();
}
