/* The coordinator's name becomes addresses.
 *
 * A literal address needs no look-up. A name is looked up (resolve.h) at start,
 * when the node has had no answer for 0.9 s (the coordinator may have moved), and when
 * the host's network changed; after a failure again in 1, 2, 4 .. 30 s. Of several
 * addresses of a family the next is taken when a whole attempt, of 8 s, had no
 * answer: a dead one is not for ever, and a slow one is not given up.
 * A host without IPv4 asks for an IPv4 coordinator through its network's NAT64: of 64:ff9b::/96 at once, in case
 * there is one, and of another prefix as soon as the network's name server has told it (nat64.h).
 *
 *   RESOLVING -> CONNECTING -> CONNECTED -> JOINED        REFUSED is the end of the
 *      ^  `-> UNRESOLVED         ^ `------ CONNECTED       coordinator's part only: tunnels
 *      `--------'                `-------- (session lost)  to members that are known go on */
#include "overlay_inside.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"
#include "udp_msg.h"

#define RETRY_MIN_MS 1000u
#define RETRY_MAX_MS 30000u

static const char *const state_name[] = {
    [COORD_RESOLVING] = "resolving", [COORD_UNRESOLVED] = "unresolved",
    [COORD_CONNECTING] = "connecting", [COORD_CONNECTED] = "connected",
    [COORD_JOINED] = "joined", [COORD_REFUSED] = "refused",
};

const char *overlay_coord_state_name(enum overlay_coord_state s)
{
    return state_name[s];
}

void overlay_coord_changed(struct overlay *o, enum overlay_coord_state s)
{
    o->coord_state = s;
    overlay_tell_watchers(o);
}

/* ---- addresses ---- */

static bool has_way_to(const struct tn_addr *v4)
{
    union udp_sockaddr sa;
    socklen_t len = udp_to_sockaddr(v4, true, &sa);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool ok = fd < 0 || connect(fd, &sa.sa, len) == 0; /* sends nothing; without a socket nothing is known */

    if (fd >= 0)
        close(fd);
    return ok;
}

/* Where this host has no IPv4, a coordinator that has nothing else may be reached by the network's NAT64, of
 * which DNS64 tells by a name, and nobody by a literal address. */
static bool needs_nat64(const struct tn_addr *v4, const struct tn_addr *v6)
{
    return tn_addr_is_zero(v6) && !tn_addr_is_zero(v4) && !has_way_to(v4);
}

static struct tn_addr by_nat64(const struct overlay *o, const struct tn_addr *v4)
{
    const struct nat64 well_known = nat64_well_known();

    return nat64_make(o->nat64.len ? &o->nat64 : &well_known, v4);
}

static void apply(struct overlay *o, const struct tn_addr *v4, const struct tn_addr *v6)
{
    char text[2][ADDR_TEXT_LEN];

    o->resolved = true;
    o->resolve_failures = 0;
    o->coordinator.v4 = *v4;
    o->coordinator.v6 = *v6;
    memcpy(o->coordinator.public_key, o->self.coordinator.public_key, 32);
    log_debug("coordinator %s is %s %s", o->self.coordinator.host,
              tn_addr_is_zero(v4) ? "-" : addr_text(v4, text[0]),
              tn_addr_is_zero(v6) ? "-" : addr_text(v6, text[1]));
    tn_node_set_coordinator(o->t->node, &o->coordinator, tund_now());
    overlay_metered_check(o);
    overlay_stream_on_change(o);
    if (o->coord_state == COORD_RESOLVING || o->coord_state == COORD_UNRESOLVED)
        overlay_coord_changed(o, COORD_CONNECTING);
    tund_pump(o->t);
}

/* A network without DNS64 says that there is no such address, and then it is asked as if it had the usual one. */
static void on_nat64(void *ctx, const struct resolve_result *r)
{
    struct overlay *o = ctx;
    const struct tn_addr v4 = o->coordinator.v4, v6 = o->coordinator.v6, before = by_nat64(o, &v4);
    struct tn_addr now;

    o->nat64_lookup = NULL;
    if (r->error || !nat64_find(&o->nat64, r->addr, r->count))
        o->nat64.len = 0;
    now = by_nat64(o, &v4);
    if (tn_addr_equal(&v6, &before) && !tn_addr_equal(&now, &before))
        apply(o, &v4, &now);
}

static void ask_for_nat64(struct overlay *o)
{
    int err = o->nat64_lookup ? 0 : resolve_start(&o->nat64_lookup, &o->t->loop, NAT64_NAME, 0, on_nat64, o);

    if (err)
        log_debug("cannot ask for the prefix of a NAT64: %s", strerror(-err));
}

static void use(struct overlay *o, const struct tn_addr *v4, const struct tn_addr *v6)
{
    bool by_nat = needs_nat64(v4, v6);
    const struct tn_addr made = by_nat ? by_nat64(o, v4) : *v6;

    apply(o, v4, &made);
    if (by_nat)
        ask_for_nat64(o);
}

/* A datagram to a member's address would go through the tunnel that it is to carry. */
static bool is_usable(const struct overlay *o, const struct tn_addr *a)
{
    return !prefix_contains(&o->prefix4, a) && !prefix_contains(&o->prefix6, a);
}

/* Number `turn`, round and round, of the addresses of one family. */
static struct tn_addr choose(const struct overlay *o, const struct resolve_result *r, bool v4,
                             unsigned turn)
{
    struct tn_addr found[RESOLVE_MAX], none = {0};
    unsigned count = 0;

    for (unsigned i = 0; i < r->count; i++) {
        if (tn_addr_is_v4(&r->addr[i]) == v4 && is_usable(o, &r->addr[i]))
            found[count++] = r->addr[i];
    }
    return count ? found[turn % count] : none;
}

/* ---- look-ups ---- */

static void on_retry(uv_timer_t *timer)
{
    overlay_resolve(timer->data);
}

static void failed(struct overlay *o, const char *reason)
{
    uint64_t wait_ms = RETRY_MIN_MS << (o->resolve_failures < 5 ? o->resolve_failures : 5);

    if (wait_ms > RETRY_MAX_MS)
        wait_ms = RETRY_MAX_MS;
    snprintf(o->resolve_error, sizeof(o->resolve_error), "%s", reason);
    if (o->resolve_failures++ == 0)
        log_warn("cannot look up the coordinator %s: %s; it is tried again",
                 o->self.coordinator.host, reason);
    if (!o->resolved && o->coord_state < COORD_CONNECTED) /* else TLS goes by a proxy */
        overlay_coord_changed(o, COORD_UNRESOLVED);
    if (uv_timer_start(&o->resolve_timer, on_retry, wait_ms, 0) != 0)
        log_error("no timer to look the coordinator up again");
}

static void on_resolved(void *ctx, const struct resolve_result *r)
{
    struct overlay *o = ctx;
    struct tn_addr v4 = choose(o, r, true, o->resolve_count);
    struct tn_addr v6 = choose(o, r, false, o->resolve_count);

    o->lookup = NULL;
    if (r->error)
        failed(o, gai_strerror(r->error));
    else if (tn_addr_is_zero(&v4) && tn_addr_is_zero(&v6))
        failed(o, "the name has no address that could be used");
    else
        use(o, &v4, &v6);
}

/* True where the host is a literal address: it was used, or it cannot be. */
static bool use_literal(struct overlay *o)
{
    const char *host = o->self.coordinator.host;
    uint16_t port = o->self.coordinator.port;
    struct tn_addr none = {0}, a;
    uint8_t ip[16];

    if (inet_pton(AF_INET, host, ip) == 1)
        a = tn_addr_v4(ip, port);
    else if (inet_pton(AF_INET6, host, ip) == 1)
        a = tn_addr_v6(ip, port);
    else
        return false;
    if (!is_usable(o, &a))
        failed(o, "its address is one of the overlay's own");
    else if (tn_addr_is_v4(&a))
        use(o, &a, &none);
    else
        use(o, &none, &a);
    return true;
}

void overlay_resolve(struct overlay *o)
{
    const struct tn_url *c = &o->self.coordinator;
    int err;

    if (o->lookup || use_literal(o))
        return;
    err = resolve_start(&o->lookup, &o->t->loop, c->host, c->port, on_resolved, o);
    if (err)
        failed(o, strerror(-err));
}

void overlay_resolve_again(struct overlay *o, bool another)
{
    if (another)
        o->resolve_count++;
    overlay_resolve(o);
}

void overlay_coord_begin(struct overlay *o)
{
    /* before any address is known: a proxy may know one */
    memcpy(o->coordinator.public_key, o->self.coordinator.public_key, 32);
    tn_node_set_coordinator(o->t->node, &o->coordinator, tund_now());
    overlay_resolve(o);
}

void overlay_resolve_stop(struct overlay *o)
{
    resolve_stop(o->lookup);
    resolve_stop(o->nat64_lookup);
    o->lookup = o->nat64_lookup = NULL;
}
