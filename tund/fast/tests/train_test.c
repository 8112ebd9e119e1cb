/* What leaves, in which order, in how many calls: sendmmsg is ours. */
#include <netinet/udp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tund/fast/train.h"

#define PUSHED_MAX 2000u

static struct udp udp;
static struct fast_trains trains;
static struct {
    size_t len;
    bool is_fragment;
    uint8_t to;
} pushed[PUSHED_MAX];
static uint8_t data[PUSHED_MAX]; /* a datagram is the address of its number's byte, and a length */
static unsigned sent[PUSHED_MAX];
static unsigned pushed_count, sent_count, messages, before;

int __wrap_sendmmsg(int fd, struct mmsghdr *m, unsigned count, int flags);

static size_t segment_of(const struct msghdr *m)
{
    struct msghdr *h = (struct msghdr *)(uintptr_t)m;
    uint16_t segment = 0;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
        if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_SEGMENT)
            memcpy(&segment, CMSG_DATA(c), sizeof segment);
    }
    return segment;
}

/* A train is what udp(7) wants: equal lengths, the last may be shorter, not too many, not too long. */
static void take(const struct msghdr *m)
{
    size_t segment = segment_of(m), total = 0;
    const struct sockaddr_in *to = m->msg_name;

    assert_true(m->msg_iovlen == 1 || segment);
    assert_true(m->msg_iovlen <= 64);
    for (size_t i = 0; i < m->msg_iovlen; i++) {
        unsigned number = (unsigned)((const uint8_t *)m->msg_iov[i].iov_base - data);
        size_t len = m->msg_iov[i].iov_len;

        assert_true(number < pushed_count);
        assert_int_equal(len, pushed[number].len);
        assert_int_equal(ntohl(to->sin_addr.s_addr) & 0xff, pushed[number].to);
        if (segment)
            assert_true(i + 1 < m->msg_iovlen ? len == segment : len <= segment);
        sent[sent_count++] = number;
        total += len;
    }
    assert_true(total <= 65487);
    messages++;
}

/* Not always all of them, as the kernel may. */
int __wrap_sendmmsg(int fd, struct mmsghdr *m, unsigned count, int flags)
{
    unsigned some = count > 2 ? count - 1 : count;

    assert_true(before > 0);
    for (unsigned i = 0; i < some; i++)
        take(&m[i].msg_hdr);
    return (int)some;
}

static void before_sending(void *ctx)
{
    before++;
}

static void push(size_t len, bool is_fragment, uint8_t last)
{
    const uint8_t ip[4] = {192, 0, 2, last};
    struct tn_addr to = tn_addr_v4(ip, 5000);

    pushed[pushed_count].len = len;
    pushed[pushed_count].is_fragment = is_fragment;
    pushed[pushed_count].to = last;
    fast_trains_push(&trains, &data[pushed_count++], len, is_fragment, &to, 0, NULL);
}

static void assert_all_were_sent_once(void)
{
    static bool seen[PUSHED_MAX];

    assert_int_equal(sent_count, pushed_count);
    memset(seen, 0, sizeof seen);
    for (unsigned i = 0; i < sent_count; i++) {
        assert_false(seen[sent[i]]);
        seen[sent[i]] = true;
    }
}

/* Only a fragment overtakes, and only fragments of another length. */
static void assert_order(void)
{
    for (unsigned i = 0; i < sent_count; i++) {
        for (unsigned j = i + 1; j < sent_count; j++) {
            unsigned early = sent[i], late = sent[j];

            if (early < late || pushed[early].to != pushed[late].to)
                continue;
            assert_true(pushed[early].is_fragment && pushed[late].is_fragment);
            assert_true(pushed[early].len != pushed[late].len);
        }
    }
}

static int set_up(void **state)
{
    memset(&trains, 0, sizeof trains);
    trains.udp = &udp;
    trains.segments = true;
    trains.before = before_sending;
    pushed_count = sent_count = messages = before = 0;
    return 0;
}

static void equal_lengths_are_one_train_and_a_shorter_one_ends_it(void **state)
{
    for (int i = 0; i < 20; i++)
        push(1000, false, 1);
    push(400, false, 1);
    push(1000, false, 1);
    push(1000, false, 2);
    fast_trains_flush(&trains);
    assert_all_were_sent_once();
    assert_order();
    assert_int_equal(messages, 3);
}

static void packets_of_two_fragments_are_two_trains(void **state)
{
    for (int i = 0; i < 30; i++) {
        push(1452, true, 1);
        push(80, true, 1);
    }
    fast_trains_flush(&trains);
    assert_all_were_sent_once();
    assert_order();
    assert_int_equal(messages, 2);
}

static void a_packet_between_fragments_is_not_overtaken(void **state)
{
    for (int i = 0; i < 10; i++) {
        push(1452, true, 1);
        push(80, true, 1);
        if (i == 4)
            push(300, false, 1);
    }
    fast_trains_flush(&trains);
    assert_all_were_sent_once();
    assert_order();
    assert_in_range(messages, 4, 5);
}

static void without_segments_each_leaves_by_itself_in_order(void **state)
{
    trains.segments = false;
    for (int i = 0; i < 100; i++)
        push(i % 2 ? 80 : 1452, true, 1);
    fast_trains_flush(&trains);
    assert_all_were_sent_once();
    assert_int_equal(messages, 100);
    for (unsigned i = 0; i < sent_count; i++)
        assert_int_equal(sent[i], i);
}

static void whatever_comes_leaves_once_and_whole_packets_in_order(void **state)
{
    static const size_t lengths[] = {80, 112, 300, 1000, 1452};

    srand(11);
    for (int run = 0; run < 200; run++) {
        unsigned count = 1 + (unsigned)rand() % 900;
        bool mixed = rand() % 2;

        set_up(state);
        for (unsigned i = 0; i < count; i++) {
            push(lengths[(unsigned)rand() % 5], mixed ? rand() % 4 : rand() % 50 == 0,
                 (uint8_t)(1 + (rand() % 20 == 0)));
            if (rand() % 200 == 0)
                fast_trains_flush(&trains);
        }
        fast_trains_flush(&trains);
        assert_all_were_sent_once();
        assert_order();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(equal_lengths_are_one_train_and_a_shorter_one_ends_it, set_up),
        cmocka_unit_test_setup(packets_of_two_fragments_are_two_trains, set_up),
        cmocka_unit_test_setup(a_packet_between_fragments_is_not_overtaken, set_up),
        cmocka_unit_test_setup(without_segments_each_leaves_by_itself_in_order, set_up),
        cmocka_unit_test_setup(whatever_comes_leaves_once_and_whole_packets_in_order, set_up),
    };

    return cmocka_run_group_tests_name("fast_train", tests, NULL, NULL);
}
