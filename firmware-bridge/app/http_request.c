#include "http_request.h"

#include <string.h>

#define LINES_MAX 64

void http_request_init(struct http_request *r)
{
    memset(r, 0, sizeof *r);
    r->what = HTTP_BAD;
}

/* Digits to the end of the text; false: none, other characters, or more than `max`. */
static bool read_number(const char *s, size_t len, uint32_t max, uint32_t *out)
{
    uint64_t n = 0;

    if (!len)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (s[i] < '0' || s[i] > '9')
            return false;
        n = n * 10 + (unsigned)(s[i] - '0');
        if (n > max)
            return false;
    }
    *out = (uint32_t)n;
    return true;
}

static bool is_text(const char *s, size_t len, const char *text)
{
    return len == strlen(text) && !memcmp(s, text, len);
}

/* METHOD SP target SP HTTP/1.x */
static void on_first_line(struct http_request *r)
{
    const char *target = memchr(r->line, ' ', r->len);
    const char *version = target ? memchr(target + 1, ' ', (size_t)(r->line + r->len - target - 1)) : NULL;
    size_t method_len, target_len;

    if (!version || r->is_long || r->line + r->len - version != 9 || memcmp(version + 1, "HTTP/1.", 7) != 0 ||
        version[8] < '0' || version[8] > '9')
        return;
    method_len = (size_t)(target - r->line);
    target++;
    target_len = (size_t)(version - target);
    r->what = HTTP_NONE;
    if (is_text(target, target_len, "/upload")) {
        r->what = is_text(r->line, method_len, "POST") ? HTTP_UPLOAD : HTTP_METHOD;
        return;
    }
    if (is_text(target, target_len, "/"))
        r->what = HTTP_STATUS;
    else if (target_len > 7 && !memcmp(target, "/bytes/", 7) &&
             read_number(target + 7, target_len - 7, HTTP_BYTES_MAX, &r->count))
        r->what = HTTP_BYTES;
    if (r->what != HTTP_NONE && !is_text(r->line, method_len, "GET"))
        r->what = HTTP_METHOD;
}

static bool has_name(const struct http_request *r, const char *name)
{
    size_t len = strlen(name);

    if (r->len <= len || r->line[len] != ':')
        return false;
    for (size_t i = 0; i < len; i++) {
        if ((r->line[i] | 0x20) != name[i])
            return false;
    }
    return true;
}

static void on_header(struct http_request *r)
{
    size_t at = sizeof "content-length:" - 1, end = r->len;

    if (has_name(r, "transfer-encoding")) {
        r->what = HTTP_BAD; /* its length would have to be found out */
        return;
    }
    if (!has_name(r, "content-length"))
        return;
    while (at < end && (r->line[at] == ' ' || r->line[at] == '\t'))
        at++;
    while (end > at && (r->line[end - 1] == ' ' || r->line[end - 1] == '\t'))
        end--;
    if (r->is_long || r->has_length || !read_number(r->line + at, end - at, HTTP_BYTES_MAX, &r->length))
        r->what = HTTP_BAD;
    r->has_length = true;
}

static bool on_line(struct http_request *r)
{
    if (r->lines == 0) {
        if (!r->len && !r->is_long)
            return false; /* an empty line before it is passed over (section 2.2) */
        on_first_line(r);
    } else if (!r->len && !r->is_long) {
        if (r->what == HTTP_UPLOAD && !r->has_length)
            r->what = HTTP_BAD;
        return true;
    } else {
        on_header(r);
    }
    r->lines++;
    r->len = 0;
    r->is_long = false;
    if (r->lines < LINES_MAX)
        return false;
    r->what = HTTP_BAD;
    return true;
}

bool http_request_feed(struct http_request *r, uint8_t c)
{
    if (c == '\n') {
        if (r->len && r->line[r->len - 1] == '\r')
            r->len--;
        return on_line(r);
    }
    if (r->len < HTTP_LINE_MAX)
        r->line[r->len++] = (char)c;
    else
        r->is_long = true;
    return false;
}
