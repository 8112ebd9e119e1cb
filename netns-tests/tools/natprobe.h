/* natprobe's inside: what is observed, how it is judged (RFC 4787's words), and
 * how a judgement is compared with what somebody expected. */
#ifndef NATPROBE_H
#define NATPROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct np_addr {
    struct sockaddr_storage ss;
    socklen_t len; /* 0: nothing was seen */
};

/* The three places and the four server endpoints; server[i][j] has address i and port j. */
struct np_lab {
    int server_ns;
    int client_ns;
    int client2_ns; /* a second host behind the same router, or client_ns */
    int family;
    struct np_addr server[2][2];
    int server_fd[2][2];
    int wait_ms; /* how long a packet may take before it counts as lost */
};

/* One datagram under way: sent on from_fd, looked for on at_fd. */
struct np_flight {
    int from_fd;
    struct np_addr to;
    int at_fd;
    bool arrived;
    struct np_addr source; /* as the receiver saw it */
    char tag[24];
};

/* --- natprobe_net.c --- */
struct np_addr np_addr_parse(const char *ip, uint16_t port);
uint16_t np_addr_port(const struct np_addr *a);
void np_addr_set_port(struct np_addr *a, uint16_t port);
bool np_addr_same_ip(const struct np_addr *a, const struct np_addr *b);
bool np_addr_same(const struct np_addr *a, const struct np_addr *b);
/* A UDP socket in the namespace, bound to the address. */
int np_bind(int netns_fd, const struct np_addr *a);
/* A UDP socket on a random port of the namespace's any-address; *port is its port. */
int np_client(const struct np_lab *lab, int netns_fd, uint16_t *port);
/* The address a packet from this namespace to dst leaves with, with the given port. */
struct np_addr np_local_address(int netns_fd, const struct np_addr *dst, uint16_t port);
/* Sends every flight in order, then waits until all arrived or wait_ms passed. */
void np_fly(struct np_flight *flights, size_t count, int wait_ms);

/* --- natprobe_verdict.c: no sockets --- */
enum np_mapping { NP_MAP_BLOCKED, NP_MAP_NONE, NP_MAP_EIM, NP_MAP_ADM, NP_MAP_APDM, NP_MAP_MIXED };
enum np_filtering { NP_FILTER_BLOCKED, NP_FILTER_EIF, NP_FILTER_ADF, NP_FILTER_APDF, NP_FILTER_MIXED };
enum np_ports { NP_PORTS_BLOCKED, NP_PORTS_PRESERVED, NP_PORTS_SEQUENTIAL, NP_PORTS_RANDOM };
enum np_punch { NP_PUNCH_BLOCKED, NP_PUNCH_OK, NP_PUNCH_FAIL, NP_PUNCH_FLAKY };
enum np_hairpin { NP_HAIRPIN_BLOCKED, NP_HAIRPIN_NO, NP_HAIRPIN_YES, NP_HAIRPIN_AFTER_PUNCH };
enum np_lifetime { NP_LIFE_BLOCKED, NP_LIFE_AS_SAID, NP_LIFE_SHORTER, NP_LIFE_LONGER };

/* What is to be found out; also the bits of np_report.done. */
enum np_test {
    NP_TEST_MAPPING = 1,
    NP_TEST_FILTERING = 2,
    NP_TEST_PORTS = 4,
    NP_TEST_PUNCH = 8,
    NP_TEST_HAIRPIN = 16,
    NP_TEST_LIFETIME = 32,
};

struct np_report {
    unsigned done; /* of enum np_test */
    enum np_mapping mapping;
    enum np_filtering filtering;
    enum np_ports ports;
    unsigned port_lowest, port_highest;
    enum np_punch punch;
    unsigned punch_remapped; /* times the refused packet moved our mapping */
    enum np_hairpin hairpin;
    bool hairpin_external; /* the peer saw the sender's mapped address */
    enum np_lifetime lifetime;
    double lifetime_alive_s, lifetime_gone_s; /* the two moments that were tried */
};

/* seen[0..3]: the client's source as servers [0][0], [0][1], [1][0], [1][1] saw it. */
enum np_mapping np_judge_mapping(const struct np_addr seen[4], const struct np_addr *local);
/* Folds the next trial into a running verdict. */
enum np_mapping np_join_mapping(enum np_mapping so_far, enum np_mapping next);
/* How many of `trials` came through from another address, from the same address
 * but another port, and from the very endpoint the client had talked to. */
enum np_filtering np_judge_filtering(unsigned other_ip, unsigned other_port, unsigned control,
                                     unsigned trials);
/* local[i] was seen outside as mapped[i], in this order. */
enum np_ports np_judge_ports(const uint16_t *local, const uint16_t *mapped, size_t count);

struct np_expectations {
    unsigned tests; /* of enum np_test: what they need to be known */
    struct np_report want;
};

/* Parses "mapping=EIM,filtering=APDF,...", the two times of "lifetime=4-6" too.
 * Returns NULL, or a sentence about what is wrong, and then leaves *out alone. */
const char *np_expect_parse(const char *text, struct np_expectations *out);

/* Returns the name of the first property that is not as expected, or NULL. */
const char *np_expect_differs(const struct np_expectations *e, const struct np_report *r);

/* The test called name, 0 when there is none. */
unsigned np_test_by_name(const char *name);

/* The report as one JSON object, or as lines, on standard output. */
void np_report_print(const struct np_report *r, bool json);

/* --- natprobe_tests.c: each fills its part of the report --- */
void np_test_mapping(const struct np_lab *lab, struct np_report *r);
void np_test_filtering(const struct np_lab *lab, struct np_report *r);
void np_test_ports(const struct np_lab *lab, struct np_report *r);
void np_test_punch(const struct np_lab *lab, struct np_report *r);
void np_test_hairpin(const struct np_lab *lab, struct np_report *r);
/* Tries a mapping at r->lifetime_alive_s and another one at r->lifetime_gone_s. */
void np_test_lifetime(const struct np_lab *lab, struct np_report *r);

#endif
