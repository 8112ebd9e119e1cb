/* wirectl - changes a running wire: sends words to its control socket and
 * prints the answer. */
#include "lab_netns.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

static const char help[] =
    "usage: wirectl PATH SETTING...    change settings, e.g. delay=20 ab.loss=5 (see wire --help)\n"
    "       wirectl PATH stats         print what passed and what did not\n"
    "       wirectl PATH zero          start counting again\n"
    "Exit status: 0, or 1 when the wire refuses, or 2 when it cannot be asked.\n";

static void join_words(int count, char **words, char *out, size_t size)
{
    size_t len = 0;

    out[0] = '\0';
    for (int i = 0; i < count; i++) {
        len += (size_t)snprintf(out + len, size - len, "%s%s", i ? " " : "", words[i]);
        if (len >= size)
            lab_die(0, "too many words at once");
    }
}

static struct sockaddr_un path_address(const char *path, const char *suffix)
{
    struct sockaddr_un u = { .sun_family = AF_UNIX };
    int len = snprintf(u.sun_path, sizeof u.sun_path, "%s%s", path, suffix);

    if (len < 0 || (size_t)len >= sizeof u.sun_path)
        lab_die(ENAMETOOLONG, "%s", path);
    return u;
}

/* Sends the words and receives the answer; returns an errno value. Our own
 * address is a path as well, because the wire may sit in another namespace. */
static int ask(const char *path, const char *words, char *out, size_t size)
{
    char suffix[24];
    struct timeval patience = { .tv_sec = 5 };
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int error = 0;

    snprintf(suffix, sizeof suffix, ".%d", (int)getpid());
    struct sockaddr_un wire = path_address(path, "");
    struct sockaddr_un self = path_address(path, suffix);
    if (fd < 0 || bind(fd, (struct sockaddr *)&self, sizeof self) < 0)
        return errno;
    ssize_t len = -1;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0 &&
        sendto(fd, words, strlen(words), 0, (struct sockaddr *)&wire, sizeof wire) >= 0)
        len = recv(fd, out, size - 1, 0);
    if (len < 0)
        error = errno;
    else
        out[len] = '\0';
    unlink(self.sun_path);
    close(fd);
    return error;
}

int main(int argc, char **argv)
{
    char words[500], out[2048];

    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        fputs(help, stdout);
        return 0;
    }
    if (argc < 3)
        lab_die(0, "see wirectl --help");
    join_words(argc - 2, argv + 2, words, sizeof words);
    int error = ask(argv[1], words, out, sizeof out);
    if (error)
        lab_die(error, "no answer from the wire at %s", argv[1]);
    fputs(out, stdout);
    return strncmp(out, "error", 5) == 0;
}
