/* The programs' log: one line per entry, on standard error in the foreground and
 * in syslog when daemonized. A function logs or returns its error, never both.
 * Levels have a meaning: ERROR the program cannot go on or cannot do what was
 * asked; WARN somebody should look; INFO a thing that a user would want to know
 * happened; DEBUG why; TRACE per packet. Never a secret, on any level. */
#ifndef TUND_LOG_H
#define TUND_LOG_H

#include <stdbool.h>

#include "libtunnel/base/addr.h"

enum log_level { LOG_LEVEL_SILENT, LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG, LOG_LEVEL_TRACE };

/* "silent", "error", "warn", "info", "debug", "trace" (also wireguard-go's "verbose" for debug). */
bool log_level_parse(const char *text, enum log_level *out);
const char *log_level_name(enum log_level l);

/* `program` and `instance` (the interface; may be NULL) open each line; both are kept, not copied. */
void log_init(const char *program, const char *instance, enum log_level level);
/* From now on to syslog, facility daemon: after the parent of a daemon has gone. */
void log_to_syslog(void);
enum log_level log_level(void);

void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_trace(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* "1.2.3.4:5" or "[2001:db8::1]:5", as `wg` writes endpoints. */
#define ADDR_TEXT_LEN 56
const char *addr_text(const struct tn_addr *a, char out[ADDR_TEXT_LEN]);
/* The address alone, without port or brackets. */
const char *addr_ip_text(const struct tn_addr *a, char out[ADDR_TEXT_LEN]);
/* Reads what addr_text writes: a literal address with a port. */
bool addr_parse(const char *text, struct tn_addr *out);

#endif
