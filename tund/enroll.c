/* Networks, invites and members, made (docs/PROTOCOL.md section 3).
 *
 * Address number n of a network is n within its IPv4 prefix and ::n within its
 * IPv6 prefix, so both are short to type. Numbers are given out once, in order; the
 * roster is asked besides, for a state directory that came out of an old backup. */
#include "enroll.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "libtunnel/base/bytes.h"
#include "libtunnel/base/ct.h"
#include "libtunnel/crypto/crypto.h"
#include "secure.h"

int enroll_clock(uint64_t *now_s, struct why *w)
{
    struct timespec ts;
    char text[32];
    struct tm tm;

    clock_gettime(CLOCK_REALTIME, &ts);
    if (ts.tv_sec >= (time_t)ENROLL_CLOCK_FLOOR_S) {
        *now_s = (uint64_t)ts.tv_sec;
        return 0;
    }
    if (!gmtime_r(&ts.tv_sec, &tm) || strftime(text, sizeof(text), "%Y-%m-%d", &tm) == 0)
        text[0] = '\0';
    return why_set(w, -ETIME, "the clock says that it is %s, which cannot be: set it first (date, or "
                   "an NTP client)", text);
}

int enroll_network(struct state_owner *owner, const char *network, const struct prefix *prefix,
                   struct why *w)
{
    struct state_owner made = {.bits = prefix->bits, .next_host = 1};
    size_t len = strlen(network);
    int err;

    if (!tn_name_is_valid(network, len))
        return why_set(w, -EINVAL, "a network's name has 1 to 63 of a-z 0-9 and -, and neither begins "
                       "nor ends with -");
    err = secure_random(made.network_seed, sizeof(made.network_seed));
    if (err)
        return why_set(w, err, "no random numbers: %s", strerror(-err));
    memcpy(made.network, network, len + 1);
    memcpy(made.prefix, prefix->addr.ip + 12, 4);
    *owner = made;
    state_owner_wipe(&made);
    return 0;
}

/* ---- invites ---- */

/* The first number, from next_host on, that no member has. */
static int take_host(struct state_owner *owner, const struct tn_roster *roster, uint8_t ipv4[4],
                     uint32_t *number, struct why *w)
{
    struct prefix prefix = prefix_v4(owner->prefix, owner->bits);
    char text[PREFIX_TEXT_LEN];

    for (uint32_t n = owner->next_host; prefix_host(&prefix, n, ipv4); n++) {
        if (tn_roster_find_ipv4(roster, ipv4))
            continue;
        owner->next_host = n + 1;
        *number = n;
        return 0;
    }
    return why_set(w, -ENOSPC, "every address of %s was given out", prefix_text(&prefix, text));
}

static int sign_invite(const struct state_owner *owner, struct tn_invite *i)
{
    int err = secure_random(i->invite_seed, sizeof(i->invite_seed));

    if (!err)
        err = secure_random(i->cert.invite_id, sizeof(i->cert.invite_id));
    if (err)
        return err;
    tn_ed25519_public(i->cert.invite_public, i->invite_seed);
    return tn_cert_sign(&i->cert, owner->network_seed) == 0 ? 0 : -EINVAL;
}

int enroll_invite(struct state_owner *owner, const struct tn_roster *roster, const char *name,
                  uint8_t flags, const struct tn_url *coordinator, uint64_t now_s,
                  uint64_t expiry_s, struct tn_invite *out, struct why *w)
{
    struct tn_invite made = {.coordinator = *coordinator, .cert.flags = flags};
    uint8_t network_public[32], interface_id[8];
    size_t len = strlen(name);
    uint32_t number = 0;
    int err;

    if (!tn_name_is_valid(name, len))
        return why_set(w, -EINVAL, "a name has 1 to 63 of a-z 0-9 and -, and neither begins nor ends "
                       "with -");
    if (tn_roster_find_name(roster, name, len))
        return why_set(w, -EEXIST, "%s is a member already: choose another name", name);
    err = take_host(owner, roster, made.cert.ipv4, &number, w);
    if (err)
        return err;
    made.cert.ipv4_bits = owner->bits;
    made.cert.not_after_s = now_s + expiry_s;
    memcpy(made.cert.name, name, len + 1);
    memcpy(made.cert.network, owner->network, sizeof(made.cert.network));
    tn_put_be64(interface_id, number);
    tn_ed25519_public(network_public, owner->network_seed);
    tn_network_address6(made.cert.ipv6, network_public, interface_id);
    err = sign_invite(owner, &made);
    if (err)
        why_set(w, err, "cannot sign the invite: %s", strerror(-err));
    else
        *out = made;
    tn_invite_wipe(&made);
    return err;
}

/* ---- members ---- */

static int sign_card(struct state_node *n, const struct tn_invite *invite)
{
    uint8_t wireguard_public[32];
    int err = secure_random(n->identity_seed, sizeof(n->identity_seed));

    if (!err)
        err = secure_random(n->wireguard_private, sizeof(n->wireguard_private));
    if (err)
        return err;
    tn_x25519_clamp(n->wireguard_private);
    tn_ed25519_public(n->card.identity, n->identity_seed);
    if (tn_x25519_public(wireguard_public, n->wireguard_private) != 0 ||
        tn_card_sign_membership(&n->card, invite->invite_seed) != 0 ||
        tn_card_sign_key(&n->card, n->identity_seed, 1, wireguard_public) != 0)
        return -EINVAL;
    return 0;
}

int enroll_member(struct state_node *node, const struct tn_invite *invite, uint64_t now_s,
                  struct why *w)
{
    struct state_node made = {.coordinator = invite->coordinator};
    int err;

    if (tn_cert_is_expired(&invite->cert, now_s))
        return why_set(w, -ETIME, "the invite has expired (by this machine's clock): ask for a new "
                       "one");
    made.card.cert = invite->cert;
    made.card.joined_at_s = now_s;
    err = sign_card(&made, invite);
    if (err)
        why_set(w, err, "cannot sign this machine's card: %s", strerror(-err));
    else
        *node = made;
    state_node_wipe(&made);
    return err;
}
