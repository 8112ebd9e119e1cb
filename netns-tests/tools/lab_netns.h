/* What every program of the lab needs: sockets that live in a named network
 * namespace, a clock, and one way to give up. */
#ifndef LAB_NETNS_H
#define LAB_NETNS_H

#include <stdint.h>

/* Prints "program: text", with errno's sentence when error is not 0, and exits 2. */
void lab_die(int error, const char *format, ...) __attribute__((noreturn, format(printf, 2, 3)));

/* Opens a network namespace by its name under /run/netns, or by a path when the
 * name holds a slash. Returns a descriptor; does not return on failure. */
int lab_netns_open(const char *name);

/* Moves the calling thread into the namespace; does not return on failure. */
void lab_netns_enter(int netns_fd);

/* Opens a close-on-exec socket inside the namespace. The calling thread stays
 * in that namespace afterwards, the socket keeps it for ever. */
int lab_socket_in(int netns_fd, int family, int type);

int64_t lab_now_ns(void); /* CLOCK_MONOTONIC */
int64_t lab_now_ms(void);

/* Sleeps until lab_now_ms() has reached when_ms. */
void lab_sleep_until_ms(int64_t when_ms);

/* Reads a whole decimal number within [least, most]; does not return when the
 * text is anything else. `what` names it in the message. */
double lab_number(const char *what, const char *text, double least, double most);

#endif
