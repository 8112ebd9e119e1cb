/* A card's facts for the coordinator's store, once all its signatures hold. */
#include "cards.h"

#include <string.h>

#include "member/card.h"
#include "member/roster.h"

_Static_assert(TN_MSG_CARD_MAX >= TN_CARD_MAX_LEN, "a card fits a control message");
_Static_assert(TN_STORE_CLOCK_SLACK_S == TN_ROSTER_CLOCK_SLACK_S,
               "the coordinator takes no newcomer whom the members refuse");

static int inspect(const uint8_t *data, size_t len, struct tn_card_facts *out)
{
    struct tn_card card;
    int err = tn_card_decode(&card, data, len);

    if (!err)
        err = tn_card_verify(&card, NULL);
    if (err)
        return err;
    *out = (struct tn_card_facts){
        .epoch = card.epoch,
        .not_after_s = card.cert.not_after_s,
        .joined_at_s = card.joined_at_s,
        .left = tn_card_has_left(&card),
        .device = (card.cert.flags & TN_CERT_DEVICE) != 0,
    };
    memcpy(out->network_public, card.cert.network_public, sizeof out->network_public);
    tn_network_id(out->network_id, card.cert.network_public);
    memcpy(out->invite_id, card.cert.invite_id, sizeof out->invite_id);
    memcpy(out->identity, card.identity, sizeof out->identity);
    memcpy(out->wireguard_public, card.wireguard_public, sizeof out->wireguard_public);
    memcpy(out->ipv4, card.cert.ipv4, sizeof out->ipv4);
    memcpy(out->ipv6, card.cert.ipv6, sizeof out->ipv6);
    memcpy(out->name, card.cert.name, sizeof out->name);
    return 0;
}

const struct tn_card_ops tn_card_ops = {.inspect = inspect};
