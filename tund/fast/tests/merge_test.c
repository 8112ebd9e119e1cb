/* Merging for the TUN: what is merged, what never is, and that splitting gives back every byte. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "packets.h"
#include "tund/fast/merge.h"
#include "tund/fast/split.h"

#define PACKETS_MAX 512
#define ACK FAST_TCP_ACK

static struct fast_merge m;
static struct packet packet[PACKETS_MAX], original[PACKETS_MAX]; /* that went in */
static struct packet came[PACKETS_MAX];                          /* that came out, split again */
static struct packet joined;
static struct virtio_net_hdr last_header;
static int made, came_count, writes, fail_with;

/* As the kernel would: takes what was written apart again. */
static int on_write(void *ctx, const struct virtio_net_hdr *h, const struct iovec *iov, int count)
{
    struct fast_split s;

    joined.len = 0;
    for (int i = 0; i < count; i++) {
        memcpy(joined.data + joined.len, iov[i].iov_base, iov[i].iov_len);
        joined.len += iov[i].iov_len;
    }
    writes++;
    last_header = *h;
    assert_true(came_count < PACKETS_MAX);
    if (h->gso_type == VIRTIO_NET_HDR_GSO_NONE) {
        came[came_count].len = joined.len;
        memcpy(came[came_count++].data, joined.data, joined.len);
        return fail_with;
    }
    assert_int_equal(fast_split_begin(&s, h, joined.data, joined.len), 0);
    while (fast_split_next_len(&s)) {
        assert_true(came_count < PACKETS_MAX);
        came[came_count].len = fast_split_next(&s, came[came_count].data);
        came_count++;
    }
    return fail_with;
}

static int begin_test(void **state)
{
    const struct fast_merge_kinds all = {true, true, true, true};

    fast_merge_init(&m, &all, on_write, NULL);
    made = came_count = writes = fail_with = 0;
    return 0;
}

static struct packet_plan plan(bool v6, bool udp)
{
    return (struct packet_plan){.v6 = v6, .udp = udp, .host = 7, .port = 3, .tos = 2, .ttl = 61,
                                .flags = ACK, .id = 0xfffe, .frag = 0x4000, .window = 501,
                                .tcp_options_len = 12, .seq = 0xfffff000, .ack = 77, .label = 0x12345,
                                .payload_len = 1000};
}

static void follow(struct packet_plan *w)
{
    w->seq += w->payload_len;
    w->id++;
}

static struct packet *make(const struct packet_plan *w)
{
    packet_make(&packet[made], w);
    return &packet[made++];
}

/* Pushes all that were made and flushes. */
static void push_all(void)
{
    for (int i = 0; i < made; i++) {
        original[i] = packet[i];
        assert_int_equal(fast_merge_push(&m, packet[i].data, packet[i].len), 0);
    }
    assert_int_equal(fast_merge_flush(&m), 0);
}

static void check_same_bytes(void)
{
    assert_int_equal(came_count, made);
    for (int i = 0; i < made; i++) {
        assert_int_equal(came[i].len, original[i].len);
        assert_memory_equal(came[i].data, original[i].data, came[i].len);
    }
}

static void packets_that_follow_one_another_are_written_as_one(void **state)
{
    for (int kind = 0; kind < 4; kind++) {
        struct packet_plan w = plan(kind & 1, kind & 2);

        begin_test(NULL);
        for (int i = 0; i < 5; i++, follow(&w))
            make(&w);
        w.payload_len = 333;
        make(&w);
        push_all();
        assert_int_equal(writes, 1);
        assert_int_equal(last_header.gso_size, 1000);
        assert_int_equal(last_header.hdr_len, packet[0].hdr_len);
        check_same_bytes();
    }
}

static void psh_and_fin_end_a_merged_packet(void **state)
{
    const uint8_t flags[] = {FAST_TCP_PSH, FAST_TCP_FIN, FAST_TCP_PSH | FAST_TCP_FIN};

    for (size_t i = 0; i < sizeof flags; i++) {
        struct packet_plan w = plan(i & 1, false);

        begin_test(NULL);
        make(&w);
        follow(&w);
        w.flags |= flags[i];
        make(&w);
        follow(&w);
        w.flags = ACK;
        make(&w);
        follow(&w);
        make(&w);
        push_all();
        assert_int_equal(writes, 2);
        check_same_bytes();
    }
}

static void cwr_may_be_on_the_first_only(void **state)
{
    struct packet_plan w = plan(false, false);

    w.flags = ACK | FAST_TCP_CWR;
    make(&w);
    follow(&w);
    w.flags = ACK;
    make(&w);
    push_all();
    assert_int_equal(writes, 1);
    assert_int_equal(last_header.gso_type, VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN);
    check_same_bytes();
}

/* The second of two that would be merged but for one thing. */
static void set_ttl(struct packet_plan *w) { w->ttl++; }
static void set_tos(struct packet_plan *w) { w->tos ^= 0x10; }
static void set_ecn(struct packet_plan *w) { w->tos ^= 1; }
static void set_df(struct packet_plan *w) { w->frag = 0; }
static void set_fragment(struct packet_plan *w) { w->frag = 0x2000; }
static void set_offset(struct packet_plan *w) { w->frag = 5; }
static void set_evil(struct packet_plan *w) { w->frag = 0xc000; }
static void set_id(struct packet_plan *w) { w->id++; }
static void set_same_id(struct packet_plan *w) { w->id--; }
static void set_ip_options(struct packet_plan *w) { w->ip_options_len = 4; }
static void set_label(struct packet_plan *w) { w->label++; }
static void set_longer(struct packet_plan *w) { w->payload_len++; }
static void set_empty(struct packet_plan *w) { w->payload_len = 0; }
static void set_port(struct packet_plan *w) { w->port++; }
static void set_gap(struct packet_plan *w) { w->seq++; }
static void set_overlap(struct packet_plan *w) { w->seq--; }
static void set_ack(struct packet_plan *w) { w->ack++; }
static void set_window(struct packet_plan *w) { w->window++; }
static void set_tcp_options(struct packet_plan *w) { w->tcp_options_len += 4; }
static void set_syn(struct packet_plan *w) { w->flags |= FAST_TCP_SYN; }
static void set_rst(struct packet_plan *w) { w->flags |= FAST_TCP_RST; }
static void set_urg(struct packet_plan *w) { w->flags |= FAST_TCP_URG; }
static void set_cwr(struct packet_plan *w) { w->flags |= FAST_TCP_CWR; }
static void set_ece(struct packet_plan *w) { w->flags |= 0x40; }
static void set_no_ack(struct packet_plan *w) { w->flags = 0; }

enum { V4 = 1, V6 = 2, TCP = 4, UDP = 8, ANY = 15 };
static const struct difference {
    const char *name;
    int where;
    void (*change)(struct packet_plan *w);
} differences[] = {
    {"TTL", ANY, set_ttl}, {"TOS", ANY, set_tos}, {"ECN", ANY, set_ecn},
    {"DF", V4 | TCP | UDP, set_df}, {"a fragment", V4 | TCP | UDP, set_fragment},
    {"a later fragment", V4 | TCP | UDP, set_offset}, {"the reserved bit", V4 | TCP | UDP, set_evil},
    {"a jump of the id", V4 | TCP | UDP, set_id}, {"the same id", V4 | TCP | UDP, set_same_id},
    {"IP options", V4 | TCP | UDP, set_ip_options}, {"flow label", V6 | TCP | UDP, set_label},
    {"longer", ANY, set_longer}, {"empty", ANY, set_empty}, {"port", ANY, set_port},
    {"a gap", V4 | V6 | TCP, set_gap}, {"an overlap", V4 | V6 | TCP, set_overlap},
    {"ack", V4 | V6 | TCP, set_ack}, {"window", V4 | V6 | TCP, set_window},
    {"TCP options", V4 | V6 | TCP, set_tcp_options}, {"SYN", V4 | V6 | TCP, set_syn},
    {"RST", V4 | V6 | TCP, set_rst}, {"URG", V4 | V6 | TCP, set_urg},
    {"CWR", V4 | V6 | TCP, set_cwr}, {"ECE", V4 | V6 | TCP, set_ece},
    {"no ACK", V4 | V6 | TCP, set_no_ack},
};

static void packets_that_differ_are_never_merged_and_keep_their_order(void **state)
{
    for (size_t d = 0; d < sizeof differences / sizeof differences[0]; d++) {
        for (int kind = 0; kind < 4; kind++) {
            struct packet_plan w = plan(kind & 1, kind & 2);
            int here = (kind & 1 ? V6 : V4) | (kind & 2 ? UDP : TCP);

            if ((differences[d].where & here) != here)
                continue;
            begin_test(NULL);
            make(&w);
            follow(&w);
            differences[d].change(&w);
            make(&w);
            push_all();
            if (writes != 2)
                fail_msg("%s: merged", differences[d].name);
            check_same_bytes();
        }
    }
}

static void a_wrong_checksum_is_left_alone(void **state)
{
    for (int kind = 0; kind < 4; kind++) {
        for (int which = 0; which < 2; which++) {
            struct packet_plan w = plan(kind & 1, kind & 2);

            begin_test(NULL);
            make(&w);
            follow(&w);
            make(&w);
            packet[which].data[packet[which].len - 1] ^= 1;
            push_all();
            assert_int_equal(writes, 2);
            check_same_bytes();
            if (packet_is_v6(&packet[0]))
                continue;
            packet[which].data[packet[which].len - 1] ^= 1;
            packet[which].data[10] ^= 1; /* the IP header's */
            came_count = writes = 0;
            push_all();
            assert_int_equal(writes, 2);
            check_same_bytes();
        }
    }
}

static void udp_without_a_checksum_is_left_alone(void **state)
{
    struct packet_plan w = plan(false, true);

    for (int i = 0; i < 2; i++, follow(&w)) {
        struct packet *p = make(&w);

        tn_put_be16(p->data + p->l4_off + 6, 0);
    }
    push_all();
    assert_int_equal(writes, 2);
    check_same_bytes();
}

static void fragments_are_never_merged(void **state)
{
    const uint16_t frag[] = {0x2000, 0x2005, 0x0005, 0x8000};

    for (size_t i = 0; i < 2 * sizeof frag / sizeof frag[0]; i++) {
        struct packet_plan w = plan(false, i % 2);

        begin_test(NULL);
        w.frag = frag[i / 2];
        make(&w);
        follow(&w);
        make(&w);
        push_all();
        assert_int_equal(writes, 2);
        check_same_bytes();
    }
}

/* Changes a word that is summed so that the checksum is nought, and stores it as `form`. */
static void make_nought(struct packet *p, bool udp, size_t word, size_t field, uint16_t form)
{
    uint32_t sum = tn_get_be16(p->data + word);

    tn_put_be16(p->data + field, 0);
    packet_seal(p, udp);
    sum += tn_get_be16(p->data + field);
    tn_put_be16(p->data + word, (uint16_t)((sum & 0xffff) + (sum >> 16)));
    packet_seal(p, udp);
    assert_true(tn_get_be16(p->data + field) == (udp && field != 10 ? 0xffff : 0));
    tn_put_be16(p->data + field, form);
}

static void a_checksum_that_is_right_in_its_other_form_is_left_alone(void **state)
{
    for (int kind = 0; kind < 4; kind++) {
        struct packet_plan w = plan(kind & 1, kind & 2);
        struct packet *p = make(&w);
        bool udp = w.udp;

        begin_test(NULL);
        make_nought(make(&w), udp, p->hdr_len, p->l4_off + (udp ? 6 : 16), udp ? 0 : 0xffff);
        follow(&w);
        make(&w);
        push_all();
        assert_int_equal(writes, 2);
        check_same_bytes();
        if (w.v6)
            continue;
        begin_test(NULL);
        w = plan(false, udp);
        make_nought(make(&w), udp, 4, 10, 0xffff); /* by the id */
        w.id = tn_get_be16(packet[0].data + 4);
        follow(&w);
        make(&w);
        push_all();
        assert_int_equal(writes, 2);
        check_same_bytes();
    }
}

static void no_more_than_64_packets_or_64_kib_are_merged(void **state)
{
    struct packet_plan w = plan(false, true);

    w.payload_len = 10;
    for (int i = 0; i < 65; i++, follow(&w))
        make(&w);
    push_all();
    assert_int_equal(writes, 2);
    check_same_bytes();
    for (int v6 = 0; v6 < 2; v6++) {
        begin_test(NULL);
        w = plan(v6, false);
        w.payload_len = 1400;
        for (int i = 0; i < 50; i++, follow(&w))
            make(&w);
        push_all();
        assert_int_equal(writes, 2);
        check_same_bytes();
    }
}

static void a_kind_that_the_tun_does_not_take_is_not_merged(void **state)
{
    const struct fast_merge_kinds kinds[4] = {{.tcp6 = true, .udp = true}, {.tcp4 = true, .udp = true},
                                              {.tcp4 = true, .tcp6 = true}, {.tcp4 = true}};

    for (int kind = 0; kind < 4; kind++) {
        struct packet_plan w = plan(kind & 1, kind & 2);

        begin_test(NULL);
        fast_merge_init(&m, &kinds[kind], on_write, NULL);
        make(&w);
        follow(&w);
        make(&w);
        push_all();
        assert_int_equal(writes, 2);
        check_same_bytes();
    }
}

static void what_can_not_be_merged_does_not_overtake_its_flow(void **state)
{
    struct packet_plan w = plan(false, false), other = plan(false, false);

    other.host = 9;
    make(&w);
    make(&other);
    follow(&w);
    w.payload_len = 0;
    make(&w); /* the first must go now, the other may wait */
    for (int i = 0; i < made; i++)
        assert_int_equal(fast_merge_push(&m, packet[i].data, packet[i].len), 0);
    assert_int_equal(came_count, 2);
    assert_int_equal(came[0].data[15], 7);
    assert_int_equal(came[1].data[15], 7);
    assert_int_equal(came[1].len, came[0].len - 1000);
    assert_int_equal(fast_merge_flush(&m), 0);
    assert_int_equal(came_count, 3);
}

static void an_error_is_told_and_stops_nothing(void **state)
{
    struct packet_plan w = plan(false, false);

    fail_with = -EIO;
    for (uint8_t i = 0; i < 3; i++) {
        w.host = i;
        make(&w);
        assert_int_equal(fast_merge_push(&m, packet[i].data, packet[i].len), 0);
    }
    assert_int_equal(fast_merge_flush(&m), -EIO);
    assert_int_equal(came_count, 3);
    assert_int_equal(fast_merge_flush(&m), 0);
}

/* ---- random flows ---- */

static uint32_t seed;

static uint32_t dice(uint32_t sides)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % sides;
}

/* Moves a flow on, mostly as a bulk transfer would. */
static void step(struct packet_plan *w)
{
    follow(w);
    w->fill = (uint8_t)dice(256);
    w->flags = ACK;
    if (!dice(12))
        differences[dice(sizeof differences / sizeof differences[0])].change(w);
    if (w->v6)
        w->frag = w->ip_options_len = 0;
    w->tcp_options_len %= 44;
    w->port = 3; /* or it would be a flow of its own, which may be overtaken */
    w->label &= 0xfffff;
    if (!dice(10))
        w->payload_len = (uint16_t)dice(1400);
    if (!dice(8))
        w->flags |= (uint8_t)dice(256);
}

/* Sometimes one byte behind the ports is another: the packet stays of its flow. */
static void damage(struct packet *p)
{
    size_t from = p->l4_off + 4;

    if (!dice(20))
        p->data[from + dice((uint32_t)(p->len - from))] ^= (uint8_t)(1 + dice(255));
}

static bool same_pair(const struct packet *a, const struct packet *b)
{
    if (packet_is_v6(a) != packet_is_v6(b))
        return false;
    return packet_is_v6(a) ? !memcmp(a->data + 8, b->data + 8, 32)
                           : !memcmp(a->data + 12, b->data + 12, 8);
}

/* Each pair of addresses is one flow here: what came between them is what went in, in order. */
static void check_each_flow(void)
{
    static bool seen[PACKETS_MAX];

    assert_int_equal(came_count, made);
    memset(seen, 0, sizeof seen);
    for (int i = 0; i < made; i++) {
        int j = 0;

        while (j < came_count && (seen[j] || !same_pair(&came[j], &original[i])))
            j++;
        assert_true(j < came_count);
        seen[j] = true;
        if (came[j].len != original[i].len || memcmp(came[j].data, original[i].data, came[j].len))
            fail_msg("packet %d came out otherwise", i);
    }
}

static void splitting_what_was_merged_gives_every_byte_again(void **state)
{
    const char *given = getenv("MERGE_SEED");
    uint32_t start = given ? (uint32_t)strtoul(given, NULL, 0) : (uint32_t)time(NULL);
    int all = 0, all_writes = 0;

    print_message("# MERGE_SEED=%u\n", start);
    for (uint32_t round = 0; round < 200; round++) {
        struct packet_plan flow[12];

        seed = start + round;
        begin_test(NULL);
        for (uint8_t i = 0; i < 12; i++) {
            flow[i] = plan(dice(2), dice(2));
            flow[i].host = i;
            flow[i].id = (uint16_t)dice(65536);
            flow[i].payload_len = (uint16_t)(1 + dice(1400));
        }
        for (int i = 0; i < 200; i++) {
            struct packet_plan *w = &flow[dice(1 + dice(12))];

            damage(make(w));
            step(w);
        }
        push_all();
        check_each_flow();
        all += made;
        all_writes += writes;
    }
    assert_true(all_writes < all); /* or nothing was tried */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packets_that_follow_one_another_are_written_as_one),
        cmocka_unit_test(psh_and_fin_end_a_merged_packet),
        cmocka_unit_test_setup(cwr_may_be_on_the_first_only, begin_test),
        cmocka_unit_test(packets_that_differ_are_never_merged_and_keep_their_order),
        cmocka_unit_test(a_wrong_checksum_is_left_alone),
        cmocka_unit_test_setup(udp_without_a_checksum_is_left_alone, begin_test),
        cmocka_unit_test(fragments_are_never_merged),
        cmocka_unit_test_setup(a_checksum_that_is_right_in_its_other_form_is_left_alone, begin_test),
        cmocka_unit_test_setup(no_more_than_64_packets_or_64_kib_are_merged, begin_test),
        cmocka_unit_test(a_kind_that_the_tun_does_not_take_is_not_merged),
        cmocka_unit_test_setup(what_can_not_be_merged_does_not_overtake_its_flow, begin_test),
        cmocka_unit_test_setup(an_error_is_told_and_stops_nothing, begin_test),
        cmocka_unit_test(splitting_what_was_merged_gives_every_byte_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
