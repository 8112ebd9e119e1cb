/* The packet's walk in one piece and in three: two worlds from one seed, the same packets, losses and
 * lies in both; in one everything goes through tn_from_tun and tn_from_net, in the other jobs are
 * planned in batches, run in any order, and committed. What comes out must be the same. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "libtunnel/job.h"
#include "simnode.h"

#define MEM_LEN 2048
#define BATCH_MAX 24
#define PENDING_MAX 64

struct slot {
    uint8_t mem[MEM_LEN];
    struct tn_buf b;
    enum tn_verdict verdict;
    uint32_t peer;
    struct tn_route route;
    struct tn_job job;
};

/* On its way to node `to`. */
struct datagram {
    uint8_t data[MEM_LEN];
    size_t len;
    int to;
};

struct universe {
    struct sim *s;
    bool in_three;
    struct slot slot[BATCH_MAX];
    struct datagram pending[PENDING_MAX];
    size_t pending_count;
    unsigned delivered, sent, worked;
};

struct twins {
    struct tn_rng rng; /* decides for both */
    struct universe one, three;
};

static void put(struct slot *s, const uint8_t *data, size_t len)
{
    memset(s->mem, 0, sizeof s->mem);
    memcpy(s->mem + TN_BUF_HEADROOM, data, len);
    s->b = (struct tn_buf){.mem = s->mem, .cap = MEM_LEN, .off = TN_BUF_HEADROOM, .len = len};
    s->peer = TN_NO_PEER;
    s->verdict = TN_DROP;
    memset(&s->route, 0, sizeof s->route);
    memset(&s->job, 0, sizeof s->job);
}

static struct tn_addr address_of(const struct universe *u, int i)
{
    struct tn_addr a = u->s->w->host[u->s->node[i].host].ip;

    a.port = SIM_PORT;
    return a;
}

static void remember(struct universe *u, const struct tn_buf *b, int to)
{
    struct datagram *d = &u->pending[u->pending_count];

    if (u->pending_count == PENDING_MAX)
        return;
    memcpy(d->data, tn_buf_data(b), b->len);
    d->len = b->len;
    d->to = to;
    u->pending_count++;
}

/* From a seed that both worlds share, so that no world's own generator is asked. */
static void run_shuffled(struct universe *u, size_t first, size_t end, uint32_t seed)
{
    size_t order[BATCH_MAX], count = 0;

    for (size_t i = first; i < end; i++) {
        if (u->slot[i].job.msg)
            order[count++] = i;
    }
    for (size_t i = count; i > 1; i--) {
        size_t j, t;

        seed = seed * 1664525u + 1013904223u;
        j = (seed >> 8) % i;
        t = order[i - 1];
        order[i - 1] = order[j];
        order[j] = t;
    }
    for (size_t i = 0; i < count; i++)
        tn_job_run(&u->slot[order[i]].job);
    u->worked += (unsigned)count;
}

/* ---- from the TUN ---- */

static void push_all(struct universe *u, int from, size_t count, uint32_t seed)
{
    struct tn_node *n = u->s->node[from].node;

    for (size_t i = 0; i < count; i++) {
        struct slot *s = &u->slot[i];

        if (u->in_three)
            s->verdict = tn_plan_tun(n, &s->b, u->s->w->now, &s->route, &s->peer, &s->job);
        else
            s->verdict = tn_from_tun(n, &s->b, u->s->w->now, &s->route, &s->peer);
        if (s->verdict != TN_SEND)
            s->job.msg = NULL;
    }
    run_shuffled(u, 0, count, seed);
    for (size_t i = 0; i < count; i++) {
        if (u->slot[i].verdict == TN_SEND) {
            remember(u, &u->slot[i].b, 1 - from);
            u->sent++;
        }
    }
}

/* ---- from the net ---- */

static void commit(struct universe *u, struct tn_node *n, size_t first, size_t end,
                   const struct tn_addr *src, uint32_t seed)
{
    run_shuffled(u, first, end, seed);
    for (size_t i = first; i < end; i++) {
        struct slot *s = &u->slot[i];

        if (s->verdict == TN_WORK)
            s->verdict = tn_commit_net(n, &s->b, src, u->s->w->now, &s->peer, &s->job);
    }
}

static void receive_all(struct universe *u, int to, size_t count, uint32_t seed)
{
    struct tn_node *n = u->s->node[to].node;
    struct tn_addr src = address_of(u, 1 - to);
    size_t first = 0;

    for (size_t i = 0; i < count; i++) {
        struct slot *s = &u->slot[i];

        if (!u->in_three) {
            s->verdict = tn_from_net(n, &s->b, &src, u->s->w->now, &s->peer);
            continue;
        }
        if (!tn_may_plan_net(&s->b)) {
            commit(u, n, first, i, &src, seed);
            first = i;
        }
        s->verdict = tn_plan_net(n, &s->b, &src, u->s->w->now, &s->job);
        if (s->verdict != TN_WORK) {
            assert_null(s->job.msg);
        }
    }
    if (u->in_three)
        commit(u, n, first, count, &src, seed);
    for (size_t i = 0; i < count; i++)
        u->delivered += u->slot[i].verdict == TN_DELIVER;
}

static void drain(struct universe *u, int i)
{
    static uint8_t mem[MEM_LEN];
    struct tn_buf b = {.mem = mem, .cap = sizeof mem};
    struct tn_route route;
    struct tn_event ev;

    while (tn_poll_event(u->s->node[i].node, &ev))
        ;
    while (tn_poll_out(u->s->node[i].node, &b, u->s->w->now, &route))
        remember(u, &b, 1 - i);
}

/* ---- both ---- */

static uint32_t below(struct twins *t, uint32_t bound)
{
    return tn_rng_below(&t->rng, bound);
}

static void start(struct universe *u, uint64_t seed, bool in_three)
{
    memset(u, 0, sizeof *u);
    u->in_three = in_three;
    u->s = sim_new(seed);
    sim_add_plain(u->s, "55.2.1.2", -1, 5000);
    sim_add_plain(u->s, "55.2.2.2", -1, 5000);
    sim_peer_plain(u->s, 0, 1, NULL);
    tn_node_peer_set_endpoint(u->s->node[1].node, sim_peer_slot(u->s, 1, 0),
                              &(struct tn_addr){.ip = {0}});
}

static void assert_same(struct twins *t, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct slot *a = &t->one.slot[i], *b = &t->three.slot[i];

        assert_int_equal(a->verdict, b->verdict);
        if (a->verdict != TN_SEND && a->verdict != TN_DELIVER)
            continue;
        assert_int_equal(a->peer, b->peer);
        assert_int_equal(a->b.len, b->b.len);
        assert_memory_equal(tn_buf_data(&a->b), tn_buf_data(&b->b), a->b.len);
        assert_true(tn_addr_equal(&a->route.to, &b->route.to));
    }
    assert_int_equal(t->one.pending_count, t->three.pending_count);
    for (size_t i = 0; i < t->one.pending_count; i++) {
        assert_int_equal(t->one.pending[i].len, t->three.pending[i].len);
        assert_memory_equal(t->one.pending[i].data, t->three.pending[i].data,
                            t->one.pending[i].len);
    }
}

/* A packet of the inner network, or something that is none. */
static size_t make_packet(struct twins *t, uint8_t *p, int from)
{
    size_t len = 20 + below(t, 1400);

    tn_rng_bytes(&t->rng, p, len);
    p[0] = below(t, 30) ? 0x45 : (uint8_t)below(t, 256);
    tn_put_be16(p + 2, (uint16_t)(below(t, 30) ? len : below(t, 2000)));
    memcpy(p + 12, (uint8_t[]){10, 66, 0, (uint8_t)(from + 1)}, 4);
    if (!below(t, 30))
        p[15] = 9; /* an address that is not his */
    memcpy(p + 16, (uint8_t[]){10, 66, 0, (uint8_t)(below(t, 20) ? 2 - from : 77)}, 4);
    return len;
}

static void send_some(struct twins *t)
{
    int from = (int)below(t, 2);
    size_t count = 1 + below(t, BATCH_MAX);
    uint32_t seed = tn_rng_u32(&t->rng);
    uint8_t packet[1500];

    for (size_t i = 0; i < count; i++) {
        size_t len = make_packet(t, packet, from);

        put(&t->one.slot[i], packet, len);
        put(&t->three.slot[i], packet, len);
    }
    push_all(&t->one, from, count, seed);
    push_all(&t->three, from, count, seed);
    assert_same(t, count);
}

/* Loses, doubles, damages and cuts; the same in both. */
static size_t spoil(struct twins *t, uint8_t *data, size_t len)
{
    switch (below(t, 12)) {
    case 0:
        data[below(t, (uint32_t)len)] ^= (uint8_t)(1u << below(t, 8));
        return len;
    case 1:
        return below(t, (uint32_t)len + 1);
    default:
        return len;
    }
}

static void receive_some(struct twins *t)
{
    int to = (int)below(t, 2);
    size_t count = 0, kept = 0, want = 1 + below(t, BATCH_MAX);
    uint32_t seed = tn_rng_u32(&t->rng);
    uint8_t data[MEM_LEN];

    for (size_t i = 0; i < t->one.pending_count; i++) {
        struct datagram *d = &t->one.pending[i];
        size_t len = d->len;
        uint32_t fate = below(t, 16);

        if (d->to != to || count == want || (!fate && count)) { /* overtaken by the next */
            t->one.pending[kept] = *d;
            t->three.pending[kept++] = *d;
            continue;
        }
        if (fate == 1)
            continue;
        memcpy(data, d->data, len);
        len = spoil(t, data, len);
        for (int copies = fate == 2 ? 2 : 1; copies && count < want; copies--, count++) {
            put(&t->one.slot[count], data, len);
            put(&t->three.slot[count], data, len);
        }
    }
    t->one.pending_count = t->three.pending_count = kept;
    receive_all(&t->one, to, count, seed);
    receive_all(&t->three, to, count, seed);
    assert_same(t, count);
}

static void let_time_pass(struct twins *t)
{
    uint64_t us = below(t, 40) ? below(t, 2000000) : TN_S(60) + below(t, 130000000);

    t->one.s->w->now.us += us;
    t->one.s->w->now.unix_ns += us * 1000;
    t->three.s->w->now = t->one.s->w->now;
    for (int i = 0; i < 2; i++) {
        tn_tick(t->one.s->node[i].node, t->one.s->w->now);
        tn_tick(t->three.s->node[i].node, t->one.s->w->now);
    }
}

static void assert_same_nodes(struct twins *t)
{
    for (int i = 0; i < 2; i++) {
        const struct tn_counters *a = tn_node_counters(t->one.s->node[i].node);
        const struct tn_counters *b = tn_node_counters(t->three.s->node[i].node);
        struct tn_peer_info x, y;

        assert_true(tn_node_peer_info(t->one.s->node[i].node, 0, &x));
        assert_true(tn_node_peer_info(t->three.s->node[i].node, 0, &y));
        assert_int_equal(x.tx_bytes, y.tx_bytes);
        assert_int_equal(x.rx_bytes, y.rx_bytes);
        assert_int_equal(x.last_handshake_unix_ns, y.last_handshake_unix_ns);
        assert_int_equal(a->rx_packets, b->rx_packets);
        assert_int_equal(a->tx_packets, b->tx_packets);
        assert_int_equal(a->handshakes, b->handshakes);
        assert_int_equal(a->drop_source, b->drop_source);
        assert_int_equal(a->drop_no_session, b->drop_no_session);
        /* one that is both doubled and damaged is dropped for the one or the other */
        assert_int_equal(a->drop_replay + a->drop_auth, b->drop_replay + b->drop_auth);
    }
}

static void in_three_parts_and_any_order_the_walk_ends_where_it_does_in_one(void **state)
{
    static struct twins t;
    unsigned handshakes = 0;

    (void)state;
    for (uint64_t run = 0; run < 40; run++) {
        uint64_t seed = sim_seed(7000 + run);
        uint8_t key[32] = {0};

        tn_put_le64(key, seed);
        tn_rng_init(&t.rng, key);
        start(&t.one, seed, false);
        start(&t.three, seed, true);
        for (int step = 0; step < 400; step++) {
            switch (below(&t, 5)) {
            case 0:
                send_some(&t);
                break;
            case 1:
                let_time_pass(&t);
                break;
            default:
                receive_some(&t);
                break;
            }
            for (int i = 0; i < 2; i++) {
                drain(&t.one, i);
                drain(&t.three, i);
            }
            assert_same(&t, 0);
        }
        assert_same_nodes(&t);
        assert_true(t.one.delivered > 100);
        assert_true(t.three.worked > t.one.delivered);
        assert_int_equal(t.one.worked, 0);
        handshakes += (unsigned)tn_node_counters(t.one.s->node[0].node)->handshakes;
        sim_free(t.one.s);
        sim_free(t.three.s);
    }
    assert_true(handshakes > 100); /* sessions came and went under the packets */
}

/* The session that a planned packet was opened with may be gone when it is committed: a packet before
 * it made the next one current, twice over. It is then dropped, as it would be in one piece. */
static void a_packet_whose_session_ended_since_the_plan_is_dropped(void **state)
{
    struct universe *u = &(struct universe){0};
    struct tn_addr src;
    struct slot *late, *s;

    (void)state;
    start(u, sim_seed(7100), true);
    s = &u->slot[0];
    late = &u->slot[1];
    src = address_of(u, 0);
    for (int i = 0; i < 200 && !u->delivered; i++) {
        uint8_t packet[60] = {0x45, 0, 0, 60};

        memcpy(packet + 12, (uint8_t[]){10, 66, 0, 1, 10, 66, 0, 2}, 8);
        put(s, packet, sizeof packet);
        push_all(u, 0, 1, 1);
        drain(u, 0);
        while (u->pending_count) {
            struct datagram d = u->pending[--u->pending_count];

            put(s, d.data, d.len);
            receive_all(u, d.to, 1, 1);
            drain(u, d.to);
        }
    }
    assert_true(u->delivered > 0);
    {
        uint8_t packet[60] = {0x45, 0, 0, 60};

        memcpy(packet + 12, (uint8_t[]){10, 66, 0, 1, 10, 66, 0, 2}, 8);
        put(s, packet, sizeof packet);
        push_all(u, 0, 1, 1);
    }
    put(late, u->pending[0].data, u->pending[0].len);
    assert_int_equal(
        tn_plan_net(u->s->node[1].node, &late->b, &src, u->s->w->now, &late->job), TN_WORK);
    tn_job_run(&late->job);
    assert_int_equal(late->job.err, 0);
    assert_int_equal(tn_node_set_private_key(u->s->node[1].node, (const uint8_t[32]){1}), 0);
    assert_int_equal(tn_commit_net(u->s->node[1].node, &late->b, &src, u->s->w->now, &late->peer,
                                   &late->job),
                     TN_DROP);
    assert_int_equal(late->peer, TN_NO_PEER);
    sim_free(u->s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_three_parts_and_any_order_the_walk_ends_where_it_does_in_one),
        cmocka_unit_test(a_packet_whose_session_ended_since_the_plan_is_dropped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
