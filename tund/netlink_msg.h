/* Building, sending and reading rtnetlink messages: inside of netlink*.c only. */
#ifndef TUND_NETLINK_MSG_H
#define TUND_NETLINK_MSG_H

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netlink.h"

struct nl_msg {
    union {
        struct nlmsghdr h;
        uint8_t bytes[512];
    };
    bool full; /* something did not fit: nl_call refuses it */
};

/* flags beside NLM_F_REQUEST; body is the family's header. */
void nl_msg_init(struct nl_msg *m, uint16_t type, uint16_t flags, const void *body, size_t len);
void nl_msg_attr(struct nl_msg *m, uint16_t type, const void *data, size_t len);
void nl_msg_attr_u32(struct nl_msg *m, uint16_t type, uint32_t v);
/* Opens an attribute that holds others; hand what it returns to nl_msg_end. */
size_t nl_msg_begin(struct nl_msg *m, uint16_t type);
void nl_msg_end(struct nl_msg *m, size_t begun);

/* Sends and waits for the kernel's acknowledgement: 0 or its negative errno. */
TN_MUST_CHECK int nl_call(struct nl *n, struct nl_msg *m);
/* The same where an answer comes before it. */
TN_MUST_CHECK int nl_ask(struct nl *n, struct nl_msg *m,
                         void (*cb)(void *ctx, const struct nlmsghdr *h), void *ctx);
/* Sends a dump request and calls back with each answer. */
TN_MUST_CHECK int nl_dump(struct nl *n, struct nl_msg *m,
                          void (*cb)(void *ctx, const struct nlmsghdr *h), void *ctx);

/* The messages in what was received: begins with *at = 0, NULL after the last whole one. */
const struct nlmsghdr *nl_next(const void *buf, size_t len, size_t *at);
/* Attributes by number (up to max, an array of max + 1) of what follows a header of body_len;
 * NULL where there is none. Lengths are checked against the message. */
void nl_attrs(const struct nlmsghdr *h, size_t body_len, const struct rtattr **out, unsigned max);
void nl_attrs_nested(const struct rtattr *a, const struct rtattr **out, unsigned max);
/* 0 where the attribute is missing or short. */
uint32_t nl_attr_u32(const struct rtattr *a);
/* An address of a family; false where it has not the right size. */
bool nl_attr_addr(const struct rtattr *a, int family, struct tn_addr *out);

#endif
