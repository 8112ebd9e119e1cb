/* A roster, from two sides; the first byte chooses. Even: the rest is a file, whose records get check
 * values that match when the byte is 2 modulo 4. Odd: the rest is a script of two bytes a step, which
 * offers, restores or reloads cards out of a deck that was signed beforehand, members who claim each other's
 * names, addresses, invites and keys among them. After each step the roster's promises must hold. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/member_fixture.h"
#include "libtunnel/member/roster.h"

#define MAX 6
#define PEOPLE 8
#define EPOCHS 4 /* 1, 2, 3 and "left" */
#define STEPS_MAX 20 /* each may verify three signatures */
#define FILE_MAX TN_ROSTER_FILE_LEN(16)

static struct tn_card deck[PEOPLE][EPOCHS];
static uint8_t network_public[32];

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must(int ok)
{
    if (!ok)
        abort();
}

/* Persons 4 to 7 each want something of person 0 to 3. */
static void claim(struct tn_card *c, unsigned person)
{
    const struct tn_card *victim = &deck[person - 4][0];

    if (person == 4)
        memcpy(c->cert.name, victim->cert.name, sizeof(c->cert.name));
    else if (person == 5)
        memcpy(c->cert.ipv4, victim->cert.ipv4, 4);
    else if (person == 6)
        memcpy(c->cert.ipv6, victim->cert.ipv6, 16);
    else
        memcpy(c->cert.invite_id, victim->cert.invite_id, TN_INVITE_ID_LEN);
    fix_cert_resign(&c->cert, FIX_NETWORK);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    uint8_t seed[32];

    (void)argc;
    (void)argv;
    fix_network_public(network_public, FIX_NETWORK);
    for (unsigned p = 0; p < PEOPLE; p++) {
        for (unsigned e = 0; e < EPOCHS; e++) {
            uint64_t epoch = e == EPOCHS - 1 ? TN_EPOCH_LEFT : e + 1;

            must(fix_card(&deck[p][e], FIX_NETWORK, p, epoch) == 0);
            if (p < 4)
                continue;
            claim(&deck[p][e], p);
            must(fix_card_sign(&deck[p][e], p, epoch) == 0);
        }
    }
    /* And person 3 changes over to the first key of person 0. */
    fix_seed(seed, FIX_SEED_IDENTITY, 3);
    must(tn_card_sign_key(&deck[3][2], seed, 3, deck[0][0].wireguard_public) == 0);
    return 0;
}

static int clash(const struct tn_member *a, const struct tn_member *b)
{
    const struct tn_cert *x = &a->card.cert;
    const struct tn_cert *y = &b->card.cert;

    if (a->seq == b->seq || memcmp(a->card.identity, b->card.identity, 32) == 0 ||
        memcmp(x->invite_id, y->invite_id, TN_INVITE_ID_LEN) == 0)
        return 1;
    if (a->left || b->left)
        return 0;
    return strcmp(x->name, y->name) == 0 || memcmp(x->ipv4, y->ipv4, 4) == 0 ||
           memcmp(x->ipv6, y->ipv6, 16) == 0 ||
           memcmp(a->card.wireguard_public, b->card.wireguard_public, 32) == 0;
}

static void check_promises(const struct tn_roster *r)
{
    must(r->count <= r->max);
    for (size_t i = 0; i < r->count; i++) {
        const struct tn_member *m = &r->members[i];

        must(m->seq >= 1 && m->seq <= r->last_seq);
        must(m->left == tn_card_has_left(&m->card));
        for (size_t k = 0; k < i; k++)
            must(!clash(m, &r->members[k]));
    }
}

/* What was there is there, at its place, with its certificate and no lower epoch. */
static void check_growth(const struct tn_roster *r, const struct tn_member *before, size_t count)
{
    must(r->count >= count);
    for (size_t i = 0; i < count; i++) {
        must(tn_cert_equal(&before[i].card.cert, &r->members[i].card.cert));
        must(memcmp(before[i].card.identity, r->members[i].card.identity, 32) == 0);
        must(before[i].card.epoch <= r->members[i].card.epoch);
    }
}

static void reload(struct tn_roster *r, struct tn_member *members)
{
    uint8_t file[TN_ROSTER_FILE_LEN(MAX)];
    struct tn_member before[MAX];
    struct tn_roster_load report;
    size_t count = r->count;
    uint64_t last_seq = r->last_seq;
    size_t len;

    memcpy(before, members, sizeof(before));
    must(tn_roster_encode(r, file, sizeof(file), &len) == 0);
    tn_roster_init(r, members, MAX, network_public);
    must(tn_roster_decode(r, file, len, &report) == 0);
    must(report.loaded == count && report.damaged == 0 && report.refused == 0);
    must(r->count == count && r->last_seq <= last_seq);
    for (size_t i = 0; i < count; i++)
        must(tn_card_equal(&before[i].card, &members[i].card) && before[i].seq == members[i].seq);
}

static void play(const uint8_t *script, size_t len)
{
    struct tn_member members[MAX];
    struct tn_member before[MAX];
    struct tn_roster r;

    memset(members, 0, sizeof(members));
    tn_roster_init(&r, members, MAX, network_public);
    if (len > 2 * STEPS_MAX)
        len = 2 * STEPS_MAX;
    for (; len >= 2; script += 2, len -= 2) {
        struct tn_card c = deck[script[0] % PEOPLE][script[0] / PEOPLE % EPOCHS];
        struct tn_roster_result result;
        size_t count = r.count;
        int err;

        memcpy(before, members, sizeof(before));
        if (script[1] == 255) {
            reload(&r, members);
        } else if (script[1] >= 128) {
            err = tn_roster_restore(&r, &c, script[1] - 128u, &result);
            must(err <= 0);
        } else {
            if (script[1] >= 64) /* one bit wrong: never taken in, nor anything changed */
                c.key_sig[script[1] - 64] ^= 1;
            err = tn_roster_offer(&r, &c, 0, &result);
            must(script[1] < 64 || err == TN_EAUTH);
            must(!err || memcmp(before, members, sizeof(before)) == 0);
        }
        check_promises(&r);
        check_growth(&r, before, count);
    }
}

static void load(const uint8_t *data, size_t len, int recheck)
{
    static uint8_t file[FILE_MAX];
    struct tn_member members[MAX];
    struct tn_roster_load report;
    struct tn_roster r;

    if (len > sizeof(file))
        return;
    memcpy(file, data, len);
    for (size_t i = 0; recheck && TN_ROSTER_FILE_LEN(i + 1) <= len; i++) {
        uint8_t *record = file + TN_ROSTER_FILE_LEN(i);

        tn_blake2s(record + TN_ROSTER_RECORD_LEN - 8, 8, NULL, 0, record,
                   TN_ROSTER_RECORD_LEN - 8);
    }
    tn_roster_init(&r, members, MAX, network_public);
    if (tn_roster_decode(&r, file, len, &report) == 0) {
        size_t records = (len - TN_ROSTER_HEAD_LEN + TN_ROSTER_RECORD_LEN - 1) / TN_ROSTER_RECORD_LEN;

        must(report.loaded + report.damaged + report.refused == records);
        must(report.loaded >= r.count);
    } else {
        must(r.count == 0);
    }
    check_promises(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len < 1)
        return 0;
    if (data[0] % 2)
        play(data + 1, len - 1);
    else
        load(data + 1, len - 1, data[0] % 4 == 2);
    return 0;
}
