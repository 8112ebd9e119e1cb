/* How it works: one static state (level, names, target), set at start. A line is
 * put together on the stack and written with one call, so that lines of several
 * processes on one terminal do not mix. systemd reads the "<N>" in front where
 * standard error is its journal (sd-daemon(3)). */
#include "log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <syslog.h>
#include <unistd.h>

#define LINE_LEN 512

static struct {
    const char *program;
    const char *instance;
    enum log_level level;
    bool syslog;
    bool journal;
} state = {.program = "tund", .level = LOG_LEVEL_INFO};

static const char *const level_names[] = {
    [LOG_LEVEL_SILENT] = "silent", [LOG_LEVEL_ERROR] = "error", [LOG_LEVEL_WARN] = "warn",
    [LOG_LEVEL_INFO] = "info",     [LOG_LEVEL_DEBUG] = "debug", [LOG_LEVEL_TRACE] = "trace",
};
static const int level_priority[] = {
    [LOG_LEVEL_SILENT] = LOG_ERR, [LOG_LEVEL_ERROR] = LOG_ERR,   [LOG_LEVEL_WARN] = LOG_WARNING,
    [LOG_LEVEL_INFO] = LOG_INFO,  [LOG_LEVEL_DEBUG] = LOG_DEBUG, [LOG_LEVEL_TRACE] = LOG_DEBUG,
};
#define LEVEL_COUNT (sizeof(level_names) / sizeof(level_names[0]))
_Static_assert(LEVEL_COUNT == LOG_LEVEL_TRACE + 1, "every level has a name");
_Static_assert(sizeof(level_priority) / sizeof(level_priority[0]) == LEVEL_COUNT, "and a priority");

bool log_level_parse(const char *text, enum log_level *out)
{
    for (size_t i = 0; i < LEVEL_COUNT; i++) {
        if (!strcasecmp(text, level_names[i])) {
            *out = (enum log_level)i;
            return true;
        }
    }
    if (!strcasecmp(text, "verbose")) {
        *out = LOG_LEVEL_DEBUG;
        return true;
    }
    return false;
}

const char *log_level_name(enum log_level l)
{
    return (size_t)l < LEVEL_COUNT ? level_names[l] : "?";
}

void log_init(const char *program, const char *instance, enum log_level level)
{
    state.program = program;
    state.instance = instance;
    state.level = level;
    state.journal = getenv("JOURNAL_STREAM") != NULL;
}

void log_to_syslog(void)
{
    openlog(state.program, LOG_PID | LOG_NDELAY, LOG_DAEMON);
    state.syslog = true;
}

enum log_level log_level(void)
{
    return state.level;
}

static void write_stderr(enum log_level level, const char *text)
{
    char line[LINE_LEN + 64];
    int len = 0;

    if (state.journal)
        len = snprintf(line, sizeof line, "<%d>", level_priority[level]);
    len += snprintf(line + len, sizeof line - (size_t)len, "%s%s%s: %s%s\n", state.program,
                    state.instance ? " " : "", state.instance ? state.instance : "",
                    level == LOG_LEVEL_WARN ? "warning: " : "", text);
    if ((size_t)len >= sizeof line)
        len = (int)sizeof line - 1;
    /* There is nowhere left to tell that standard error fails. */
    if (write(STDERR_FILENO, line, (size_t)len) < 0)
        return;
}

static void emit(enum log_level level, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));
static void emit(enum log_level level, const char *fmt, va_list ap)
{
    char text[LINE_LEN];

    if (level > state.level)
        return;
    vsnprintf(text, sizeof text, fmt, ap);
    if (state.syslog)
        syslog(level_priority[level], "%s%s%s", state.instance ? state.instance : "",
               state.instance ? ": " : "", text);
    else
        write_stderr(level, text);
}

#define LOG_FUNCTION(name, level)                                                                  \
    void name(const char *fmt, ...)                                                                \
    {                                                                                              \
        va_list ap;                                                                                \
                                                                                                   \
        va_start(ap, fmt);                                                                         \
        emit(level, fmt, ap);                                                                      \
        va_end(ap);                                                                                \
    }
LOG_FUNCTION(log_error, LOG_LEVEL_ERROR)
LOG_FUNCTION(log_warn, LOG_LEVEL_WARN)
LOG_FUNCTION(log_info, LOG_LEVEL_INFO)
LOG_FUNCTION(log_debug, LOG_LEVEL_DEBUG)
LOG_FUNCTION(log_trace, LOG_LEVEL_TRACE)

/* ---- addresses as text ---- */

const char *addr_ip_text(const struct tn_addr *a, char out[ADDR_TEXT_LEN])
{
    const void *ip = tn_addr_is_v4(a) ? a->ip + 12 : a->ip;

    if (!inet_ntop(tn_addr_is_v4(a) ? AF_INET : AF_INET6, ip, out, ADDR_TEXT_LEN))
        snprintf(out, ADDR_TEXT_LEN, "?");
    return out;
}

const char *addr_text(const struct tn_addr *a, char out[ADDR_TEXT_LEN])
{
    char ip[ADDR_TEXT_LEN];
    bool v4 = tn_addr_is_v4(a);

    addr_ip_text(a, ip);
    snprintf(out, ADDR_TEXT_LEN, "%s%.45s%s:%u", v4 ? "" : "[", ip, v4 ? "" : "]",
             (unsigned)a->port);
    return out;
}

static bool port_parse(const char *text, uint16_t *out)
{
    uint32_t v = 0;

    if (!*text || strlen(text) > 5)
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return false;
        v = v * 10 + (uint32_t)(*text - '0');
    }
    if (v > UINT16_MAX)
        return false;
    *out = (uint16_t)v;
    return true;
}

bool addr_parse(const char *text, struct tn_addr *out)
{
    char host[INET6_ADDRSTRLEN];
    uint8_t ip[16];
    const char *end, *colon;
    bool v6 = text[0] == '[';
    uint16_t port;
    size_t len;

    if (v6)
        text++;
    end = v6 ? strchr(text, ']') : strchr(text, ':');
    if (!end)
        return false;
    colon = v6 ? end + 1 : end;
    len = (size_t)(end - text);
    if (*colon != ':' || len >= sizeof host || !port_parse(colon + 1, &port))
        return false;
    memcpy(host, text, len);
    host[len] = 0;
    if (inet_pton(v6 ? AF_INET6 : AF_INET, host, ip) != 1)
        return false;
    *out = v6 ? tn_addr_v6(ip, port) : tn_addr_v4(ip, port);
    return true;
}
