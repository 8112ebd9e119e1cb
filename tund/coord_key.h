/* The coordinator's key, and the address for people that has its public half. */
#ifndef TUND_COORD_KEY_H
#define TUND_COORD_KEY_H

#include <stdbool.h>
#include <stdint.h>

#include "libtunnel/base/err.h"
#include "libtunnel/member/url.h"

#include "state.h"

#define COORD_KEY_FILE "key"
#define COORD_URL_FILE "url"

/* Reads the X25519 private key, or makes it where there is none (*made). The caller keeps `priv` in
 * memory of secure_alloc and wipes it. A negative errno, with *w filled in: -EPERM for a file that
 * others can read, -EBADMSG for one that is no key, or what the disk says. */
TN_MUST_CHECK int coord_key_load(struct state *s, uint8_t priv[32], bool *made, struct why *w);

/* Keeps "tund://HOST:PORT/KEY" for `tund-coord url`; writes only where it has changed. */
TN_MUST_CHECK int coord_url_save(struct state *s, const char *url, struct why *w);
TN_MUST_CHECK int coord_url_load(struct state *s, char url[TN_URL_SIZE], struct why *w);

#endif
