/* How it works: three walks over the request. The first only reads, and counts new
 * peers. The second takes the port and the mark, which the system may refuse. The third
 * sets the rest, which cannot fail but for want of room for allowed IPs.
 *
 * A peer is made only when a line after public_key wants it to be there, since
 * update_only and remove say, one line later, that it shall not be made. Lines about
 * a peer that is not there (removed, update_only, or our own key) go nowhere. */
#include "uapi_set.h"

#include <errno.h>
#include <string.h>

#include "libtunnel/base/ct.h"

#include "log.h"

/* ---- first walk ---- */

struct survey {
    uint32_t new_peers;
    bool replace_peers;
    bool has_pending; /* a public_key whose peer would be new */
};

static void survey_op(const struct tund *t, const struct uapi_op *op, struct survey *s)
{
    switch (op->kind) {
    case UAPI_REPLACE_PEERS:
        s->replace_peers = true;
        break;
    case UAPI_PUBLIC_KEY:
        s->new_peers += s->has_pending;
        s->has_pending = s->replace_peers || tn_node_peer_find(t->node, op->key) == TN_NO_PEER;
        break;
    case UAPI_REMOVE:
    case UAPI_UPDATE_ONLY:
        s->has_pending = false;
        break;
    default:
        break;
    }
}

static uint32_t peers_in_use(const struct tund *t)
{
    struct tn_peer_info info;
    uint32_t n = 0;

    for (uint32_t i = 0; i < tn_node_peer_cap(t->node); i++)
        n += tn_node_peer_info(t->node, i, &info);
    tn_wipe(&info, sizeof info);
    return n;
}

static int survey(const struct tund *t, struct uapi_parser p)
{
    struct survey s = {0};
    struct uapi_op op;
    uint32_t used;
    int r;

    while ((r = uapi_parser_next(&p, &op)) > 0)
        survey_op(t, &op, &s);
    tn_wipe(&op, sizeof op);
    if (r < 0)
        return r;
    s.new_peers += s.has_pending;
    used = s.replace_peers ? 0 : peers_in_use(t);
    return s.new_peers <= tn_node_peer_cap(t->node) - used ? 0 : -ENOSPC;
}

/* ---- second walk ---- */

static int set_sockets(struct tund *t, struct uapi_parser p)
{
    uint32_t mark_before = t->udp.config.fwmark;
    struct uapi_op op;
    int err = 0;

    while (!err && uapi_parser_next(&p, &op) > 0) {
        if (op.kind == UAPI_FWMARK)
            err = udp_set_fwmark(&t->udp, op.number);
        else if (op.kind == UAPI_LISTEN_PORT)
            err = udp_move(&t->udp, (uint16_t)op.number);
    }
    tn_wipe(&op, sizeof op);
    if (err && t->udp.config.fwmark != mark_before && udp_set_fwmark(&t->udp, mark_before))
        log_warn("the firewall mark could not be set back to %u", mark_before);
    return err;
}

/* ---- third walk ---- */

struct setting {
    struct tund *t;
    struct tn_now now;
    uint32_t peer;   /* TN_NO_PEER: lines about it go nowhere */
    bool pending;    /* named, not there yet */
    uint8_t pub[32]; /* its key */
};

static int errno_of(int tn_err)
{
    switch (tn_err) {
    case 0:
        return 0;
    case TN_ENOSPC:
        return -ENOSPC;
    case TN_ENOENT:
        return -ENOENT;
    default:
        return -EINVAL;
    }
}

static void remove_peer(struct tund *t, uint32_t peer)
{
    stage_drop(&t->stage, peer);
    tn_node_peer_remove(t->node, peer);
}

static void remove_all_peers(struct tund *t)
{
    for (uint32_t i = 0; i < tn_node_peer_cap(t->node); i++)
        remove_peer(t, i);
}

static bool is_own_key(const struct tund *t, const uint8_t pub[32])
{
    uint8_t own[32];

    return tn_node_public_key(t->node, own) && !memcmp(own, pub, sizeof own);
}

static int set_private_key(struct tund *t, const uint8_t key[32])
{
    uint8_t own[32];
    int err = errno_of(tn_node_set_private_key(t->node, key));

    /* Nobody is a peer of himself. */
    if (!err && tn_node_public_key(t->node, own)) {
        uint32_t self = tn_node_peer_find(t->node, own);

        if (self != TN_NO_PEER)
            remove_peer(t, self);
    }
    return err;
}

static void name_peer(struct setting *s, const uint8_t pub[32])
{
    memcpy(s->pub, pub, sizeof s->pub);
    s->peer = tn_node_peer_find(s->t->node, pub);
    s->pending = s->peer == TN_NO_PEER && !is_own_key(s->t, pub);
}

static int make_pending(struct setting *s)
{
    if (!s->pending)
        return 0;
    s->pending = false;
    return errno_of(tn_node_peer_add(s->t->node, s->pub, s->now, &s->peer));
}

static int set_of_peer(struct setting *s, const struct uapi_op *op)
{
    struct tn_node *n = s->t->node;

    switch (op->kind) {
    case UAPI_PRESHARED_KEY:
        tn_node_peer_set_psk(n, s->peer, op->key);
        return 0;
    case UAPI_ENDPOINT:
        tn_node_peer_set_endpoint(n, s->peer, &op->addr);
        return 0;
    case UAPI_KEEPALIVE:
        tn_node_peer_set_keepalive(n, s->peer, (uint16_t)op->number, s->now);
        return 0;
    case UAPI_REPLACE_ALLOWED_IPS:
        tn_node_allowed_clear(n, s->peer);
        return 0;
    case UAPI_ALLOWED_IP:
        if (!op->minus)
            return errno_of(tn_node_allowed_add(n, s->peer, op->ip, op->v4, op->bits));
        /* To take away what is not there is no error. */
        return tn_node_allowed_remove(n, s->peer, op->ip, op->v4, op->bits) == TN_EINVAL ? -EINVAL
                                                                                        : 0;
    default:
        return 0;
    }
}

static int set_op(struct setting *s, const struct uapi_op *op)
{
    int err;

    switch (op->kind) {
    case UAPI_PRIVATE_KEY:
        return set_private_key(s->t, op->key);
    case UAPI_LISTEN_PORT:
    case UAPI_FWMARK:
        return 0;
    case UAPI_REPLACE_PEERS:
        remove_all_peers(s->t);
        return 0;
    case UAPI_PUBLIC_KEY:
        err = make_pending(s);
        if (!err)
            name_peer(s, op->key);
        return err;
    case UAPI_UPDATE_ONLY:
        s->pending = false;
        return 0;
    case UAPI_REMOVE:
        if (s->peer != TN_NO_PEER)
            remove_peer(s->t, s->peer);
        s->peer = TN_NO_PEER;
        s->pending = false;
        return 0;
    default:
        err = make_pending(s);
        if (!err && s->peer != TN_NO_PEER)
            err = set_of_peer(s, op);
        return err;
    }
}

int uapi_set(struct tund *t, const struct uapi_parser *request)
{
    struct setting s = {.t = t, .now = tund_now(), .peer = TN_NO_PEER};
    struct uapi_parser p = *request;
    struct uapi_op op;
    int err = survey(t, p);

    if (!err)
        err = set_sockets(t, p);
    if (err)
        return err;
    while (!err && uapi_parser_next(&p, &op) > 0)
        err = set_op(&s, &op);
    if (!err)
        err = make_pending(&s);
    tn_wipe(&op, sizeof op);
    return err;
}
