/* tcpstall - downloads over HTTP and tells how smoothly it went: the SHA-256 of
 * what came, the longest time in which nothing came, and whether the connection
 * was reset. It is what a story uses to judge a path that changes under a
 * transfer: curl can tell that a file is whole, not that it stood still. */
#include "lab_netns.h"

#include <errno.h>
#include <getopt.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const char help[] =
    "usage: tcpstall [options] HOST PORT\n"
    "\n"
    "Fetches http://HOST:PORT/ and reports on the transfer.\n"
    "\n"
    "  --timeout S      give up after so long altogether (default 300)\n"
    "  --progress FILE  keep the number of bytes received so far in FILE\n"
    "  --stalls FILE    a line in FILE for each time that nothing came for 50 ms or more:\n"
    "                   its end, in milliseconds since 1970, and how long it was\n"
    "  --json           one JSON object instead of words\n"
    "\n"
    "SIGTERM ends it, with a report.\n"
    "Exit status: 0 when all bytes that the server announced have come; 1 when not.\n";

#define HEAD_MAX 4096
#define PROGRESS_EVERY_MS 20
#define STALL_MIN_MS 50

static volatile sig_atomic_t ended;

static void on_signal(int number)
{
    (void)number;
    ended = 1;
}

static void catch_term(void)
{
    sigset_t term;

    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    sigprocmask(SIG_BLOCK, &term, NULL);
    sigaction(SIGTERM, &(struct sigaction){ .sa_handler = on_signal }, NULL);
}

struct options {
    const char *host, *port, *progress, *stalls;
    int timeout_ms;
    bool json;
};

struct transfer {
    int fd;
    FILE *progress, *stalls;
    int64_t start_ms, deadline_ms, last_ms, written_ms;
    int64_t stall_ms; /* the longest so far */
    uint64_t stall_at; /* bytes received when it began */
    char head[HEAD_MAX + 1];
    size_t head_len;
    bool in_body;
    int status;
    uint64_t announced, bytes;
    int error; /* what ended the transfer early, as errno; 0: the server closed */
    crypto_hash_sha256_state hash;
};

static struct options parse_options(int argc, char **argv)
{
    static const struct option longs[] = {
        { "timeout", required_argument, NULL, 't' }, { "progress", required_argument, NULL, 'p' },
        { "stalls", required_argument, NULL, 's' },  { "json", no_argument, NULL, 'j' },
        { "help", no_argument, NULL, 'h' },          { NULL, 0, NULL, 0 },
    };
    struct options o = { .timeout_ms = 300000 };
    int option;

    while ((option = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
        switch (option) {
        case 't': o.timeout_ms = (int)(lab_number("--timeout", optarg, 0.1, 86400) * 1000); break;
        case 'p': o.progress = optarg; break;
        case 's': o.stalls = optarg; break;
        case 'j': o.json = true; break;
        case 'h': fputs(help, stdout); exit(0);
        default: lab_die(0, "see tcpstall --help");
        }
    }
    if (argc - optind != 2)
        lab_die(0, "HOST and PORT are needed; see tcpstall --help");
    o.host = argv[optind];
    o.port = argv[optind + 1];
    return o;
}

/* Waits for the socket until the deadline; returns an errno value. SIGTERM comes only here. */
static int wait_for(struct transfer *t, short events)
{
    struct pollfd p = { .fd = t->fd, .events = events };
    int64_t left_ms = t->deadline_ms - lab_now_ms();
    struct timespec left = { .tv_sec = left_ms / 1000, .tv_nsec = left_ms % 1000 * 1000000 };
    sigset_t none;

    sigemptyset(&none);
    int ready = left_ms > 0 ? ppoll(&p, 1, &left, &none) : 0;

    return ended ? EINTR : ready > 0 ? 0 : ready < 0 ? errno : ETIMEDOUT;
}

/* Connects and asks for "/"; returns an errno value. */
static int request(struct transfer *t, const struct options *o)
{
    static const char get[] = "GET / HTTP/1.0\r\n\r\n";
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found;
    int wrong = getaddrinfo(o->host, o->port, &hints, &found);

    if (wrong)
        lab_die(0, "%s port %s: %s", o->host, o->port, gai_strerror(wrong));
    t->fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (t->fd < 0)
        lab_die(errno, "socket");
    int error = connect(t->fd, found->ai_addr, found->ai_addrlen) < 0 ? errno : 0;
    freeaddrinfo(found);
    if (error == EINPROGRESS)
        error = wait_for(t, POLLOUT);
    socklen_t size = sizeof error;
    if (!error && getsockopt(t->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
        error = errno;
    if (!error && send(t->fd, get, sizeof get - 1, MSG_NOSIGNAL) != sizeof get - 1)
        error = errno;
    return error;
}

/* Adds bytes to the head; returns how many of them belong to it. */
static size_t take_head(struct transfer *t, const char *data, size_t len)
{
    for (size_t i = 0; i < len && t->head_len < HEAD_MAX; i++) {
        t->head[t->head_len++] = data[i];
        t->head[t->head_len] = '\0';
        if (t->head_len < 4 || strcmp(t->head + t->head_len - 4, "\r\n\r\n") != 0)
            continue;
        const char *length = strcasestr(t->head, "\r\nContent-Length:");
        unsigned long long announced;

        if (sscanf(t->head, "HTTP/%*d.%*d %d", &t->status) != 1 || !length ||
            sscanf(length + 17, "%llu", &announced) != 1)
            lab_die(0, "the server's answer has no status or no Content-Length");
        t->announced = announced;
        t->in_body = true;
        return i + 1;
    }
    if (t->head_len == HEAD_MAX)
        lab_die(0, "the head of the server's answer does not end");
    return len;
}

/* The number is written over the old one; it never gets shorter, so a reader
 * always finds a whole one. */
static void show_progress(struct transfer *t, bool now)
{
    if (!t->progress || (!now && t->last_ms - t->written_ms < PROGRESS_EVERY_MS))
        return;
    t->written_ms = t->last_ms;
    rewind(t->progress);
    fprintf(t->progress, "%llu\n", (unsigned long long)t->bytes);
    if (fflush(t->progress) != 0)
        lab_die(errno, "cannot write the progress file");
}

static void on_stall(struct transfer *t, int64_t stall_ms)
{
    struct timespec wall;

    if (stall_ms > t->stall_ms) {
        t->stall_ms = stall_ms;
        t->stall_at = t->bytes;
    }
    if (!t->stalls || stall_ms < STALL_MIN_MS)
        return;
    clock_gettime(CLOCK_REALTIME, &wall);
    fprintf(t->stalls, "%lld %lld\n", (long long)wall.tv_sec * 1000 + wall.tv_nsec / 1000000,
            (long long)stall_ms);
    if (fflush(t->stalls) != 0)
        lab_die(errno, "cannot write the file of stalls");
}

static void on_bytes(struct transfer *t, const char *data, size_t len)
{
    int64_t now_ms = lab_now_ms();

    on_stall(t, now_ms - t->last_ms);
    t->last_ms = now_ms;
    if (!t->in_body) {
        size_t head = take_head(t, data, len);

        data += head;
        len -= head;
    }
    crypto_hash_sha256_update(&t->hash, (const unsigned char *)data, len);
    t->bytes += len;
    show_progress(t, false);
}

/* A transfer that never resumes counts as one that stalled until now. */
static void on_end(struct transfer *t, int error)
{
    t->error = error;
    on_stall(t, lab_now_ms() - t->last_ms);
    show_progress(t, true);
}

static void receive(struct transfer *t)
{
    static char data[1 << 18];

    for (;;) {
        int error = wait_for(t, POLLIN);
        ssize_t len = error ? -1 : recv(t->fd, data, sizeof data, 0);

        if (!error && len < 0)
            error = errno;
        if (error == EAGAIN || (error == EINTR && !ended))
            continue;
        if (len > 0)
            on_bytes(t, data, (size_t)len);
        if (len <= 0 || (t->in_body && t->bytes >= t->announced)) {
            on_end(t, len < 0 ? error : 0);
            return;
        }
    }
}

static bool report(struct transfer *t, bool json)
{
    unsigned char hash[crypto_hash_sha256_BYTES];
    char hex[2 * sizeof hash + 1];
    bool complete = t->in_body && t->status == 200 && t->bytes == t->announced && !t->error;

    crypto_hash_sha256_final(&t->hash, hash);
    sodium_bin2hex(hex, sizeof hex, hash, sizeof hash);
    printf(json ? "{\"complete\":%s,\"bytes\":%llu,\"sha256\":\"%s\",\"longest_stall_ms\":%lld,"
                  "\"stall_at_byte\":%llu,\"duration_ms\":%lld,\"reset\":%s,\"status\":%d,"
                  "\"error\":\"%s\"}\n"
                : "complete %s bytes %llu sha256 %s longest stall %lld ms at byte %llu "
                  "duration %lld ms reset %s status %d %s\n",
           complete ? "true" : "false", (unsigned long long)t->bytes, hex, (long long)t->stall_ms,
           (unsigned long long)t->stall_at, (long long)(t->last_ms - t->start_ms),
           t->error == ECONNRESET || t->error == EPIPE ? "true" : "false", t->status,
           t->error ? strerror(t->error) : "");
    return complete;
}

int main(int argc, char **argv)
{
    struct options o = parse_options(argc, argv);
    static struct transfer t;

    if (sodium_init() < 0)
        lab_die(0, "libsodium does not start");
    crypto_hash_sha256_init(&t.hash);
    catch_term();
    if (o.progress && !(t.progress = fopen(o.progress, "w")))
        lab_die(errno, "%s", o.progress);
    if (o.stalls && !(t.stalls = fopen(o.stalls, "w")))
        lab_die(errno, "%s", o.stalls);
    t.start_ms = t.last_ms = lab_now_ms();
    t.deadline_ms = t.start_ms + o.timeout_ms;
    int error = request(&t, &o);
    if (error)
        on_end(&t, error);
    else
        receive(&t);
    bool complete = report(&t, o.json);
    close(t.fd);
    return complete ? 0 : 1;
}
