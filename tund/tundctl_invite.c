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
#include "tundctl_device.h"

#define EXPIRES_DEFAULT_S (7 * 86400u)
#define ROSTER_CAP 65536u

struct making {
    struct state s;
    struct state_owner owner;
    struct state_node node;
    struct tn_invite invite;
    const char *name; /* the new member's */
    uint8_t flags;
    char text[TN_INVITE_TEXT_SIZE + 1]; /* the line */
    size_t len;
    char config[DEVICE_CONFIG_SIZE]; /* the device's file with it */
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
        err = enroll_invite(&m->owner, &roster, m->name, m->flags, &m->node.coordinator, now_s,
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

static int write_all(int fd, const char *text, size_t len, struct why *w)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = write(fd, text + done, len - done);

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

static void format_end(const struct tn_cert *cert, char text[64])
{
    time_t end = (time_t)cert->not_after_s;
    struct tm tm;

    if (!localtime_r(&end, &tm) || !strftime(text, 64, "%Y-%m-%d %H:%M %Z", &tm))
        text[0] = '\0';
}

static void say_what_it_is(const struct making *m, const struct args *a)
{
    const struct tn_cert *cert = &m->invite.cert;
    struct tn_addr a4 = tn_cert_address4(cert);
    char address[ADDR_TEXT_LEN], text[64];

    format_end(cert, text);
    fprintf(stderr, "for %s, %s, until %s; whoever has this %s can join, once\n", cert->name,
            addr_ip_text(&a4, address), text, a->device && a->out ? "file" : "line");
    if (!a->device)
        return;
    if (a->out)
        fprintf(stderr, "next: put %s/" DEVICE_CONFIG_NAME " beside the firmware's main file, build and "
                "flash it\n", a->out);
    else
        fprintf(stderr, "next: paste the line at the prompt of the device's serial port\n");
    fprintf(stderr, "then: tundctl status shows %s; ping %s\n", cert->name, address);
}

/* To standard output or a file: the line. */
static int invite_line(struct making *m, const struct args *a, struct why *w)
{
    int fd, err = open_out(a->out, &fd, w);

    if (err)
        return err;
    err = make(m, a, w);
    if (!err)
        err = write_all(fd, m->text, m->len, w);
    return close_out(a->out, fd, err, w);
}

static int invite_config(struct making *m, const struct args *a, struct why *w)
{
    struct device_out out;
    char until[64];
    int err = device_out_open(&out, a->out, a->given & ARG_FORCE, w);

    if (err)
        return err;
    err = make(m, a, w);
    if (!err) {
        format_end(&m->invite.cert, until);
        m->text[m->len - 1] = '\0'; /* the line's end */
        err = write_all(out.fd, m->config,
                        device_config_text(m->config, &m->invite.cert, m->text, until, a->budget), w);
    }
    return device_out_close(&out, a->out, err, w);
}

static int check_args(struct making *m, const struct args *a)
{
    m->name = a->device ? a->device : a->name;
    m->flags = a->device ? TN_CERT_DEVICE : 0;
    if (!m->name || (a->device && a->name))
        return say_error(CTL_EXIT_USAGE, "invite needs --name, or --device (see tundctl invite "
                         "--help)");
    if ((a->given & ARG_FORCE) && !(a->device && a->out))
        return say_error(CTL_EXIT_USAGE, "--force belongs to --device with --out");
    if ((a->given & ARG_BUDGET) && !(a->device && a->out))
        return say_error(CTL_EXIT_USAGE, "--budget belongs to --device with --out; at a device's prompt it is "
                         "set by \"budget BYTES\"");
    if (!tn_name_is_valid(m->name, strlen(m->name)))
        return say_error(CTL_EXIT_USAGE, "a name has 1 to 63 of a-z 0-9 and -, and neither begins nor "
                         "ends with -");
    return CTL_EXIT_OK;
}

int tundctl_invite(const struct args *a)
{
    struct making *m = secure_alloc(sizeof(*m), NULL);
    int code;
    struct why why;

    if (!m)
        return say_error(CTL_EXIT_FAILED, "no memory");
    m->s = (struct state){.dir_fd = -1, .lock_fd = {-1, -1}};
    code = check_args(m, a);
    if (code == CTL_EXIT_OK &&
        (state_open(&m->s, a->state_dir, false, &why) ||
         (a->device && a->out ? invite_config(m, a, &why) : invite_line(m, a, &why))))
        code = say_error(CTL_EXIT_FAILED, "%s", why.text);
    if (code == CTL_EXIT_OK)
        say_what_it_is(m, a);
    state_close(&m->s);
    secure_free(m, sizeof(*m));
    return code;
}
