/* What stands on tundctl's command line. One table of options for all verbs; each
 * verb says which of them it takes. Nothing secret can be given here. */
#ifndef TUND_TUNDCTL_ARGS_H
#define TUND_TUNDCTL_ARGS_H

#include <stdbool.h>
#include <stdint.h>

#include "libtunnel/base/err.h"
#include "why.h"

enum args_option {
    ARG_STATE = 1u << 0,
    ARG_JSON = 1u << 1,
    ARG_HELP = 1u << 2,
    ARG_COORDINATOR = 1u << 3,
    ARG_NAME = 1u << 4,
    ARG_PREFIX = 1u << 5,
    ARG_IFNAME = 1u << 6,
    ARG_PORT = 1u << 7,
    ARG_EXPIRES = 1u << 8,
    ARG_OUT = 1u << 9,
    ARG_COUNT = 1u << 10,
    ARG_SIZE = 1u << 11,
    ARG_INTERVAL = 1u << 12,
    ARG_UNTIL_DIRECT = 1u << 13,
    ARG_FORCE = 1u << 14,
    ARG_DEVICE = 1u << 15,
    ARG_PORTMAP = 1u << 16,
    ARG_EXTERNAL = 1u << 17,
    ARG_BY = 1u << 18,
    ARG_BUDGET = 1u << 19,
    ARG_SECOND = 1u << 20, /* no option: a second word may follow the first, and both may be missing */
};
#define ARG_ALWAYS (ARG_STATE | ARG_HELP)

struct args {
    unsigned given;        /* enum args_option, those that were there */
    const char *state_dir; /* never NULL */
    const char *coordinator, *name, *device, *prefix, *ifname, *out;
    const char *word; /* what stands without an option; NULL: nothing */
    const char *second; /* with ARG_SECOND: the word behind it */
    const char *by;
    bool portmap;
    uint64_t expires_s;
    uint32_t count, size, interval_ms;
    uint32_t budget; /* bytes a day, not 0 */
    uint16_t port, external;
};

/* Options before the verb (--state, --help, --version); *verb_at is where the verb stands in argv, or
 * argc. -EINVAL with a sentence for anything else. */
TN_MUST_CHECK int args_parse_global(int argc, char **argv, struct args *a, bool *version,
                                    int *verb_at, struct why *w);
/* What follows the verb argv[0]. `takes` are the options that it knows besides ARG_ALWAYS; `word`
 * is what a word without option means there ("PEER"), or NULL where there is none. With ARG_HELP
 * given, nothing else is asked for. -EINVAL. */
TN_MUST_CHECK int args_parse_verb(int argc, char **argv, unsigned takes, const char *word,
                                  struct args *a, struct why *w);

/* "90s", "15m", "12h", "7d" (and "7" for days): seconds, at least 60. -EINVAL. */
TN_MUST_CHECK int args_duration(const char *text, uint64_t *s);

#endif
