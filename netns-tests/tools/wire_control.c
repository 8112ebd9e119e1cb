/* The control socket: one datagram with words in, one with the answer out. It
 * is a socket with a path and clients bind one too, since nameless and abstract
 * addresses end at the border of a network namespace and this process sits in
 * another one than its client. */
#include "wire.h"

#include "lab_netns.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int wire_control_open(const char *path)
{
    struct sockaddr_un u = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (strlen(path) >= sizeof u.sun_path)
        lab_die(ENAMETOOLONG, "%s", path);
    strcpy(u.sun_path, path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&u, sizeof u) < 0)
        lab_die(errno, "control socket %s", path);
    return fd;
}

static size_t answer(struct wire_way way[2], char *words, char *out, size_t size)
{
    if (strcmp(words, "stats") == 0)
        return wire_describe(way, out, size);
    if (strcmp(words, "zero") == 0) {
        for (int i = 0; i < 2; i++)
            memset(&way[i].count, 0, sizeof way[i].count);
        return (size_t)snprintf(out, size, "ok\n");
    }
    const char *wrong = wire_apply(way, words);

    if (!wrong)
        return (size_t)snprintf(out, size, "ok\n");
    return (size_t)snprintf(out, size, "error: wire does not understand \"%.100s\"\n", wrong);
}

void wire_control_serve(int fd, struct wire_way way[2])
{
    char words[512], out[1024];
    struct sockaddr_un client;
    socklen_t client_len = sizeof client;
    ssize_t len = recvfrom(fd, words, sizeof words - 1, 0, (struct sockaddr *)&client, &client_len);

    if (len < 0)
        return;
    words[len] = '\0';
    size_t out_len = answer(way, words, out, sizeof out);
    /* a client that has gone away meanwhile is no business of ours */
    sendto(fd, out, out_len, MSG_DONTWAIT, (struct sockaddr *)&client, client_len);
}
