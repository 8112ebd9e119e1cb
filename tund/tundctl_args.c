/* tundctl's command line: getopt_long over one table. Options may stand before the
 * verb (--state) or behind it; the last one of a kind counts. */
#include "tundctl_args.h"

#include <errno.h>
#include <getopt.h>
#include <stddef.h>
#include <string.h>

#include "enroll.h"
#include "state.h"

#define PING_COUNT_MAX 1000000u

static const struct option long_options[] = {
    {"state", required_argument, NULL, ARG_STATE},
    {"json", no_argument, NULL, ARG_JSON},
    {"help", no_argument, NULL, ARG_HELP},
    {"coordinator", required_argument, NULL, ARG_COORDINATOR},
    {"name", required_argument, NULL, ARG_NAME},
    {"device", required_argument, NULL, ARG_DEVICE},
    {"prefix", required_argument, NULL, ARG_PREFIX},
    {"ifname", required_argument, NULL, ARG_IFNAME},
    {"port", required_argument, NULL, ARG_PORT},
    {"expires", required_argument, NULL, ARG_EXPIRES},
    {"out", required_argument, NULL, ARG_OUT},
    {"count", required_argument, NULL, ARG_COUNT},
    {"size", required_argument, NULL, ARG_SIZE},
    {"interval", required_argument, NULL, ARG_INTERVAL},
    {"until-direct", no_argument, NULL, ARG_UNTIL_DIRECT},
    {"force", no_argument, NULL, ARG_FORCE},
    {"portmap", required_argument, NULL, ARG_PORTMAP},
    {"external", required_argument, NULL, ARG_EXTERNAL},
    {"by", required_argument, NULL, ARG_BY},
    {"budget", required_argument, NULL, ARG_BUDGET},
    {NULL, 0, NULL, 0},
};

static const struct option global_options[] = {
    {"state", required_argument, NULL, ARG_STATE},
    {"help", no_argument, NULL, ARG_HELP},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
};

/* ---- values ---- */

static bool number(const char *text, uint32_t min, uint32_t max, uint32_t *out)
{
    uint64_t v = 0;

    if (!*text || strlen(text) > 9)
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return false;
        v = v * 10 + (uint64_t)(*text - '0');
    }
    if (v < min || v > max)
        return false;
    *out = (uint32_t)v;
    return true;
}

int args_duration(const char *text, uint64_t *s)
{
    static const struct {
        char letter;
        uint32_t s;
    } unit[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'\0', 86400}};
    char digits[10];
    size_t len = strspn(text, "0123456789");
    uint32_t v;

    if (len == 0 || len >= sizeof(digits) || (text[len] && text[len + 1]))
        return -EINVAL;
    memcpy(digits, text, len);
    digits[len] = '\0';
    if (!number(digits, 1, UINT32_MAX, &v))
        return -EINVAL;
    for (size_t i = 0; i < sizeof(unit) / sizeof(unit[0]); i++) {
        uint64_t total = (uint64_t)v * unit[i].s;

        if (text[len] != unit[i].letter)
            continue;
        if (total < 60 || total > ENROLL_EXPIRY_MAX_S)
            return -EINVAL;
        *s = total;
        return 0;
    }
    return -EINVAL;
}

/* "0.2": seconds with at most three decimals, as milliseconds. */
static bool interval(const char *text, uint32_t *ms)
{
    size_t whole = strspn(text, "0123456789"), decimals = 0;
    uint32_t v = 0;

    if (whole == 0 || whole > 4)
        return false;
    for (size_t i = 0; i < whole; i++)
        v = v * 10 + (uint32_t)(text[i] - '0');
    text += whole;
    if (*text == '.')
        decimals = strspn(++text, "0123456789");
    if (decimals > 3 || text[decimals])
        return false;
    v *= 1000;
    for (uint32_t i = 0, scale = 100; i < decimals; i++, scale /= 10)
        v += (uint32_t)(text[i] - '0') * scale;
    *ms = v;
    return v >= 10 && v <= 3600000;
}

/* ---- one option ---- */

static int take_text(const char **to, const char *arg, const char *what, struct why *w)
{
    if (!*arg)
        return why_set(w, -EINVAL, "%s needs a value", what);
    *to = arg;
    return 0;
}

static int take_number(enum args_option o, struct args *a, const char *arg, struct why *w)
{
    uint32_t v;

    switch (o) {
    case ARG_PORT:
        if (!number(arg, 1, UINT16_MAX, &v))
            return why_set(w, -EINVAL, "--port wants a UDP port, 1 to 65535");
        a->port = (uint16_t)v;
        return 0;
    case ARG_EXTERNAL:
        if (!number(arg, 1, UINT16_MAX, &v))
            return why_set(w, -EINVAL, "--external wants a port, 1 to 65535");
        a->external = (uint16_t)v;
        return 0;
    case ARG_COUNT:
        if (!number(arg, 1, PING_COUNT_MAX, &a->count))
            return why_set(w, -EINVAL, "-c wants a number from 1 to %u", PING_COUNT_MAX);
        return 0;
    case ARG_SIZE:
        if (!number(arg, 32, UINT16_MAX, &a->size))
            return why_set(w, -EINVAL, "-s wants the bytes of a ping, at least 32");
        return 0;
    case ARG_BUDGET:
        if (!number(arg, 1, 999999999, &a->budget))
            return why_set(w, -EINVAL, "--budget wants bytes a day, like 200000");
        return 0;
    case ARG_INTERVAL:
        if (!interval(arg, &a->interval_ms))
            return why_set(w, -EINVAL, "-i wants seconds, like 0.2 (0.01 to 3600)");
        return 0;
    default:
        if (args_duration(arg, &a->expires_s) != 0)
            return why_set(w, -EINVAL, "--expires wants a time like 30m, 12h or 7d, at least a minute "
                           "and at most a year");
        return 0;
    }
}

static int take_choice(enum args_option o, struct args *a, const char *arg, struct why *w)
{
    if (o == ARG_PORTMAP) {
        if (strcmp(arg, "on") != 0 && strcmp(arg, "off") != 0)
            return why_set(w, -EINVAL, "--portmap wants on or off");
        a->portmap = strcmp(arg, "on") == 0;
        return 0;
    }
    if (strcmp(arg, "pcp") != 0 && strcmp(arg, "natpmp") != 0 && strcmp(arg, "upnp") != 0)
        return why_set(w, -EINVAL, "--by wants pcp, natpmp or upnp");
    a->by = arg;
    return 0;
}

static int take(enum args_option o, struct args *a, const char *arg, struct why *w)
{
    a->given |= o;
    switch (o) {
    case ARG_STATE:
        return take_text(&a->state_dir, arg, "--state", w);
    case ARG_COORDINATOR:
        return take_text(&a->coordinator, arg, "--coordinator", w);
    case ARG_NAME:
        return take_text(&a->name, arg, "--name", w);
    case ARG_DEVICE:
        return take_text(&a->device, arg, "--device", w);
    case ARG_PREFIX:
        return take_text(&a->prefix, arg, "--prefix", w);
    case ARG_IFNAME:
        return take_text(&a->ifname, arg, "--ifname", w);
    case ARG_OUT:
        return take_text(&a->out, arg, "--out", w);
    case ARG_PORTMAP:
    case ARG_BY:
        return take_choice(o, a, arg, w);
    case ARG_PORT:
    case ARG_EXTERNAL:
    case ARG_EXPIRES:
    case ARG_COUNT:
    case ARG_SIZE:
    case ARG_INTERVAL:
    case ARG_BUDGET:
        return take_number(o, a, arg, w);
    case ARG_JSON:
    case ARG_HELP:
    case ARG_UNTIL_DIRECT:
    case ARG_FORCE:
    case ARG_SECOND:
        break;
    }
    return 0;
}

/* getopt's value as one of ours; 0 for what is not taken here. */
static unsigned option_of(int got)
{
    switch (got) {
    case 'h':
        return ARG_HELP;
    case 'c':
        return ARG_COUNT;
    case 's':
        return ARG_SIZE;
    case 'i':
        return ARG_INTERVAL;
    case '?':
    case ':':
        return 0;
    default:
        return (unsigned)got;
    }
}

static int unknown(int argc, char **argv, int got, const char *verb, struct why *w)
{
    const char *text = optind > 0 && optind <= argc ? argv[optind - 1] : "";

    if (got == ':')
        return why_set(w, -EINVAL, "%.60s needs a value (see tundctl %s --help)", text, verb);
    return why_set(w, -EINVAL, "unknown option %.60s (see tundctl %s --help)", text, verb);
}

/* ---- the line ---- */

int args_parse_global(int argc, char **argv, struct args *a, bool *version, int *verb_at,
                      struct why *w)
{
    int got, err;

    *a = (struct args){.state_dir = STATE_DIR_DEFAULT};
    *version = false;
    optind = 0; /* glibc: begin anew */
    opterr = 0;
    while ((got = getopt_long(argc, argv, "+:hV", global_options, NULL)) != -1) {
        unsigned o = option_of(got);

        if (got == 'V') {
            *version = true;
            continue;
        }
        if (!o)
            return unknown(argc, argv, got, "", w);
        err = take((enum args_option)o, a, optarg, w);
        if (err)
            return err;
    }
    *verb_at = optind;
    return 0;
}

int args_parse_verb(int argc, char **argv, unsigned takes, const char *word, struct args *a,
                    struct why *w)
{
    int got, err;

    optind = 0;
    opterr = 0;
    while ((got = getopt_long(argc, argv, ":hc:s:i:", long_options, NULL)) != -1) {
        unsigned o = option_of(got);

        if (!(o & (takes | ARG_ALWAYS)))
            return unknown(argc, argv, got, argv[0], w);
        err = take((enum args_option)o, a, optarg, w);
        if (err)
            return err;
    }
    if (a->given & ARG_HELP)
        return 0;
    if (optind < argc)
        a->word = argv[optind++];
    if (takes & ARG_SECOND && optind < argc)
        a->second = argv[optind++];
    if (a->word && !word)
        return why_set(w, -EINVAL, "tundctl %s takes no \"%.60s\"", argv[0], a->word);
    if (!a->word && word && !(takes & ARG_SECOND))
        return why_set(w, -EINVAL, "%s is missing (see tundctl %s --help)", word, argv[0]);
    if (optind < argc)
        return why_set(w, -EINVAL, "\"%.60s\" is too much (see tundctl %s --help)", argv[optind],
                       argv[0]);
    return 0;
}
