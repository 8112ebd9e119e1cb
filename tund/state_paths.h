/* File "paths" of a state directory: which ways the user allows to some members. JSON, so that a person can read it:
 *
 *     {"version": 1, "paths": {"<identity, 64 hex digits>": "relay"}} */
#ifndef TUND_STATE_PATHS_H
#define TUND_STATE_PATHS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "state.h"

#define STATE_PATHS_MAX 256u /* members whose mode is not auto */
#define STATE_PATHS_FILE_MAX 32768u

struct state_paths {
    uint32_t count;
    struct {
        uint8_t identity[32];
        uint8_t mode; /* enum tn_path_mode */
    } row[STATE_PATHS_MAX];
};

/* TN_MODE_AUTO where nothing is set. */
uint8_t state_paths_find(const struct state_paths *p, const uint8_t identity[32]);
/* False: the table is full. TN_MODE_AUTO takes the row away. */
bool state_paths_put(struct state_paths *p, const uint8_t identity[32], uint8_t mode);

/* "auto", "direct", "relay"; false: none of these. */
bool state_paths_parse_mode(const char *text, uint8_t *mode);
/* -EBADMSG, *p untouched: not such a file. */
TN_MUST_CHECK int state_paths_decode(struct state_paths *p, const char *text, size_t len);

/* 0 or a negative errno with *w filled. No file is an empty table. */
TN_MUST_CHECK int state_save_paths(struct state *s, const struct state_paths *p, struct why *w);
TN_MUST_CHECK int state_load_paths(struct state *s, struct state_paths *p, struct why *w);

#endif
