/* httpserve - offers one file over HTTP/1.0, whatever path is asked for. The
 * other end of tcpstall, small enough that a stall is never its own doing: one
 * process for each connection, and sendfile. */
#include "lab_netns.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static const char help[] =
    "usage: httpserve [--listen ADDRESS] [--port PORT] FILE\n"
    "\n"
    "Answers every GET with FILE (default: all addresses, port 8080) until SIGTERM.\n"
    "Prints \"ready\" when it listens.\n";

/* Reads until the empty line that ends a request; false when it never comes. */
static int read_request(int fd)
{
    char request[4097];
    size_t len = 0;

    while (len < sizeof request - 1) {
        ssize_t more = recv(fd, request + len, sizeof request - 1 - len, 0);

        if (more <= 0)
            return 0;
        len += (size_t)more;
        request[len] = '\0';
        if (strstr(request, "\r\n\r\n"))
            return strncmp(request, "GET ", 4) == 0;
    }
    return 0;
}

/* In the child: serves one connection; returns its exit status. */
static int serve(int fd, const char *path)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    struct stat s;
    off_t sent = 0;

    if (file < 0 || fstat(file, &s) < 0)
        lab_die(errno, "%s", path);
    if (!read_request(fd))
        return 1;
    dprintf(fd,
            "HTTP/1.0 200 OK\r\nContent-Length: %lld\r\n"
            "Content-Type: application/octet-stream\r\nConnection: close\r\n\r\n",
            (long long)s.st_size);
    while (sent < s.st_size)
        if (sendfile(fd, file, &sent, 1 << 20) <= 0)
            return 1;
    /* the client closes first, so nothing that is still under way gets lost */
    shutdown(fd, SHUT_WR);
    char rest[256];
    while (recv(fd, rest, sizeof rest, 0) > 0)
        ;
    return 0;
}

static int listen_on(const char *address, const char *port)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICHOST }, *found;
    int on = 1;
    int wrong = getaddrinfo(address, port, &hints, &found);

    if (wrong)
        lab_die(0, "%s port %s: %s", address, port, gai_strerror(wrong));
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        bind(fd, found->ai_addr, found->ai_addrlen) < 0 || listen(fd, 16) < 0)
        lab_die(errno, "cannot listen on %s port %s", address, port);
    freeaddrinfo(found);
    return fd;
}

static void accept_for_ever(int listener, const char *path)
{
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

        if (fd < 0) {
            if (errno == EINTR || errno == ECONNABORTED)
                continue;
            lab_die(errno, "accept");
        }
        pid_t child = fork();
        if (child < 0)
            lab_die(errno, "fork");
        if (child == 0) {
            prctl(PR_SET_PDEATHSIG, SIGTERM);
            _exit(serve(fd, path));
        }
        close(fd);
    }
}

int main(int argc, char **argv)
{
    static const struct option longs[] = {
        { "listen", required_argument, NULL, 'l' },
        { "port", required_argument, NULL, 'p' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    const char *address = "::", *port = "8080";
    int option;

    while ((option = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
        switch (option) {
        case 'l': address = optarg; break;
        case 'p': port = optarg; break;
        case 'h': fputs(help, stdout); return 0;
        default: lab_die(0, "see httpserve --help");
        }
    }
    if (argc - optind != 1)
        lab_die(0, "one FILE is needed; see httpserve --help");
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_IGN); /* children need no waiting for */
    int listener = listen_on(address, port);
    puts("ready");
    if (fflush(stdout) != 0)
        lab_die(errno, "standard output");
    accept_for_ever(listener, argv[optind]);
}
