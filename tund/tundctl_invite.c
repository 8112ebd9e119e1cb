/* invite: one line for one more machine.
 *
 * Made here and not by the daemon, so that the daemon never holds the network's
 * key; it works whether one runs or not. The counter of addresses is stored before
 * the line leaves, so no address is ever given out twice. */
#include "tundctl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "enroll.h"
#include "libtunnel/base/ct.h"
#include "libtunnel/crypto/crypto.h"
#include "log.h"
#include "secure.h"

#define EXPIRES_DEFAULT_S (7 * 86400u)
#define ROSTER_CAP 65536u

struct making {
    struct state s;
    struct state_owner owner;
    struct state_node node;
    struct tn_invite invite;
    char text[TN_INVITE_TEXT_SIZE + 1];
    size_t len;
};

/* The members that are known here: their names and addresses are taken. */
static int load_roster(struct making *m, struct tn_roster *roster, struct tn_member **members,
                       struct why *w)
{
    struct tn_roster_result result;
    uint8_t network_public[32];

    *members = calloc(ROSTER_CAP, sizeof(**members));
    if (!*members)
        return why_set(w, -ENOMEM, "no memory to read the roster");
    tn_ed25519_public(network_public, m->owner.network_seed);
    tn_roster_init(roster, *members, ROSTER_CAP, network_public);
    if (tn_roster_offer(roster, &m->node.card, 0, &result) != 0)
        return why_set(w, -EBADMSG, "the network's key and this machine's card in %s do not belong "
                       "together", m->s.dir);
    return state_load_roster(&m->s, roster, NULL, w);
}

static int make(struct making *m, const struct args *a, struct why *w)
{
    struct tn_member *members = NULL;
    struct tn_roster roster;
    uint64_t now_s;
    int err = state_lock(&m->s, STATE_LOCK_CHANGE, true, w);

    if (!err)
        err = state_load_owner(&m->s, &m->owner, w);
    if (!err)
        err = state_load_node(&m->s, &m->node, w);
    if (!err)
        err = enroll_clock(&now_s, w);
    if (!err)
        err = load_roster(m, &roster, &members, w);
    if (!err)
        err = enroll_invite(&m->owner, &roster, a->name, &m->node.coordinator, now_s,
                            a->expires_s ? a->expires_s : EXPIRES_DEFAULT_S, &m->invite, w);
    free(members);
    if (!err && tn_invite_encode(&m->invite, m->text, sizeof(m->text) - 1, &m->len) != 0)
        err = why_set(w, -EINVAL, "the invite cannot be written");
    if (!err)
        err = state_save_owner(&m->s, &m->owner, w);
    if (!err)
        m->text[m->len++] = '\n';
    return err;
}

/* Opened before anything is made, so that a file in the way costs no address. */
static int open_out(const char *path, int *fd, struct why *w)
{
    *fd = path ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600) : STDOUT_FILENO;
    return *fd < 0 ? why_set(w, -errno, "cannot make %s: %s", path, strerror(errno)) : 0;
}

static int write_out(const struct making *m, int fd, struct why *w)
{
    for (size_t done = 0; done < m->len;) {
        ssize_t n = write(fd, m->text + done, m->len - done);

        if (n >= 0)
            done += (size_t)n;
        else if (errno != EINTR)
            return why_set(w, -errno, "cannot write the invite: %s", strerror(errno));
    }
    return 0;
}

static int close_out(const char *path, int fd, int err, struct why *w)
{
    if (!path)
        return err;
    if (close(fd) < 0 && !err)
        err = why_set(w, -errno, "cannot write %s: %s", path, strerror(errno));
    if (err && unlink(path) < 0) /* half an invite is none */
        say_error(CTL_EXIT_FAILED, "%s: %s", path, strerror(errno));
    return err;
}

static void say_what_it_is(const struct tn_cert *cert)
{
    struct tn_addr a4 = tn_cert_address4(cert);
    time_t end = (time_t)cert->not_after_s;
    char address[ADDR_TEXT_LEN], text[64] = "";
    struct tm tm;

    if (localtime_r(&end, &tm))
        strftime(text, sizeof(text), "%Y-%m-%d %H:%M %Z", &tm);
    fprintf(stderr, "for %s, %s, until %s; whoever has this line can join, once\n", cert->name,
            addr_ip_text(&a4, address), text);
}

static int invite(struct making *m, const struct args *a, struct why *w)
{
    int err = state_open(&m->s, a->state_dir, false, w);
    int fd;

    if (!err)
        err = open_out(a->out, &fd, w);
    if (err)
        return err;
    err = make(m, a, w);
    if (!err)
        err = write_out(m, fd, w);
    return close_out(a->out, fd, err, w);
}

int tundctl_invite(const struct args *a)
{
    struct making *m = secure_alloc(sizeof(*m), NULL);
    int code = CTL_EXIT_FAILED;
    struct why why;

    if (!m)
        return say_error(code, "no memory");
    m->s = (struct state){.dir_fd = -1, .lock_fd = {-1, -1}};
    if (!a->name)
        code = say_error(CTL_EXIT_USAGE, "invite needs --name (see tundctl invite --help)");
    else if (!tn_name_is_valid(a->name, strlen(a->name)))
        code = say_error(CTL_EXIT_USAGE, "a name has 1 to 63 of a-z 0-9 and -, and neither begins nor "
                         "ends with -");
    else if (invite(m, a, &why) != 0)
        say_error(code, "%s", why.text);
    else
        code = CTL_EXIT_OK;
    if (code == CTL_EXIT_OK)
        say_what_it_is(&m->invite.cert);
    state_close(&m->s);
    secure_free(m, sizeof(*m));
    return code;
}
