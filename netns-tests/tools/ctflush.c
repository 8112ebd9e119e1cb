/* ctflush - forgets every connection that this network namespace tracks, as a
 * router does when it reboots. It is what `conntrack -F` does, without that
 * package: one IPCTNL_MSG_CT_DELETE without a tuple (linux/netfilter/
 * nfnetlink_conntrack.h), and its acknowledgement. */
#include "lab_netns.h"

#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char help[] =
    "usage: ctflush [NETNS]\n"
    "\n"
    "Empties the connection tracking table of a network namespace (default: the one it runs in).\n";

struct request {
    struct nlmsghdr head;
    struct nfgenmsg body;
};

struct acknowledgement {
    struct nlmsghdr head;
    struct nlmsgerr body;
};

static int flush_table(void)
{
    struct request q = {
        .head = { .nlmsg_len = sizeof q,
                  .nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE,
                  .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK },
        .body = { .nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0 },
    };
    struct acknowledgement a;
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);

    if (fd < 0 || send(fd, &q, sizeof q, 0) < 0)
        return errno;
    ssize_t len = recv(fd, &a, sizeof a, 0);
    if (len < 0)
        return errno;
    close(fd);
    if ((size_t)len < sizeof a || a.head.nlmsg_type != NLMSG_ERROR)
        return EPROTO;
    return -a.body.error;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        fputs(help, stdout);
        return 0;
    }
    if (argc > 2)
        lab_die(0, "see ctflush --help");
    if (argc == 2)
        lab_netns_enter(lab_netns_open(argv[1]));
    int error = flush_table();
    if (error)
        lab_die(error, "cannot empty the connection tracking table");
    return 0;
}
