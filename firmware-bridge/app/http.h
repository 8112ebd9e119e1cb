/* The example application's web server, on lwIP: GET / tells how the device is, GET /bytes/N sends N bytes
 * (number i is (i ^ i >> 8) & 255), POST /upload takes bytes and answers their BLAKE2s. */
#ifndef APP_HTTP_H
#define APP_HTTP_H

#include "app.h"

#define APP_HTTP_PORT 80

/* After bridge_lwip_start; once more after another one. TN_ENOSPC: lwIP has no memory for it. */
TN_MUST_CHECK int app_http_start(struct app *a);

#endif
