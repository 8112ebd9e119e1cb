/* How long the NAT here keeps a mapping, measured in the background (path/natlife.h):
 *
 *     REST --> ASK: a fresh socket asks the coordinator by STUN, which makes a mapping
 *      ^        |
 *      |        v
 *      |      WAIT: nothing is sent for as long as the trial says
 *      |        |
 *      |        v
 *      +----- KNOCK: the coordinator dials back from where that socket has sent to; what comes in
 *                    tells that the mapping lives
 *
 * Three knocks that the coordinator has sent and that did not come are needed for "dead". What is
 * known is kept on disk by network, so a laptop that comes home does not begin again. One datagram
 * and one question of 228 bytes a trial; about ten trials, once for each network. */
#include "overlay_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libtunnel/base/bytes.h"
#include "libtunnel/coord/msg.h"
#include "libtunnel/path/stun.h"

#include "log.h"
#include "secure.h"
#include "udp_msg.h"

enum phase { REST, ASK, WAIT, KNOCK };

#define TRIES 3
#define TRY_MS 1000u
#define PAUSE_MS 1000u   /* between trials */
#define TROUBLE_MS 60000u /* after one that could not be made */

static void on_timer(uv_timer_t *t);

static void again_in(struct overlay *o, enum phase phase, uint64_t ms)
{
    o->life.phase = phase;
    if (uv_timer_start(&o->life.timer, on_timer, ms, 0) != 0)
        log_error("no timer to measure the NAT's lifetime with");
}

/* ---- the socket ---- */

static void on_closed(uv_handle_t *h)
{
    struct overlay_life_socket *s = h->data;

    close(s->fd);
    free(s);
}

static void drop_socket(struct overlay *o)
{
    if (o->life.socket)
        uv_close((uv_handle_t *)&o->life.socket->poll, on_closed);
    o->life.socket = NULL;
}

static void finish(struct overlay *o, bool alive);

static void on_datagram(struct overlay *o, const uint8_t *data, size_t len)
{
    uint8_t from, nonce[TN_DIAL_NONCE_LEN];
    struct tn_addr mapped;

    if (o->life.phase == ASK && tn_stun_consume_answer(data, len, o->life.txid, &mapped) == 0) {
        o->life.mapped = mapped;
        again_in(o, WAIT, (uint64_t)o->life.trial_s * 1000);
    } else if (o->life.phase == KNOCK && tn_ctl_dial_decode(data, len, &from, nonce) &&
               tn_get_be64(nonce) == o->life.nonce) {
        finish(o, true);
    }
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct overlay_life_socket *s = poll->data;
    uint8_t data[256];
    ssize_t len = recv(s->fd, data, sizeof data, MSG_DONTWAIT);

    if (len > 0 && s->overlay->life.socket == s)
        on_datagram(s->overlay, data, (size_t)len);
}

/* Connected, so that only the coordinator is heard. */
static int open_socket(struct overlay *o)
{
    struct overlay_life_socket *s = calloc(1, sizeof *s);
    union udp_sockaddr to;
    socklen_t len = udp_to_sockaddr(&o->coordinator.v4, true, &to);
    int err;

    if (!s)
        return -ENOMEM;
    s->overlay = o;
    s->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s->fd < 0) {
        err = -errno;
        free(s);
        return err;
    }
    err = connect(s->fd, &to.sa, len) ? -errno : uv_poll_init(&o->t->loop, &s->poll, s->fd);
    if (err) {
        close(s->fd);
        free(s);
        return err;
    }
    s->poll.data = s;
    o->life.socket = s;
    return uv_poll_start(&s->poll, UV_READABLE, on_readable);
}

static void ask(struct overlay *o)
{
    uint8_t request[TN_STUN_V4_LEN];
    size_t len = tn_stun_request(false, o->life.txid, request, sizeof request);

    o->life.tries++;
    (void)!send(o->life.socket->fd, request, len, MSG_DONTWAIT | MSG_NOSIGNAL); /* else lost, and asked again */
    again_in(o, ASK, TRY_MS);
}

/* ---- trials ---- */

static void begin_trial(struct overlay *o)
{
    int err;

    o->life.trial_s = tn_natlife_next_s(&o->life.life);
    if (!o->life.trial_s)
        return;
    drop_socket(o);
    o->life.tries = 0;
    err = open_socket(o);
    if (!err)
        err = secure_random(o->life.txid, sizeof o->life.txid);
    if (err)
        again_in(o, REST, TROUBLE_MS);
    else
        ask(o);
}

static void store(struct overlay *o)
{
    state_networks_put(&o->life.networks, o->life.key, &o->life.life);
    overlay_disk_wish(o, OVERLAY_NETWORKS);
}

static void finish(struct overlay *o, bool alive)
{
    tn_natlife_result(&o->life.life, o->life.trial_s, alive);
    log_debug("a mapping of the NAT here %s %u s", alive ? "outlives" : "does not outlive",
              o->life.trial_s);
    store(o);
    overlay_metered_on_life(o);
    if (!tn_natlife_next_s(&o->life.life))
        log_info("the NAT here keeps a mapping for %u s at least", o->life.life.alive_s);
    drop_socket(o);
    again_in(o, REST, PAUSE_MS);
}

static void knock(struct overlay *o)
{
    o->life.tries++;
    o->life.dialled = false;
    if (secure_random(&o->life.nonce, sizeof o->life.nonce) != 0 ||
        tn_node_dial(o->t->node, &o->life.mapped, o->life.nonce, tund_now()) != 0) {
        drop_socket(o);
        again_in(o, REST, TROUBLE_MS);
        return;
    }
    tund_pump(o->t);
    again_in(o, KNOCK, TRY_MS);
}

/* A knock that the coordinator never sent tells nothing. */
static void next_knock(struct overlay *o)
{
    if (!o->life.dialled) {
        drop_socket(o);
        again_in(o, REST, TROUBLE_MS);
    } else if (o->life.tries < TRIES) {
        knock(o);
    } else {
        finish(o, false);
    }
}

static void on_timer(uv_timer_t *t)
{
    struct overlay *o = t->data;

    switch ((enum phase)o->life.phase) {
    case REST:
        begin_trial(o);
        break;
    case ASK:
        if (o->life.tries < TRIES) {
            ask(o);
        } else {
            drop_socket(o);
            again_in(o, REST, TROUBLE_MS);
        }
        break;
    case WAIT:
        o->life.tries = 0;
        knock(o);
        break;
    case KNOCK:
        next_knock(o);
        break;
    }
}

void overlay_life_on_event(struct overlay *o, const struct tn_event *ev)
{
    if (ev->kind == TN_EV_DIALLED && ev->unix_ns == o->life.nonce)
        o->life.dialled = ev->status == 0;
}

/* ---- life ---- */

int overlay_life_open(struct overlay *o)
{
    struct why why;
    int err = uv_timer_init(&o->t->loop, &o->life.timer);

    if (err)
        return err;
    o->life.timer.data = o;
    o->life.open = true;
    if (state_load_networks(&o->state, &o->life.networks, &why) != 0)
        log_warn("%s: the NAT's lifetime is measured anew", why.text);
    return 0;
}

void overlay_life_begin(struct overlay *o)
{
    const struct netcheck_family *f = &o->nat.result.family[0];
    uint64_t key = state_network_key(&f->check.outside, &f->local);

    if (!o->life.open || !f->tried || tn_addr_is_zero(&f->check.outside) || key == o->life.key)
        return;
    o->life.key = key;
    o->life.life = state_networks_find(&o->life.networks, key);
    overlay_metered_on_life(o);
    drop_socket(o);
    again_in(o, REST, PAUSE_MS);
}

void overlay_life_stop(struct overlay *o)
{
    if (!o->life.open)
        return;
    o->life.open = false;
    drop_socket(o);
    uv_close((uv_handle_t *)&o->life.timer, NULL);
}

json_t *overlay_life_json(const struct overlay *o)
{
    const struct tn_natlife *l = &o->life.life;
    bool known = o->life.key && !tn_natlife_next_s(l);

    return json_pack("{s:s,s:o,s:o}", "state", !o->life.key ? "unknown" : known ? "known" : "measuring",
                     "outlived_s", l->alive_s ? json_integer(l->alive_s) : json_null(),
                     "not_outlived_s", l->dead_s ? json_integer(l->dead_s) : json_null());
}
