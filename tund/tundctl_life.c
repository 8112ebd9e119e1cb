/* up, down and leave: the life of a member that there is. */
#include "tundctl.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "ctl_client.h"
#include "secure.h"
#include "tundctl_daemon.h"

#define LEAVE_MS 10000
#define LEAVE_FORCED_MS 3000

/* Opens the state and reads the member; the caller ends with close_member. */
struct member {
    struct state s;
    struct state_node node;
};

static struct member *open_member(const struct args *a)
{
    struct member *m = secure_alloc(sizeof(*m), NULL);
    struct why why;

    if (!m) {
        say_error(CTL_EXIT_FAILED, "no memory");
        return NULL;
    }
    m->s = (struct state){.dir_fd = -1, .lock_fd = {-1, -1}};
    if (state_open(&m->s, a->state_dir, false, &why) == 0 &&
        state_load_node(&m->s, &m->node, &why) == 0)
        return m;
    say_error(CTL_EXIT_FAILED, "%s", why.text);
    state_close(&m->s);
    secure_free(m, sizeof(*m));
    return NULL;
}

static void close_member(struct member *m)
{
    state_close(&m->s);
    secure_free(m, sizeof(*m));
}

int tundctl_up(const struct args *a)
{
    struct member *m = open_member(a);
    int code = CTL_EXIT_OK;
    struct why why;
    bool started;

    if (!m)
        return CTL_EXIT_FAILED;
    if (daemon_start(&m->s, &m->node, &started, &why) != 0)
        code = say_error(CTL_EXIT_FAILED, "%s", why.text);
    else
        printf("%s %s up\n", m->node.ifname, started ? "is" : "was");
    close_member(m);
    return code;
}

int tundctl_down(const struct args *a)
{
    struct state s;
    struct why why;
    int code = CTL_EXIT_OK;
    bool ran;

    if (state_open(&s, a->state_dir, false, &why) != 0)
        return say_error(CTL_EXIT_FAILED, "%s", why.text);
    ran = daemon_runs(&s);
    if (daemon_stop(&s, &why) != 0)
        code = say_error(CTL_EXIT_FAILED, "%s", why.text);
    else
        printf("%s\n", ran ? "stopped" : "it did not run");
    state_close(&s);
    return code;
}

/* ---- leave ---- */

static int forget(struct member *m, struct why *w)
{
    int err = daemon_stop(&m->s, w);

    return err ? err : state_forget(&m->s, w);
}

/* The coordinator is told by the daemon, which then removes the state and ends. */
static int leave_in_order(struct member *m, int wait_ms, struct why *w)
{
    uint8_t status;
    int err = daemon_start(&m->s, &m->node, NULL, w);

    if (err)
        return err;
    if (daemon_wait_joined(&m->s, &m->node.coordinator, wait_ms, &status, w) != DAEMON_JOINED)
        return -EHOSTUNREACH;
    err = ctl_ask(&m->s, json_pack("{s:s}", "verb", "leave"), LEAVE_MS, NULL, w);
    return err ? err : forget(m, w);
}

static bool is_allowed(const struct member *m, const struct args *a)
{
    if (a->given & ARG_FORCE || !state_has(&m->s, "owner"))
        return true;
    say_error(CTL_EXIT_FAILED, "this machine holds the key of network %s: without it nobody can be "
              "invited any more. Keep a copy of %s, or say --force", m->node.card.cert.network,
              m->s.dir);
    return false;
}

int tundctl_leave(const struct args *a)
{
    struct member *m = open_member(a);
    int code = CTL_EXIT_FAILED;
    struct why why;

    if (!m)
        return code;
    if (!is_allowed(m, a))
        goto out;
    if (leave_in_order(m, a->given & ARG_FORCE ? LEAVE_FORCED_MS : LEAVE_MS, &why) == 0) {
        printf("left network %s\n", m->node.card.cert.network);
        code = CTL_EXIT_OK;
    } else if (!(a->given & ARG_FORCE) || was_interrupted()) {
        say_error(code, "%s; nothing was changed. `tundctl leave --force` forgets the network here without "
                  "telling anybody", why.text);
    } else if (forget(m, &why) != 0) {
        say_error(code, "%s", why.text);
    } else {
        printf("forgot network %s; the other members were not told\n", m->node.card.cert.network);
        code = CTL_EXIT_OK;
    }
out:
    close_member(m);
    return code;
}
