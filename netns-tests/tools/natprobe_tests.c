/* natprobe's experiments, after RFC 5780 and RFC 4787 section 4 to 6.
 *
 * Every trial uses a fresh client socket, so that no mapping or permission of
 * an earlier trial can speak for it, and every negative ("nothing came") has a
 * control packet that must come over the same mapping. */
#include "natprobe.h"

#include "lab_netns.h"

#include <string.h>
#include <unistd.h>

#define MAP_TRIALS 4
#define FILTER_TRIALS 3
#define PORT_TRIALS 12
#define PUNCH_TRIALS 6

/* A client socket and what server [0][0] saw of it. */
struct client {
    int fd;
    uint16_t port;
    struct np_addr mapped; /* len 0: its packet was lost */
};

/* Opens clients and lets each say hello to server [0][0]. */
static void clients_open(const struct np_lab *lab, int netns_fd, struct client *clients, size_t count)
{
    struct np_flight hello[PORT_TRIALS];

    for (size_t i = 0; i < count; i++) {
        clients[i].fd = np_client(lab, netns_fd, &clients[i].port);
        hello[i] = (struct np_flight){ .from_fd = clients[i].fd, .to = lab->server[0][0],
                                       .at_fd = lab->server_fd[0][0] };
    }
    np_fly(hello, count, lab->wait_ms);
    for (size_t i = 0; i < count; i++)
        clients[i].mapped = hello[i].source;
}

static void clients_close(struct client *clients, size_t count)
{
    for (size_t i = 0; i < count; i++)
        close(clients[i].fd);
}

static bool all_mapped(const struct client *clients, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (clients[i].mapped.len == 0)
            return false;
    return true;
}

/* One datagram, the short form of a batch. */
static bool fly_one(const struct np_lab *lab, int from_fd, const struct np_addr *to, int at_fd,
                    struct np_addr *source)
{
    struct np_flight f = { .from_fd = from_fd, .to = *to, .at_fd = at_fd };

    np_fly(&f, 1, lab->wait_ms);
    if (source)
        *source = f.source;
    return f.arrived;
}

void np_test_mapping(const struct np_lab *lab, struct np_report *r)
{
    struct client clients[MAP_TRIALS];
    struct np_addr seen[MAP_TRIALS][4];

    clients_open(lab, lab->client_ns, clients, MAP_TRIALS);
    for (int server = 0; server < 4; server++) {
        struct np_flight f[MAP_TRIALS];

        for (int t = 0; t < MAP_TRIALS; t++)
            f[t] = (struct np_flight){ .from_fd = clients[t].fd, .to = lab->server[server / 2][server % 2],
                                       .at_fd = lab->server_fd[server / 2][server % 2] };
        np_fly(f, MAP_TRIALS, lab->wait_ms);
        for (int t = 0; t < MAP_TRIALS; t++)
            seen[t][server] = f[t].source;
    }
    for (int t = 0; t < MAP_TRIALS; t++) {
        struct np_addr local = np_local_address(lab->client_ns, &lab->server[0][0], clients[t].port);
        enum np_mapping one = np_judge_mapping(seen[t], &local);

        r->mapping = t == 0 ? one : np_join_mapping(r->mapping, one);
    }
    clients_close(clients, MAP_TRIALS);
    r->done |= NP_TEST_MAPPING;
}

void np_test_filtering(const struct np_lab *lab, struct np_report *r)
{
    enum { COUNT = 3 * FILTER_TRIALS };
    /* from: another address and port, another address, another port only */
    static const int from[3][2] = { { 1, 1 }, { 1, 0 }, { 0, 1 } };
    struct client clients[COUNT];
    struct np_flight probe[COUNT], control[COUNT];
    unsigned through[3] = { 0 }, controls = 0;

    clients_open(lab, lab->client_ns, clients, COUNT);
    for (int i = 0; i < COUNT; i++) {
        const int *f = from[i % 3];

        probe[i] = (struct np_flight){ .from_fd = lab->server_fd[f[0]][f[1]], .to = clients[i].mapped,
                                       .at_fd = clients[i].fd };
        control[i] = probe[i];
        control[i].from_fd = lab->server_fd[0][0];
    }
    np_fly(probe, COUNT, lab->wait_ms);
    np_fly(control, COUNT, lab->wait_ms);
    for (int i = 0; i < COUNT; i++) {
        through[i % 3] += probe[i].arrived;
        controls += control[i].arrived;
    }
    clients_close(clients, COUNT);
    /* the two "other address" probes must agree; a disagreement shows as a mixed count */
    r->filtering = np_judge_filtering(through[0] + through[1], through[2], controls, FILTER_TRIALS);
    r->done |= NP_TEST_FILTERING;
}

void np_test_ports(const struct np_lab *lab, struct np_report *r)
{
    struct client clients[PORT_TRIALS];
    uint16_t local[PORT_TRIALS], mapped[PORT_TRIALS];
    size_t count = 0;

    clients_open(lab, lab->client_ns, clients, PORT_TRIALS);
    r->port_lowest = 65535;
    r->port_highest = 0;
    for (size_t i = 0; i < PORT_TRIALS; i++) {
        if (clients[i].mapped.len == 0)
            continue;
        local[count] = clients[i].port;
        mapped[count] = np_addr_port(&clients[i].mapped);
        if (mapped[count] < r->port_lowest)
            r->port_lowest = mapped[count];
        if (mapped[count] > r->port_highest)
            r->port_highest = mapped[count];
        count++;
    }
    clients_close(clients, PORT_TRIALS);
    r->ports = np_judge_ports(local, mapped, count);
    r->done |= NP_TEST_PORTS;
}

/* A peer's packet reaches the router before the client has sent anything to
 * that peer. A good router drops it without a trace; a bare Linux masquerade
 * remembers it and then gives the client's own packet another port. */
void np_test_punch(const struct np_lab *lab, struct np_report *r)
{
    struct client clients[PUNCH_TRIALS];
    struct np_flight early[PUNCH_TRIALS], out[PUNCH_TRIALS], again[PUNCH_TRIALS];
    unsigned worked = 0;

    clients_open(lab, lab->client_ns, clients, PUNCH_TRIALS);
    r->done |= NP_TEST_PUNCH;
    if (!all_mapped(clients, PUNCH_TRIALS)) {
        clients_close(clients, PUNCH_TRIALS);
        r->punch = NP_PUNCH_BLOCKED;
        return;
    }
    for (int i = 0; i < PUNCH_TRIALS; i++) {
        early[i] = (struct np_flight){ .from_fd = lab->server_fd[1][1], .to = clients[i].mapped,
                                       .at_fd = clients[i].fd };
        again[i] = early[i];
        out[i] = (struct np_flight){ .from_fd = clients[i].fd, .to = lab->server[1][1],
                                     .at_fd = lab->server_fd[1][1] };
    }
    np_fly(early, PUNCH_TRIALS, lab->wait_ms);
    np_fly(out, PUNCH_TRIALS, lab->wait_ms);
    np_fly(again, PUNCH_TRIALS, lab->wait_ms);
    r->punch_remapped = 0;
    for (int i = 0; i < PUNCH_TRIALS; i++) {
        r->punch_remapped += out[i].arrived && !np_addr_same(&out[i].source, &clients[i].mapped);
        worked += again[i].arrived;
    }
    clients_close(clients, PUNCH_TRIALS);
    r->punch = worked == PUNCH_TRIALS ? NP_PUNCH_OK : worked == 0 ? NP_PUNCH_FAIL : NP_PUNCH_FLAKY;
}

void np_test_hairpin(const struct np_lab *lab, struct np_report *r)
{
    struct client a, b;
    struct np_addr source;

    clients_open(lab, lab->client_ns, &a, 1);
    clients_open(lab, lab->client2_ns, &b, 1);
    r->hairpin = NP_HAIRPIN_BLOCKED;
    r->hairpin_external = false;
    if (all_mapped(&a, 1) && all_mapped(&b, 1)) {
        r->hairpin = NP_HAIRPIN_NO;
        if (fly_one(lab, b.fd, &a.mapped, a.fd, &source)) {
            r->hairpin = NP_HAIRPIN_YES;
        } else {
            fly_one(lab, a.fd, &b.mapped, b.fd, NULL);
            if (fly_one(lab, b.fd, &a.mapped, a.fd, &source))
                r->hairpin = NP_HAIRPIN_AFTER_PUNCH;
        }
        r->hairpin_external = np_addr_same(&source, &b.mapped);
    }
    clients_close(&a, 1);
    clients_close(&b, 1);
    r->done |= NP_TEST_HAIRPIN;
}

void np_test_lifetime(const struct np_lab *lab, struct np_report *r)
{
    const double at_s[2] = { r->lifetime_alive_s, r->lifetime_gone_s };
    struct client clients[2];
    struct np_flight reply[2];
    bool alive[2];

    r->done |= NP_TEST_LIFETIME;
    clients_open(lab, lab->client_ns, clients, 2);
    for (int i = 0; i < 2; i++)
        reply[i] = (struct np_flight){ .from_fd = lab->server_fd[0][0], .to = clients[i].mapped,
                                       .at_fd = clients[i].fd };
    np_fly(reply, 2, lab->wait_ms);
    int64_t start_ms = lab_now_ms();
    if (!reply[0].arrived || !reply[1].arrived) {
        clients_close(clients, 2);
        r->lifetime = NP_LIFE_BLOCKED;
        return;
    }
    for (int i = 0; i < 2; i++) {
        lab_sleep_until_ms(start_ms + (int64_t)(at_s[i] * 1000));
        alive[i] = fly_one(lab, lab->server_fd[0][0], &clients[i].mapped, clients[i].fd, NULL);
    }
    clients_close(clients, 2);
    r->lifetime = !alive[0] ? NP_LIFE_SHORTER : alive[1] ? NP_LIFE_LONGER : NP_LIFE_AS_SAID;
}
