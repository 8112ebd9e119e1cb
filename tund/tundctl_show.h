/* Small pieces of text that several verbs print. */
#ifndef TUND_TUNDCTL_SHOW_H
#define TUND_TUNDCTL_SHOW_H

#include <jansson.h>
#include <stddef.h>

#include "tundctl_args.h"

#define SHOW_LEN 32

/* Strings of an object; "-" where there is none. Everything but printing characters becomes '?'. */
const char *show_text(const json_t *object, const char *key, char *out, size_t len);
/* The path of a peer: what the daemon says, or "direct over TCP". */
const char *show_path(const json_t *peer, char *out, size_t len);
const char *show_ms(const json_t *value, char out[SHOW_LEN]);    /* "20.3 ms" */
const char *show_bytes(const json_t *value, char out[SHOW_LEN]); /* "1.2 MiB" */
const char *show_age(const json_t *value, char out[SHOW_LEN]);   /* "12 s", "3 h" */

/* Where the path in use leads: "through NAME", or an address. */
const char *show_way(const json_t *peer, char *out, size_t len);

/* Asks the daemon one question; *answer is what it has under `key`, to be released. 0 or an exit
 * code, with the error already printed. */
int show_ask(const struct args *a, json_t *request, const char *key, json_t **answer);
/* The same for what takes the daemon that long. */
int show_ask_slow(const struct args *a, json_t *request, const char *key, int timeout_ms, json_t **answer);
/* As one line of JSON; returns the exit code. */
int show_json(const json_t *value);

/* What is held at the gateway for this node's own port, in a line. In tundctl_portmap.c. */
void portmap_print_own(const json_t *portmap);

#endif
