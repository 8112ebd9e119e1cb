/* How it works.
 *
 * One command is in flight at a time, and only its own answer moves the machine. Bring-up is a table of
 * steps with three rungs: the modem itself (MODEM), its packet data context (PDP), the socket (SOCKET).
 * What breaks is begun again at its own rung, and one rung below when that does not go; between tries is a
 * pause that doubles up to a minute, half of it by chance, until a datagram comes.
 *
 *     DOWN --pause over--> BRINGUP --last step--> UP --socket, context or modem lost--> DOWN
 *                              \                  /
 *                               time-out, nonsense -> RESYNC -> as it was, or DOWN
 *
 * RESYNC: after a time-out the late OK of one command would be taken for that of the next, and all
 * answers be one behind. So a command is asked whose answer no other one has (AT+CMEE?); the OK behind
 * that answer is ours. If the modem still waits for a datagram's bytes meanwhile, it says so with '@',
 * and gets them, since they are kept until then.
 *
 * A modem announces a datagram once, and sometimes not at all (while it waits for the bytes of another
 * one, for instance). So after each datagram that was sent or read, and every POLL_US otherwise, it
 * is asked how much there is. */
#include "at.h"

#include <string.h>

#include "at_inside.h"
#include "at_scan.h"

#define SECOND_US 1000000u
#define POLL_US (5 * SECOND_US)
#define STATUS_US (60 * SECOND_US)
#define SOCKET_COMMAND_S 10 /* what the modem may take for one, by its manual */
#define RESYNC_S 2
#define RESYNC_TRIES 4
#define PAUSE_FIRST_US (SECOND_US / 4)
#define PAUSE_DOUBLINGS 8 /* 64 s */
#define REGISTER_TRIES 120
#define REGISTER_PAUSE_US (SECOND_US / 2)
#define AT_SOCKETS 7

/* The bring-up. A step whose failure is no matter is marked; '#' stands for the APN, '$' for a socket. */
struct step {
    const char *text;
    uint8_t timeout_s, rung;
    bool may_fail;
};
static const struct step steps[] = {
    {"AT", 1, RUNG_MODEM, false},
    {"ATE0", 2, RUNG_MODEM, false},
    {"AT+CMEE=1", 2, RUNG_MODEM, false},
    {"AT+CPIN?", 10, RUNG_MODEM, false},
    {"AT+UPSV=0", 2, RUNG_MODEM, true}, /* no sleep of the UART */
    {"AT+CGREG=0", 2, RUNG_MODEM, true},
    {"AT+CIMI", 5, RUNG_MODEM, true},
    {"AT+CGREG?", 5, RUNG_MODEM, false}, /* again and again: STEP_REGISTER */
    {"AT+UPSND=0,8", 5, RUNG_PDP, false}, /* is it up? then without the next three */
    {"AT+UPSD=0,1,\"#\"", 2, RUNG_PDP, true},
    {"AT+UPSD=0,7,\"0.0.0.0\"", 2, RUNG_PDP, true},
    {"AT+UPSDA=0,3", 180, RUNG_PDP, false},
    {"AT+USOCL=$", 10, RUNG_SOCKET, true}, /* those of before a reset, one by one: STEP_CLOSE */
    {"AT+USOCR=17", 10, RUNG_SOCKET, false},
};
enum { STEP_REGISTER = 7, STEP_ACTIVE = 8, STEP_CLOSE = 12, STEP_OPEN, STEP_COUNT = sizeof steps / sizeof steps[0] };
static const uint8_t first_step[] = {0, STEP_ACTIVE, STEP_CLOSE};

/* ---- text for the UART ---- */

static void put(struct at *a, const char *s)
{
    while (*s && a->out_len < sizeof a->out - 1)
        a->out[a->out_len++] = *s++;
}

static void put_number(struct at *a, uint32_t n)
{
    char digits[11];
    char *p = digits + sizeof digits - 1;

    *p = '\0';
    do {
        *--p = (char)('0' + n % 10);
        n /= 10;
    } while (n);
    put(a, p);
}

static void begin(struct at *a, enum at_command command, const char *text)
{
    a->command = command;
    a->answered = a->bad = false;
    a->out_len = a->out_at = 0;
    put(a, text);
}

/* The command line is whole. */
static void go(struct at *a, uint32_t timeout_s, uint64_t now_us)
{
    put(a, "\r");
    a->deadline_us = now_us + (uint64_t)timeout_s * SECOND_US;
}

/* ---- what is to be done next ---- */

static void start_step(struct at *a, uint64_t now_us)
{
    const struct step *s = &steps[a->step];

    begin(a, COMMAND_STEP, "");
    for (const char *p = s->text; *p; p++) {
        if (*p == '#')
            put(a, a->apn);
        else if (*p == '$')
            put_number(a, a->tries);
        else
            put(a, (const char[]){*p, '\0'});
    }
    go(a, s->timeout_s, now_us);
}

static void start_resync(struct at *a, uint64_t now_us)
{
    if (a->state != AT_RESYNC) {
        a->before_resync = a->state;
        a->resync_tries = 0;
        a->count.resyncs++;
    }
    a->state = AT_RESYNC;
    begin(a, COMMAND_RESYNC, "AT+CMEE?");
    go(a, RESYNC_S, now_us);
}

static void start_send(struct at *a, uint64_t now_us)
{
    a->feeding = false;
    a->fed = 0;
    begin(a, COMMAND_SEND, "AT+USOST=");
    put_number(a, a->handle);
    put(a, ",\"");
    for (int i = 0; i < 4; i++) {
        put(a, i ? "." : "");
        put_number(a, a->address.ip[i]);
    }
    put(a, "\",");
    put_number(a, a->address.port);
    put(a, ",");
    put_number(a, a->data_len);
    go(a, SOCKET_COMMAND_S, now_us);
}

static void start_socket(struct at *a, enum at_command command, const char *text, uint32_t most,
                         uint64_t now_us)
{
    begin(a, command, text);
    put_number(a, a->handle);
    put(a, ",");
    put_number(a, most);
    go(a, SOCKET_COMMAND_S, now_us);
}

static void start_next(struct at *a, uint64_t now_us)
{
    if (a->should_poll) {
        a->should_poll = false;
        a->poll_us = now_us + POLL_US;
        start_socket(a, COMMAND_POLL, "AT+USORF=", 0, now_us);
    } else if (a->is_outgoing) {
        start_send(a, now_us);
    } else if (a->waiting) {
        a->data_len = 0;
        start_socket(a, COMMAND_READ, "AT+USORF=", AT_DATAGRAM_MAX, now_us);
    } else if (a->is_asking) {
        begin(a, COMMAND_NAME, "AT+UDNSRN=0,\"");
        put(a, a->name);
        put(a, "\"");
        go(a, 30, now_us);
    } else if (now_us >= a->status_us) {
        a->status_us = now_us + STATUS_US;
        begin(a, COMMAND_USAGE, "AT+UGCNTRD");
        go(a, SOCKET_COMMAND_S, now_us);
    }
}

/* ---- life ---- */

void at_init(struct at *a, const char *apn, uint32_t seed, uint64_t now_us)
{
    memset(a, 0, sizeof *a);
    for (size_t i = 0; apn[i] && i < AT_APN_MAX; i++)
        a->apn[i] = apn[i];
    a->random = seed ? seed : 1;
    a->count.signal = 99;
    a->wanted_rung = RUNG_NONE;
    a->state = AT_DOWN;
    a->rung = RUNG_MODEM;
    a->retry_us = now_us;
    a->deadline_us = UINT64_MAX;
}

static uint32_t chance(struct at *a, uint32_t below)
{
    a->random ^= a->random << 13; /* xorshift32, Marsaglia 2003 */
    a->random ^= a->random >> 17;
    a->random ^= a->random << 5;
    return a->random % below;
}

/* Everything from `rung` upwards begins again after a pause. */
static void fall(struct at *a, uint8_t rung, uint64_t now_us)
{
    uint32_t doublings = a->failures < PAUSE_DOUBLINGS ? a->failures : PAUSE_DOUBLINGS;
    uint32_t pause_us = PAUSE_FIRST_US << doublings;

    if (a->state == AT_BRINGUP && rung == a->rung && rung > RUNG_MODEM)
        rung--; /* it has just been tried: it is what lies below */
    if (a->failures < UINT8_MAX)
        a->failures++;
    a->count.restarts++;
    a->command = COMMAND_NONE;
    a->deadline_us = UINT64_MAX;
    a->state = AT_DOWN;
    a->rung = rung;
    a->wanted_rung = RUNG_NONE;
    a->is_outgoing = a->feeding = a->should_poll = false;
    a->waiting = 0;
    a->retry_us = now_us + pause_us / 2 + chance(a, pause_us / 2 + 1);
}

void at_lose(struct at *a, uint8_t rung, uint64_t now_us)
{
    if (a->state == AT_DOWN || (a->state == AT_BRINGUP && a->rung <= rung))
        return; /* it is being opened anyway */
    if (a->command == COMMAND_NONE) {
        fall(a, rung, now_us);
        return;
    }
    if (rung < a->wanted_rung)
        a->wanted_rung = rung;
    if (a->deadline_us > now_us + SECOND_US)
        a->deadline_us = now_us + SECOND_US;
}

/* ---- the end of a command ---- */

static void step_done(struct at *a, bool ok, uint64_t now_us)
{
    const struct step *s = &steps[a->step];

    a->retry_us = now_us;
    if (a->step == STEP_REGISTER && ok && !a->attached) {
        a->retry_us = now_us + REGISTER_PAUSE_US;
        if (++a->tries == REGISTER_TRIES)
            fall(a, RUNG_MODEM, now_us);
        return;
    }
    if (a->step == STEP_CLOSE && ++a->tries < AT_SOCKETS)
        return;
    a->tries = 0;
    if (!ok && !s->may_fail) {
        fall(a, s->rung, now_us);
        return;
    }
    a->step = a->step == STEP_ACTIVE && a->activated ? STEP_CLOSE : a->step + 1;
    if (a->step == STEP_COUNT) {
        a->state = AT_UP;
        a->came_up = true;
        a->poll_us = now_us + POLL_US;
    }
}

static void send_done(struct at *a, bool ok)
{
    a->is_outgoing = a->feeding = false;
    a->should_poll = ok;
    if (ok)
        a->count.sent++;
    else
        a->count.refused++;
}

static void read_done(struct at *a, bool ok)
{
    a->waiting = 0;
    a->should_poll = ok;
    if (!ok || !a->data_len)
        return;
    a->is_incoming = true;
    a->count.received++;
    a->failures = 0;
}

static void name_done(struct at *a, bool ok)
{
    a->is_asking = false;
    a->has_resolved = ok && a->answered;
    a->resolve_failed = !a->has_resolved;
}

static void up_done(struct at *a, enum at_command command, bool ok, uint64_t now_us)
{
    if (command == COMMAND_SEND)
        send_done(a, ok);
    else if (command == COMMAND_READ)
        read_done(a, ok);
    else if (command == COMMAND_NAME)
        name_done(a, ok);
    if (command == COMMAND_USAGE) {
        begin(a, COMMAND_SIGNAL, "AT+CSQ");
        go(a, SOCKET_COMMAND_S, now_us);
    } else if (!ok && (command == COMMAND_SEND || command == COMMAND_POLL || command == COMMAND_READ)) {
        begin(a, COMMAND_ERROR, "AT+USOER");
        go(a, SOCKET_COMMAND_S, now_us);
    }
}

static void resync_done(struct at *a, uint64_t now_us)
{
    a->state = a->before_resync;
    a->retry_us = now_us;
    a->feeding = false;
    a->should_poll = a->state == AT_UP;
}

/* Errors that say "not now", and not "this socket is dead". */
static bool is_passing(uint32_t error)
{
    return error == 0 || error == 11 || error == 105; /* EWOULDBLOCK, ENOBUFS */
}

static bool wants_answer(const struct at *a)
{
    switch (a->command) {
    case COMMAND_SEND:
    case COMMAND_POLL:
    case COMMAND_READ:
    case COMMAND_ERROR:
        return true;
    case COMMAND_STEP:
        return a->step == STEP_OPEN;
    default:
        return false;
    }
}

void at_finish(struct at *a, bool ok, uint64_t now_us)
{
    enum at_command command = (enum at_command)a->command;
    bool makes_sense = !a->bad && (!ok || a->answered || !wants_answer(a));

    if (command == COMMAND_NONE || (command == COMMAND_RESYNC && !a->answered))
        return; /* late: of a command that was given up */
    a->command = COMMAND_NONE;
    a->deadline_us = UINT64_MAX;
    if (command == COMMAND_RESYNC)
        resync_done(a, now_us);
    else if (!makes_sense)
        start_resync(a, now_us);
    else if (command == COMMAND_STEP)
        step_done(a, ok, now_us);
    else if (command == COMMAND_ERROR && (!ok || !is_passing(a->error)))
        fall(a, RUNG_SOCKET, now_us);
    else
        up_done(a, command, ok, now_us);
    if (a->wanted_rung != RUNG_NONE && a->state != AT_RESYNC && a->command == COMMAND_NONE)
        fall(a, a->wanted_rung, now_us);
}

static void time_out(struct at *a, uint64_t now_us)
{
    at_drop_raw(a);
    if (a->command == COMMAND_SEND && a->answered)
        send_done(a, true); /* only its OK is late */
    if (a->command == COMMAND_RESYNC && ++a->resync_tries >= RESYNC_TRIES)
        fall(a, RUNG_MODEM, now_us);
    else
        start_resync(a, now_us);
}

void at_tick(struct at *a, uint64_t now_us)
{
    if (a->command != COMMAND_NONE && now_us >= a->deadline_us)
        time_out(a, now_us);
    if (a->state == AT_DOWN && now_us >= a->retry_us) {
        a->state = AT_BRINGUP;
        a->step = first_step[a->rung];
        a->tries = 0;
        a->attached = a->activated = false;
    }
    if (a->state == AT_UP && now_us >= a->poll_us) {
        a->should_poll = true;
        a->poll_us = now_us + POLL_US;
    }
}

uint64_t at_next_deadline(const struct at *a)
{
    if (a->command != COMMAND_NONE)
        return a->deadline_us;
    if (a->state != AT_UP)
        return a->retry_us;
    return a->poll_us < a->status_us ? a->poll_us : a->status_us;
}

size_t at_take(struct at *a, uint8_t *out, size_t cap, uint64_t now_us)
{
    size_t n = 0;

    if (a->command == COMMAND_NONE && a->state == AT_BRINGUP && now_us >= a->retry_us)
        start_step(a, now_us);
    else if (a->command == COMMAND_NONE && a->state == AT_UP && !a->is_incoming)
        start_next(a, now_us);
    while (n < cap && a->out_at < a->out_len)
        out[n++] = (uint8_t)a->out[a->out_at++];
    if (a->feeding && a->out_at == a->out_len) {
        size_t left = (size_t)(a->data_len - a->fed), some = left < cap - n ? left : cap - n;


        memcpy(out + n, a->data + a->fed, some);
        a->fed += (uint16_t)some;
        n += some;
        if (a->fed == a->data_len)
            a->feeding = false;
    }
    return n;
}

/* ---- datagrams and names ---- */

bool at_can_send(const struct at *a)
{
    return a->state == AT_UP && !a->is_outgoing && !a->is_incoming && a->command != COMMAND_READ;
}

bool at_send(struct at *a, const struct at_address *to, const void *data, size_t len)
{
    if (!at_can_send(a) || len == 0 || len > AT_DATAGRAM_MAX)
        return false;
    memcpy(a->data, data, len);
    a->data_len = (uint16_t)len;
    a->address = *to;
    a->is_outgoing = true;
    return true;
}

size_t at_received(struct at *a, struct at_address *from, const uint8_t **data)
{
    if (!a->is_incoming)
        return 0;
    *from = a->address;
    *data = a->data;
    return a->data_len;
}

void at_release(struct at *a)
{
    a->is_incoming = false;
}

void at_resolve(struct at *a, const char *name)
{
    const char *p = name;
    size_t len = 0;
    bool fits = true;

    a->has_resolved = at_scan_ip(&p, a->resolved) && !*p;
    a->is_asking = a->resolve_failed = false;
    if (a->has_resolved)
        return;
    for (; name[len]; len++)
        fits = fits && len < AT_NAME_MAX && name[len] > ' ' && name[len] < 127 && name[len] != '"';
    if (!fits || !len) {
        a->resolve_failed = true;
        return;
    }
    memcpy(a->name, name, len + 1);
    a->is_asking = true;
}

int at_resolved(struct at *a, uint8_t ip[4])
{
    int got = a->has_resolved ? 1 : a->resolve_failed ? -1 : 0;

    if (got > 0)
        memcpy(ip, a->resolved, 4);
    a->has_resolved = a->resolve_failed = false;
    return got;
}

bool at_take_up(struct at *a)
{
    bool up = a->came_up;

    a->came_up = false;
    return up;
}
