/* A roster of network 1 and its members, for the tests of member/roster. Needs cmocka.h before it. */
#ifndef TN_TESTS_ROSTER_FIXTURE_H
#define TN_TESTS_ROSTER_FIXTURE_H

#include "libtunnel/member/roster.h"
#include "member_fixture.h"

#define MAX 8
#define NOW_S (FIX_JOINED_AT_S + 1000u)

struct world {
    struct tn_member members[MAX];
    struct tn_roster roster;
};

static inline void begin(struct world *w)
{
    uint8_t pub[32];

    memset(w, 0, sizeof(*w));
    fix_network_public(pub, FIX_NETWORK);
    tn_roster_init(&w->roster, w->members, MAX, pub);
}

static inline void make(struct tn_card *c, unsigned number, uint64_t epoch)
{
    assert_int_equal(fix_card(c, FIX_NETWORK, number, epoch), 0);
}

static inline int offer(struct world *w, const struct tn_card *c)
{
    struct tn_roster_result result;

    return tn_roster_offer(&w->roster, c, NOW_S, &result);
}

/* Offers a member's card of that epoch, and tells what it changed, or the error. */
static inline int offer_member(struct world *w, unsigned number, uint64_t epoch)
{
    struct tn_roster_result result;
    struct tn_card c;
    int err;

    make(&c, number, epoch);
    err = tn_roster_offer(&w->roster, &c, NOW_S, &result);
    if (err)
        return err;
    assert_memory_equal(w->members[result.index].card.identity, c.identity, 32);
    return (int)result.change;
}

/* An offer that must be refused, and change nothing at all. */
static inline void refuse(struct world *w, const struct tn_card *c, int want)
{
    struct world before = *w;
    struct tn_roster_result result = {TN_ROSTER_LEFT, 77};

    assert_int_equal(tn_roster_check(&w->roster, c, NOW_S, &result), want);
    assert_int_equal(tn_roster_offer(&w->roster, c, NOW_S, &result), want);
    assert_memory_equal(w, &before, sizeof(before));
    assert_int_equal(result.change, TN_ROSTER_LEFT);
    assert_int_equal(result.index, 77);
}

#endif
