/* The sentences. Advice is a table: each row has a condition and a text with at most one %s,
 * the member's name (or, for one row, an address); those whose condition holds are given, in the
 * table's order, the most useful first. */
#include "explain.h"

#include "libtunnel/path/portsearch.h"

#include <stdio.h>
#include <string.h>

void explain_count(struct explain_tally *t, uint8_t verdict, uint8_t left)
{
    t->count++;
    t->lossy += left == TN_CAND_LOSSY;
    t->slow += left == TN_CAND_SLOW;
    if (left)
        return;
    t->checked += verdict == TN_CAND_CHECKED;
    t->small += verdict == TN_CAND_ANSWERED_SMALL;
    t->trying += verdict == TN_CAND_NEW || verdict == TN_CAND_PUNCHING;
    t->silent += verdict == TN_CAND_SILENT || verdict == TN_CAND_LOST;
}

/* ---- the two NATs ---- */

static enum tn_nat_pair pair_of(const struct explain_facts *f)
{
    return tn_nat_pair(&f->own, &f->peer);
}

const char *explain_pair(const struct explain_facts *f)
{
    switch (pair_of(f)) {
    case TN_PAIR_PUNCH:
        if (f->own.open || f->peer.open)
            return "one end can be reached by anybody, so the other just sends: direct whatever its NAT";
        return "each end shows everybody the same port, so punching makes them direct";
    case TN_PAIR_SEARCH:
        return "one NAT gives each peer another port, and the other lets in only ports that it has sent to";
    case TN_PAIR_RELAY:
        return "both NATs give each peer another port: neither end can be told where to send to";
    case TN_PAIR_BLOCKED:
        return f->own.mapping == TN_NAT_BLOCKED ? "UDP does not get through where this machine is"
                                                : "UDP does not get through where the member is";
    case TN_PAIR_UNKNOWN:
        break;
    }
    return f->own.mapping == TN_NAT_UNKNOWN ? "what the NAT here does is not known (yet)"
                                            : "what the member's NAT does is not known (yet)";
}

/* ---- the search for a port ---- */

uint32_t explain_search_bytes(const struct explain_facts *f)
{
    struct tn_search_plan plan;

    if (pair_of(f) != TN_PAIR_SEARCH ||
        !tn_search_plan(tn_nat_is_hard(&f->own) ? &f->own : &f->peer, &plan))
        return 0;
    return plan.bytes;
}

bool explain_search(const struct explain_facts *f, char out[EXPLAIN_SEARCH_LEN])
{
    uint32_t bytes = explain_search_bytes(f);

    if (pair_of(f) != TN_PAIR_SEARCH)
        return false;
    if (!bytes)
        snprintf(out, EXPLAIN_SEARCH_LEN, "how that NAT chooses ports is not known, so its port cannot be searched for");
    else if (f->peer.reserved)
        snprintf(out, EXPLAIN_SEARCH_LEN, "%s is on a metered link and lets nobody search for ports", f->name);
    else if (bytes > f->budget)
        snprintf(out, EXPLAIN_SEARCH_LEN, "to find the port would take %u bytes, and the budget is %u bytes", bytes,
                 f->budget);
    else if (f->searches)
        snprintf(out, EXPLAIN_SEARCH_LEN, "the port was searched for, %u times, and not found; it is tried again while "
                 "there is traffic", f->searches);
    else
        snprintf(out, EXPLAIN_SEARCH_LEN, "the port is searched for while there is traffic, for %u bytes a time", bytes);
    return true;
}

/* ---- TCP with the member ---- */

static const struct {
    const char *name, *words;
} tcp_states[EXPLAIN_TCP_STATES] = {
    [EXPLAIN_TCP_UNTRIED] = {"untried", "TCP between the two was not tried (yet)"},
    [EXPLAIN_TCP_OFF] = {"off", "TCP between the two is not tried on a metered link, or with --tls-port 0"},
    [EXPLAIN_TCP_TRYING] = {"trying", "TCP between the two is being tried"},
    [EXPLAIN_TCP_NO_ADDRESS] = {"no-address", "this machine has no address for TCP between the two"},
    [EXPLAIN_TCP_UNANSWERED] = {"unanswered", "the member did not say where it can be reached by TCP"},
    [EXPLAIN_TCP_UNWILLING] = {"unwilling", "the member is on a metered link, or was told not to use TCP"},
    [EXPLAIN_TCP_FAILED] = {"failed", "TCP between the two was tried and did not get through: a NAT gives each "
                                      "connection another port, or a firewall keeps them back"},
    [EXPLAIN_TCP_CONNECTED] = {"connected", "TCP between the two gets through"},
    [EXPLAIN_TCP_LOST] = {"lost", "TCP between the two got through, and ended"},
};

const char *explain_tcp_name(enum explain_tcp s)
{
    return tcp_states[s].name;
}

const char *explain_tcp_words(enum explain_tcp s)
{
    return tcp_states[s].words;
}

/* ---- the path in use ---- */

/* Why there is no direct path (yet). */
static const char *obstacle(const struct explain_facts *f)
{
    const struct explain_tally *t = &f->tally;

    if (!t->count)
        return "no candidates of it are known: nothing was sent to it since this daemon runs";
    if (t->lossy && !t->checked)
        return "the direct way loses many packets, and the relay does not";
    if (t->slow && !t->checked)
        return "the direct way takes much longer than the relay does";
    if (t->trying)
        return "candidates are still being tried";
    if (t->checked)
        return "a candidate works, and traffic is about to move to it";
    if (t->small)
        return "a candidate answers small packets only: the way there has a smaller MTU, too small for data";
    if (t->silent && pair_of(f) > TN_PAIR_PUNCH)
        return explain_pair(f);
    if (t->silent)
        return "no candidate answers: NATs or firewalls keep packets back on every way that was tried";
    return "none of its candidates may be probed";
}

static void reason_of_relay(const struct explain_facts *f, char out[EXPLAIN_LEN])
{
    char search[EXPLAIN_SEARCH_LEN];

    if (!f->reachable)
        snprintf(out, EXPLAIN_LEN, "none but the relay is left, and the coordinator says that %s is not "
                 "connected now", f->name);
    else if (f->is_device)
        snprintf(out, EXPLAIN_LEN, "through the relay, because %s is a device that pays for each byte and "
                 "is not probed", f->name);
    else if (f->mode == TN_MODE_RELAY)
        snprintf(out, EXPLAIN_LEN, "through the relay, because it was told so: `tundctl path %s auto` undoes it", f->name);
    else if (f->tally.silent && !f->tally.trying && !f->tally.small && !f->tally.checked &&
             !f->tally.lossy && !f->tally.slow && explain_search(f, search))
        snprintf(out, EXPLAIN_LEN, "through the relay, because %s: %s", explain_pair(f), search);
    else if (pair_of(f) == TN_PAIR_BLOCKED && f->tally.count && !f->tally.lossy)
        snprintf(out, EXPLAIN_LEN, "through the relay, because %s, and %s", explain_pair(f), explain_tcp_words(f->tcp));
    else
        snprintf(out, EXPLAIN_LEN, "through the relay, because %s", obstacle(f));
}

static void reason_of_member(const struct explain_facts *f, char out[EXPLAIN_LEN])
{
    if (f->mode == TN_MODE_RELAY)
        snprintf(out, EXPLAIN_LEN, "through member %s, because it was told to take no direct path (`tundctl path %s auto` "
                 "undoes it), and this way (%.0f ms) is better than the coordinator's relay", f->through, f->name,
                 (double)f->rtt_us / 1000.0);
    else
        snprintf(out, EXPLAIN_LEN, "through member %s, which relays for others, because %s, and this way (%.0f ms) is better "
                 "than the coordinator's relay", f->through, obstacle(f), (double)f->rtt_us / 1000.0);
}

/* Direct over TCP: what is lost holds up the rest, so UDP is better where it passes. */
static void reason_of_tcp(const struct explain_facts *f, char out[EXPLAIN_LEN])
{
    snprintf(out, EXPLAIN_LEN, "direct over TCP, because packets were answered on a TCP connection with %s, and none by "
             "UDP; it is the best of %u ways that work", f->name, f->tally.checked);
}

void explain_reason(const struct explain_facts *f, char out[EXPLAIN_LEN])
{
    switch (f->path) {
    case TN_PATH_DIRECT:
        if (f->by_tcp)
            reason_of_tcp(f, out);
        else if (f->mtu < f->mtu_wanted)
            snprintf(out, EXPLAIN_LEN, "direct, because small packets and those of up to %u bytes were answered on "
                     "this way, and it is the best of %u that work", (unsigned)f->mtu, f->tally.checked);
        else
            snprintf(out, EXPLAIN_LEN, "direct, because small and full-size packets were answered on this way, "
                     "and it is the best of %u that work", f->tally.checked);
        return;
    case TN_PATH_RELAY:
        reason_of_relay(f, out);
        return;
    case TN_PATH_MEMBER:
        reason_of_member(f, out);
        return;
    case TN_PATH_NONE:
        break;
    }
    if (!f->reachable)
        snprintf(out, EXPLAIN_LEN, "no path: the coordinator says that %s is not connected now", f->name);
    else if (f->mode == TN_MODE_DIRECT)
        snprintf(out, EXPLAIN_LEN, "no path: it was told to use none but a direct one (`tundctl path %s auto` undoes it), "
                 "and %s", f->name, obstacle(f));
    else if (!f->joined)
        snprintf(out, EXPLAIN_LEN, "no path: the coordinator is not connected, so there is no relay, and %s",
                 obstacle(f));
    else
        snprintf(out, EXPLAIN_LEN, "no path yet: %s", obstacle(f));
}

/* ---- advice ---- */

static bool is_away(const struct explain_facts *f)
{
    return !f->reachable && f->path != TN_PATH_DIRECT;
}

static bool wants_direct(const struct explain_facts *f)
{
    return f->reachable && f->path != TN_PATH_DIRECT && !f->is_device && f->mode != TN_MODE_RELAY;
}

static bool is_offline(const struct explain_facts *f)
{
    return !f->joined;
}

static bool is_unasked(const struct explain_facts *f)
{
    return wants_direct(f) && f->joined && !f->tally.count;
}

static bool is_blocked_here(const struct explain_facts *f)
{
    return f->own.mapping == TN_NAT_BLOCKED;
}

static bool is_blocked_there(const struct explain_facts *f)
{
    return wants_direct(f) && f->peer.mapping == TN_NAT_BLOCKED;
}

static bool is_hard_pair(const struct explain_facts *f)
{
    return wants_direct(f) && (pair_of(f) == TN_PAIR_RELAY || pair_of(f) == TN_PAIR_SEARCH);
}

static bool is_lied_to(const struct explain_facts *f)
{
    return f->lying != NULL;
}

static bool is_too_dear(const struct explain_facts *f)
{
    return wants_direct(f) && explain_search_bytes(f) > f->budget && !f->peer.reserved;
}

static bool is_small_only(const struct explain_facts *f)
{
    return wants_direct(f) && f->tally.small && !f->tally.checked;
}

static bool is_narrow(const struct explain_facts *f)
{
    return f->path != TN_PATH_NONE && !f->is_device && f->mtu < f->mtu_wanted;
}

static bool is_punchable_yet_silent(const struct explain_facts *f)
{
    return wants_direct(f) && pair_of(f) == TN_PAIR_PUNCH && f->tally.silent && !f->tally.trying &&
           !f->tally.small && !f->tally.checked;
}

static bool is_unmeasured_here(const struct explain_facts *f)
{
    return wants_direct(f) && f->joined && f->own.mapping == TN_NAT_UNKNOWN;
}

static const struct {
    bool (*applies)(const struct explain_facts *f);
    const char *text;
} advice[] = {
    {is_offline, "get this machine to its coordinator first: `tundctl status` says what is wrong, `tundctl "
                 "netcheck` what the network lets through"},
    {is_away, "start tund on %s, or look at its network: the coordinator does not hear from it"},
    {is_blocked_here, "use another network here, or have its firewall let UDP out"},
    {is_blocked_there, "have the firewall where %s is let UDP out"},
    {is_unasked, "send something to it: `tundctl ping --until-direct %s` begins the search for a direct path"},
    {is_hard_pair, "let one of the two gateways map a port for tund (UPnP, NAT-PMP, PCP, or by hand to the UDP "
                   "port that `tundctl status` shows there): then %s is direct whatever the other NAT does"},
    {is_hard_pair, "or use IPv6 at both ends: there is no NAT to search through"},
    {is_too_dear, "or allow a dearer search for the port: tund --search-budget at both ends, as `tundctl explain` "
                  "says how much"},
    {is_lied_to, "the gateway says that it has mapped %s and does not forward it: map the port by hand, or "
                 "restart the gateway"},
    {is_small_only, "repair the link on the way to %s that drops packets of no more than 400 bytes"},
    {is_narrow, "nothing need be done, but for the last bit of speed: a link on the way to %s drops full-size packets, "
                "so shorter ones are sent"},
    {is_punchable_yet_silent, "these NATs can be punched, so a firewall is in the way: let UDP from and to %s's "
                              "outside address pass, at both ends"},
    {is_unmeasured_here, "run `tundctl netcheck` here: what this NAT does is not known"},
};

/* The text, with `what` in the place of %s. */
static void fill_in(const char *text, const char *what, char out[EXPLAIN_LEN])
{
    const char *at = strstr(text, "%s");

    if (at)
        snprintf(out, EXPLAIN_LEN, "%.*s%s%s", (int)(at - text), text, what, at + 2);
    else
        snprintf(out, EXPLAIN_LEN, "%s", text);
}

bool explain_advice(const struct explain_facts *f, unsigned i, char out[EXPLAIN_LEN])
{
    for (size_t row = 0; row < sizeof(advice) / sizeof(advice[0]); row++) {
        if (!advice[row].applies(f) || i--)
            continue;
        fill_in(advice[row].text, advice[row].applies == is_lied_to ? f->lying : f->name, out);
        return true;
    }
    return false;
}
