/* See proxy.h. */
#include "proxy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libtunnel/base/ct.h"
#include "libtunnel/base/text.h"

#include "coord_options.h"

#define PORT_DEFAULT 3128

int proxy_parse(const char *text, struct proxy *out, struct why *w)
{
    static const char scheme[] = "http://";
    char host[TN_HOST_SIZE + 16];
    const char *at = text;
    size_t len;

    if (strncasecmp(text, scheme, sizeof(scheme) - 1) == 0)
        at += sizeof(scheme) - 1;
    else if (strstr(text, "://"))
        return why_set(w, -EINVAL, "a proxy is spoken to by plain HTTP: http://HOST:PORT");
    if (strchr(at, '@'))
        return why_set(w, -EINVAL, "a proxy's password stands in a file that --proxy-auth names, not "
                       "in its address, which others could read");
    len = strlen(at);
    if (len && at[len - 1] == '/')
        len--;
    if (len >= sizeof(host))
        return why_set(w, -EINVAL, "the proxy's address is too long");
    memcpy(host, at, len);
    host[len] = '\0';
    if (!coord_parse_host(host, out->host, &out->port))
        return why_set(w, -EINVAL, "\"%.80s\" is no proxy's address, as in http://proxy.example.org:3128",
                       text);
    if (!out->port)
        out->port = PORT_DEFAULT;
    out->set = true;
    return 0;
}

static int read_auth(int fd, const char *path, struct proxy *out, struct why *w)
{
    struct stat st;
    ssize_t n;
    size_t len;

    if (fstat(fd, &st) < 0)
        return why_set(w, -errno, "%s: %s", path, strerror(errno));
    if (st.st_mode & 077)
        return why_set(w, -EPERM, "%s holds a password and others may read it: chmod 600 %s", path,
                       path);
    n = read(fd, out->auth, sizeof(out->auth) - 1);
    if (n < 0)
        return why_set(w, -errno, "%s: %s", path, strerror(errno));
    out->auth[n] = '\0';
    len = strcspn(out->auth, "\r\n");
    if (len == sizeof(out->auth) - 1 || !memchr(out->auth, ':', len))
        return why_set(w, -EINVAL, "%s should hold one line, USER:PASSWORD", path);
    tn_wipe(out->auth + len, sizeof(out->auth) - len);
    return 0;
}

int proxy_load_auth(const char *path, struct proxy *out, struct why *w)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    int err;

    if (fd < 0)
        return why_set(w, -errno, "%s: %s", path, strerror(errno));
    err = read_auth(fd, path, out, w);
    if (err)
        tn_wipe(out->auth, sizeof(out->auth));
    close(fd);
    return err;
}

size_t proxy_request(const struct proxy *p, const char *host, uint16_t port,
                     char out[PROXY_REQUEST_SIZE])
{
    char basic[TN_TEXT_BASE64_LEN(PROXY_AUTH_MAX) + 1] = "";
    bool v6 = strchr(host, ':') != NULL;
    int n;

    if (p->auth[0] && tn_text_base64_encode(basic, sizeof(basic), p->auth, strlen(p->auth),
                                            TN_TEXT_BASE64))
        return 0;
    n = snprintf(out, PROXY_REQUEST_SIZE,
                 "CONNECT %s%s%s:%u HTTP/1.1\r\nHost: %s%s%s:%u\r\n%s%s%s\r\n", v6 ? "[" : "", host,
                 v6 ? "]" : "", port, v6 ? "[" : "", host, v6 ? "]" : "", port,
                 p->auth[0] ? "Proxy-Authorization: Basic " : "", basic, p->auth[0] ? "\r\n" : "");
    tn_wipe(basic, sizeof(basic));
    return n > 0 && n < PROXY_REQUEST_SIZE ? (size_t)n : 0;
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

int proxy_answer(const uint8_t *bytes, size_t len)
{
    static const char begin[] = "HTTP/1."; /* then the minor version, a blank and three digits */
    size_t known = len < sizeof(begin) - 1 ? len : sizeof(begin) - 1;
    const uint8_t *end = memmem(bytes, len, "\r\n\r\n", 4);
    int status;

    if (memcmp(bytes, begin, known) != 0)
        return -EPROTO;
    if (!end)
        return len < PROXY_ANSWER_MAX ? 0 : -EPROTO;
    if (end < bytes + 12 || !is_digit(bytes[7]) || bytes[8] != ' ' ||
        !is_digit(bytes[9]) || !is_digit(bytes[10]) || !is_digit(bytes[11]))
        return -EPROTO;
    status = (bytes[9] - '0') * 100 + (bytes[10] - '0') * 10 + (bytes[11] - '0');
    if (status == 200 && end + 4 != bytes + len)
        return -EPROTO; /* the far end speaks second */
    return status >= 100 && status < 600 ? status : -EPROTO;
}
