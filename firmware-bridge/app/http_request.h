/* The little of HTTP/1.1 (RFC 9112) that the example application reads: a request's first line, its
 * Content-Length, and where its head ends. Fed byte by byte; knows no connection. */
#ifndef APP_HTTP_REQUEST_H
#define APP_HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_LINE_MAX 96 /* characters of a line that are looked at */

enum http_what {
    HTTP_STATUS,  /* GET / */
    HTTP_BYTES,   /* GET /bytes/N */
    HTTP_UPLOAD,  /* POST /upload, with a Content-Length */
    HTTP_NONE,    /* no such page: 404 */
    HTTP_METHOD,  /* another method: 405 */
    HTTP_BAD,     /* not understood: 400 */
};

struct http_request {
    char line[HTTP_LINE_MAX]; /* without its end */
    uint8_t len;
    bool is_long; /* the line had more than that */
    uint8_t lines;
    uint8_t what;      /* enum http_what, once the head has ended */
    bool has_length;
    uint32_t length;   /* Content-Length */
    uint32_t count;    /* N of /bytes/N */
};

#define HTTP_BYTES_MAX 100000000u

void http_request_init(struct http_request *r);
/* The next byte of the head. True: that was its last one, and `what` is set. */
bool http_request_feed(struct http_request *r, uint8_t c);

#endif
