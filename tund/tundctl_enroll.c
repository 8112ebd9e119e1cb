/* create and join: how this machine becomes a member.
 *
 *   everything on the command line is checked; keys are made and stored; the daemon
 *   is started on them; the coordinator takes the card, or not
 *
 * What is stored is stored before the coordinator hears of it: a member whose
 * answer got lost must not lose its keys, the invite being used. So:
 *
 *   taken              the state stays, the daemon runs
 *   refused, unheard   the daemon is ended and the state removed: try again
 *   in doubt           the daemon is ended and the state kept: the same command goes
 *                      on with the same keys
 */
#include "tundctl.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "ctl_client.h"
#include "enroll.h"
#include "libtunnel/base/bytes.h"
#include "libtunnel/base/ct.h"
#include "libtunnel/coord/msg.h"
#include "libtunnel/crypto/crypto.h"
#include "log.h"
#include "netlink.h"
#include "prefix.h"
#include "secure.h"
#include "tundctl_daemon.h"

#define JOIN_WAIT_MS 15000
#define ROSTER_WAIT_MS 3000
/* The creator redeems its own invite at once, and its one-time key is never stored. But a coordinator
 * that lost its database must be able to take the card again. */
#define OWN_INVITE_S (100ull * 366 * 86400)
/* Above the ports that Linux gives to those who ask for any. */
#define PORT_FIRST 61001u
#define PORT_COUNT 4500u

/* ---- settings that were not given ---- */

static int choose_ifname(const struct args *a, char out[STATE_IFNAME_SIZE], struct why *w)
{
    if (a->ifname) {
        size_t len = strlen(a->ifname);

        if (len >= STATE_IFNAME_SIZE || strchr(a->ifname, '/') || strchr(a->ifname, ' ') ||
            strchr(a->ifname, '%') || strchr(a->ifname, ':'))
            return why_set(w, -EINVAL, "an interface name has 1 to %d letters, digits and -_.",
                           STATE_IFNAME_SIZE - 1);
        memcpy(out, a->ifname, len + 1);
        return 0;
    }
    for (int i = 0; i < 1000; i++) {
        snprintf(out, STATE_IFNAME_SIZE, "tund%d", i);
        if (nl_link_index(out) == 0)
            return 0;
    }
    return why_set(w, -EEXIST, "tund0 to tund999 are there: give an interface with --ifname");
}

static bool port_is_free(uint16_t port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool is_free = fd >= 0 && bind(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0;

    if (fd >= 0)
        close(fd);
    return is_free;
}

/* A port for good, so that peers and NATs find this machine again after a restart. */
static int choose_port(const struct args *a, uint16_t *port, struct why *w)
{
    uint8_t random[4];
    int err;

    *port = a->port;
    for (int i = 0; i < 100 && !*port; i++) {
        err = secure_random(random, sizeof(random));
        if (err)
            return why_set(w, err, "no random numbers: %s", strerror(-err));
        *port = (uint16_t)(PORT_FIRST + tn_get_be32(random) % PORT_COUNT);
        if (!port_is_free(*port))
            *port = 0;
    }
    if (!*port)
        return why_set(w, -EADDRINUSE, "no free UDP port was found: give one with --port");
    return 0;
}

static int finish_node(const struct args *a, struct state_node *node, struct why *w)
{
    int err = choose_ifname(a, node->ifname, w);

    node->portmap_off = a->given & ARG_PORTMAP && !a->portmap;
    return err ? err : choose_port(a, &node->port, w);
}

/* ---- after the state is stored: daemon and coordinator ---- */

/* What the coordinator's answer means to the one who typed the command. */
static const char *advice(uint8_t status)
{
    switch (status) {
    case TN_STATUS_INVITE_USED:
        return "; an invite makes one member, so ask for a new one";
    case TN_STATUS_INVITE_EXPIRED:
        return "; ask for a new one";
    case TN_STATUS_CLOCK:
        return ". Set it (date, or an NTP client) and give the same command again: the invite is not "
               "spent";
    case TN_STATUS_BAD_SIGNATURE:
        return ": the invite was altered, or is not from this network; ask for a new one";
    case TN_STATUS_OTHER_NETWORK:
        return ": the invite is not for a network of this coordinator; ask for a new one";
    case TN_STATUS_TAKEN:
        return "; ask for an invite with another name";
    case TN_STATUS_LIMIT:
        return "; ask its operator for more networks or members";
    case TN_STATUS_TRY_LATER:
    case TN_STATUS_STORE:
        return "; try the same command again later";
    default:
        return "";
    }
}

/* Ends the daemon; removes what was stored unless the coordinator may have taken it. */
static int give_up(struct state *s, bool forget, const char *reason, const char *rest)
{
    struct why why;

    say_error(CTL_EXIT_FAILED, "%s%s", reason, rest);
    if (daemon_stop(s, &why) != 0 || (forget && state_forget(s, &why) != 0))
        say_error(CTL_EXIT_FAILED, "%s", why.text);
    return CTL_EXIT_FAILED;
}

/* `again`: the keys are those of an earlier try, which may have been taken. */
static int bring_up(struct state *s, const struct state_node *node, bool again)
{
    uint8_t status = 0;
    struct why why;

    if (daemon_start(s, node, NULL, &why) != 0)
        return give_up(s, !again, why.text, "");
    switch (daemon_wait_joined(s, &node->coordinator, JOIN_WAIT_MS, &status, &why)) {
    case DAEMON_JOINED:
        return CTL_EXIT_OK;
    case DAEMON_REFUSED:
        return give_up(s, true, why.text, advice(status));
    case DAEMON_UNHEARD:
        return give_up(s, !again, why.text, was_interrupted() && !again ? ": nothing was changed" : "");
    case DAEMON_DOUBTFUL:
        break;
    }
    return give_up(s, false, why.text, "; it may have taken this machine as a member, so the keys are "
                   "kept: give the same command again");
}

static void print_self(const struct state_node *node)
{
    struct tn_addr a4 = tn_card_address4(&node->card), a6 = tn_card_address6(&node->card);
    char t4[ADDR_TEXT_LEN], t6[ADDR_TEXT_LEN];

    printf("%s is a member of network %s\n  addresses  %s  %s\n  interface  %s, UDP port %u\n",
           node->card.cert.name, node->card.cert.network, addr_ip_text(&a4, t4),
           addr_ip_text(&a6, t6), node->ifname, node->port);
}

/* "" for the default, else the option to give again. */
static const char *state_option(const struct args *a, char out[PATH_MAX + 16])
{
    out[0] = '\0';
    if (a->given & ARG_STATE)
        snprintf(out, PATH_MAX + 16, " --state %s", a->state_dir);
    return out;
}

/* 1: there is a member in the state that has yet to be taken by the coordinator. 0: there is none. */
static int load_unfinished(struct state *s, struct state_node *node, struct why *w)
{
    int err = state_load_node(s, node, w);

    if (err == -ENOENT)
        return 0;
    if (err)
        return err;
    if (!node->joined)
        return 1;
    return why_set(w, -EEXIST, "this machine is %s of network %s already: `tundctl leave` first, or use "
                   "another --state", node->card.cert.name, node->card.cert.network);
}

/* ---- create ---- */

static int choose_prefix(const struct args *a, struct prefix *prefix, struct why *w)
{
    struct prefix_routes routes;
    uint8_t seed[32];
    int err = a->prefix ? prefix_parse(a->prefix, prefix, w) : 0;

    if (!err)
        err = prefix_routes_read(&routes, w);
    if (err)
        return err;
    if (a->prefix) {
        err = prefix_check(prefix, &routes, NULL, w);
    } else {
        err = secure_random(seed, sizeof(seed));
        if (err)
            why_set(w, err, "no random numbers: %s", strerror(-err));
        else
            err = prefix_choose(prefix, &routes, seed, w);
    }
    prefix_routes_free(&routes);
    return err;
}

static int make_network(const struct args *a, const struct tn_url *url, struct state_owner *owner,
                        struct state_node *node, struct why *w)
{
    struct tn_invite invite = {0};
    struct tn_member none[1];
    struct tn_roster roster;
    uint8_t network_public[32];
    struct prefix prefix;
    uint64_t now_s;
    int err = enroll_clock(&now_s, w);

    if (!err)
        err = choose_prefix(a, &prefix, w);
    if (!err)
        err = enroll_network(owner, a->word, &prefix, w);
    if (err)
        return err;
    tn_ed25519_public(network_public, owner->network_seed);
    tn_roster_init(&roster, none, 1, network_public);
    err = enroll_invite(owner, &roster, a->name, 0, url, now_s, OWN_INVITE_S, &invite, w);
    if (!err)
        err = enroll_member(node, &invite, now_s, w);
    tn_invite_wipe(&invite);
    return err ? err : finish_node(a, node, w);
}

/* The same command again, after one that ended in doubt. */
static int check_same_create(const struct args *a, const struct tn_url *url,
                             const struct state_node *node, struct why *w)
{
    if (strcmp(node->card.cert.network, a->word) == 0 && strcmp(node->card.cert.name, a->name) == 0 &&
        memcmp(node->coordinator.public_key, url->public_key, 32) == 0)
        return 0;
    return why_set(w, -EEXIST, "another create or join was not finished here (%s of network %s): finish "
                   "it with the same command, or drop it with `tundctl leave --force`",
                   node->card.cert.name, node->card.cert.network);
}

static int store_network(struct state *s, const struct args *a, const struct tn_url *url,
                         struct state_node *node, bool *again, struct why *w)
{
    struct state_owner owner = {0};
    int err = load_unfinished(s, node, w);

    if (err < 0)
        return err;
    *again = err == 1;
    if (*again)
        return check_same_create(a, url, node, w);
    err = make_network(a, url, &owner, node, w);
    /* the node last: without it there is no member, and the rest is made anew */
    if (!err)
        err = state_save_owner(s, &owner, w);
    if (!err)
        err = state_save_node(s, node, w);
    state_owner_wipe(&owner);
    return err;
}

static int check_create(const struct args *a, struct tn_url *url, struct why *w)
{
    if (!a->coordinator || !a->name)
        return why_set(w, -EINVAL, "create needs --coordinator and --name (see tundctl create --help)");
    if (!tn_name_is_valid(a->word, strlen(a->word)) || !tn_name_is_valid(a->name, strlen(a->name)))
        return why_set(w, -EINVAL, "a name has 1 to 63 of a-z 0-9 and -, and neither begins nor ends "
                       "with -");
    if (tn_url_decode(url, a->coordinator, strlen(a->coordinator)) != 0)
        return why_set(w, -EINVAL, "%.300s is no coordinator: it looks like tund://HOST:PORT/KEY, as "
                       "`tund-coord run` prints it", a->coordinator);
    return 0;
}

int tundctl_create(const struct args *a)
{
    struct state_node *node = secure_alloc(sizeof(*node), NULL);
    char option[PATH_MAX + 16];
    int code = CTL_EXIT_FAILED;
    bool again = false;
    struct tn_url url;
    struct state s = {.dir_fd = -1, .lock_fd = {-1, -1}};
    struct why why;

    if (!node)
        return say_error(CTL_EXIT_FAILED, "no memory");
    if (check_create(a, &url, &why) != 0) {
        code = say_error(CTL_EXIT_USAGE, "%s", why.text);
        goto out;
    }
    if (state_open(&s, a->state_dir, true, &why) != 0 ||
        state_lock(&s, STATE_LOCK_CHANGE, false, &why) != 0 ||
        store_network(&s, a, &url, node, &again, &why) != 0) {
        say_error(code, "%s", why.text);
        goto out;
    }
    code = bring_up(&s, node, again);
    if (code != CTL_EXIT_OK)
        goto out;
    print_self(node);
    state_option(a, option);
    printf("\nNext, for each machine that shall join:\n"
           "  here    sudo tundctl invite --name laptop%s\n"
           "  there   sudo tundctl join -        (and paste the line)\n", option);
out:
    state_close(&s);
    secure_free(node, sizeof(*node));
    return code;
}

/* ---- join ---- */

static int explain_invite(int err, struct why *w)
{
    switch (err) {
    case TN_ENOENT:
        return why_set(w, -EINVAL, "this is no invite: one begins with " TN_INVITE_PREFIX);
    case TN_EINVAL:
        return why_set(w, -EINVAL, "the invite is damaged: a letter is missing, added or changed; copy "
                       "the whole line again");
    case TN_EDENIED:
        return why_set(w, -EINVAL, "the invite was altered, or made by another program or version: ask "
                       "for a new one");
    case TN_EAUTH:
        return why_set(w, -EINVAL, "the invite was altered: the network's signature does not verify; "
                       "ask for a new one");
    default:
        return why_set(w, -EINVAL, "the invite cannot be read (%d)", err);
    }
}

/* The first line that is not empty. */
static int read_line(FILE *f, char *text, size_t cap, size_t *len, struct why *w)
{
    setvbuf(f, NULL, _IONBF, 0); /* no copy of it in stdio's buffer */
    *len = 0;
    while (*len < cap && !was_interrupted()) {
        int c = getc(f);

        if (c == EOF || (c == '\n' && *len > 0))
            break;
        if (c != '\n')
            text[(*len)++] = (char)c;
    }
    if (was_interrupted())
        return why_set(w, -EINTR, "interrupted");
    if (ferror(f))
        return why_set(w, -EIO, "cannot read the invite: %s", strerror(errno));
    return 0;
}

/* From a file, or - for standard input. The text is as secret as a key. */
static int read_invite(const char *from, struct tn_invite *invite, struct why *w)
{
    bool is_stdin = strcmp(from, "-") == 0;
    FILE *f = is_stdin ? stdin : fopen(from, "re");
    char text[2 * TN_INVITE_TEXT_SIZE];
    size_t len;
    int err;

    if (!f)
        return why_set(w, -errno, "cannot read the invite from %s: %s%s", from, strerror(errno),
                       errno == ENOENT ? " (an invite comes from a file, or with - from standard input)"
                                       : "");
    if (is_stdin && isatty(STDIN_FILENO))
        fputs("paste the invite, and press Enter:\n", stderr);
    err = read_line(f, text, sizeof(text), &len, w);
    if (!err) {
        int wrong = tn_invite_decode(invite, text, len);

        err = wrong ? explain_invite(wrong, w) : 0;
    }
    tn_wipe(text, sizeof(text));
    if (!is_stdin)
        fclose(f);
    return err;
}

static int check_clash(const struct tn_cert *cert, struct why *w)
{
    struct prefix p4 = prefix_v4(cert->ipv4, cert->ipv4_bits), p6 = prefix_v6(cert->ipv6, 64);
    struct prefix_routes routes;
    int err = prefix_routes_read(&routes, w);

    if (err)
        return err;
    err = prefix_check(&p4, &routes, NULL, w);
    if (!err)
        err = prefix_check(&p6, &routes, NULL, w);
    prefix_routes_free(&routes);
    return err;
}

static int store_member(struct state *s, const struct args *a, const struct tn_invite *invite,
                        struct state_node *node, bool *again, struct why *w)
{
    uint64_t now_s;
    int err = load_unfinished(s, node, w);

    if (err < 0)
        return err;
    *again = err == 1;
    if (*again) {
        if (memcmp(node->card.cert.invite_id, invite->cert.invite_id, TN_INVITE_ID_LEN) == 0)
            return 0; /* goes on where it stopped, with the same keys */
        return why_set(w, -EEXIST, "another create or join was not finished here (%s of network %s): "
                       "finish it with the same command, or drop it with `tundctl leave --force`",
                       node->card.cert.name, node->card.cert.network);
    }
    err = enroll_clock(&now_s, w);
    if (!err)
        err = check_clash(&invite->cert, w);
    if (!err)
        err = enroll_member(node, invite, now_s, w);
    if (!err)
        err = finish_node(a, node, w);
    return err ? err : state_save_node(s, node, w);
}

/* Who has just joined knows nobody yet; there is at least who made the invite. So that the next
 * command finds it, wait for the first card. Not to get one in time is no failure of joining. */
static void wait_for_roster(const struct state *s)
{
    struct timespec pause = {.tv_nsec = 10 * 1000000};
    struct why ignored;

    for (int left_ms = ROSTER_WAIT_MS; left_ms > 0 && !was_interrupted(); left_ms -= 10) {
        json_t *answer;
        size_t count;

        if (ctl_ask(s, json_pack("{s:s}", "verb", "peers"), CTL_ANSWER_MS, &answer, &ignored) != 0)
            return;
        count = json_array_size(json_object_get(answer, "peers"));
        json_decref(answer);
        if (count > 0)
            return;
        nanosleep(&pause, NULL);
    }
}

int tundctl_join(const struct args *a)
{
    struct state_node *node = secure_alloc(sizeof(*node), NULL);
    struct tn_invite *invite = secure_alloc(sizeof(*invite), NULL);
    struct state s = {.dir_fd = -1, .lock_fd = {-1, -1}};
    char option[PATH_MAX + 16];
    int code = CTL_EXIT_FAILED;
    bool again = false;
    struct why why;

    if (!node || !invite) {
        say_error(code, "no memory");
        goto out;
    }
    if (read_invite(a->word, invite, &why) != 0 ||
        state_open(&s, a->state_dir, true, &why) != 0 ||
        state_lock(&s, STATE_LOCK_CHANGE, false, &why) != 0 ||
        store_member(&s, a, invite, node, &again, &why) != 0) {
        say_error(code, "%s", why.text);
        goto out;
    }
    code = bring_up(&s, node, again);
    if (code != CTL_EXIT_OK)
        goto out;
    wait_for_roster(&s);
    print_self(node);
    state_option(a, option);
    printf("\nNext: tundctl status%s\n", option);
out:
    state_close(&s);
    secure_free(invite, sizeof(*invite));
    secure_free(node, sizeof(*node));
    return code;
}
