/* badgateway - a default gateway that is hostile or broken: it answers the search for UPnP, HTTP, PCP and
 * NAT-PMP, each as it is told to. What it gets is counted, so that a story can see who was asked. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char help[] =
    "usage: badgateway --address IP --http KIND --udp KIND [--elsewhere IP]\n"
    "\n"
    "Answers on UDP 1900 and 5351 and TCP 5000 of that address, until SIGTERM.\n"
    "\n"
    "  --http huge        a description of 1 GB\n"
    "  --http headers     headers without end\n"
    "  --http drip        a byte each second\n"
    "  --http redirect    301 to http://ELSEWHERE:5000/\n"
    "  --http location    the search's answer points to ELSEWHERE\n"
    "  --http control     a good description, whose control address is ELSEWHERE's\n"
    "  --http base        the same by its URLBase\n"
    "  --http deep        elements within elements, without end\n"
    "  --http none        no UPnP\n"
    "  --udp short        NAT-PMP and PCP answers of every length that is too short\n"
    "  --udp nonce        PCP answers with another nonce\n"
    "  --udp other        answers to what was not asked: other ports, other protocols\n"
    "  --udp none         silence\n"
    "  --udp counter      no gateway: count what comes to UDP and TCP of this address, answer nothing\n"
    "\n"
    "On SIGTERM it prints one line: ssdp N http N pmp N.\n";

#define HTTP_PORT 5000
#define SSDP_PORT 1900
#define PMP_PORT 5351
#define HUGE_LEN 1000000000ull

enum http_kind { HUGE_BODY, HEADERS, DRIP, REDIRECT, LOCATION, CONTROL, BASE, DEEP, HTTP_NONE, HTTP_KINDS };
static const char *const http_name[HTTP_KINDS] = {"huge",    "headers", "drip", "redirect", "location",
                                                  "control", "base",    "deep", "none"};
enum udp_kind { SHORT, NONCE, OTHER, UDP_NONE, COUNTER, UDP_KINDS };
static const char *const udp_name[UDP_KINDS] = {"short", "nonce", "other", "none", "counter"};

static struct {
    const char *address, *elsewhere;
    enum http_kind http;
    enum udp_kind udp;
    unsigned ssdp_count, http_count, pmp_count;
} me = {.elsewhere = "192.0.2.1", .http = HTTP_KINDS, .udp = UDP_KINDS};

static struct pollfd listeners[3]; /* search, HTTP, questions */
#define COUNT(a) (int)(sizeof(a) / sizeof((a)[0]))

static volatile sig_atomic_t ended;

static void on_signal(int number)
{
    ended = 1;
}

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "badgateway: %s: %s\n", what, strerror(errno));
    exit(2);
}

static int find(const char *name, const char *const *names, int count)
{
    for (int i = 0; i < count; i++) {
        if (strcmp(name, names[i]) == 0)
            return i;
    }
    fputs(help, stderr);
    exit(2);
}

/* Bound to every address for the search, as its questions come to a group. */
static int listen_on(int type, uint16_t port, bool any)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(port)};
    int on = 1, fd = socket(AF_INET, type | SOCK_NONBLOCK, 0);

    if (fd < 0 || (!any && inet_pton(AF_INET, me.address, &sa.sin_addr) != 1) ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(fd, (struct sockaddr *)&sa, sizeof sa) != 0 || (type == SOCK_STREAM && listen(fd, 16) != 0))
        die("cannot listen");
    return fd;
}

static void join_group(int fd)
{
    struct ip_mreq m = {.imr_multiaddr.s_addr = htonl(0xeffffffau)};

    if (inet_pton(AF_INET, me.address, &m.imr_interface) != 1 ||
        setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof m) != 0)
        die("cannot join the group");
}

/* ---- the search ---- */

static void on_search(int fd)
{
    char text[1024];
    struct sockaddr_in from;
    socklen_t len = sizeof from;
    ssize_t n = recvfrom(fd, text, sizeof text, 0, (struct sockaddr *)&from, &len);

    if (n <= 0)
        return;
    me.ssdp_count++;
    if (me.http == HTTP_NONE || me.udp == COUNTER)
        return;
    n = snprintf(text, sizeof text,
                 "HTTP/1.1 200 OK\r\nST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n"
                 "LOCATION: http://%s:%d/root.xml\r\n\r\n",
                 me.http == LOCATION ? me.elsewhere : me.address, HTTP_PORT);
    (void)sendto(fd, text, (size_t)n, 0, (struct sockaddr *)&from, len);
}

/* ---- HTTP ---- */

static const char good_head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n";

static int begin_answer(char *out, size_t size)
{
    static const char description[] =
        "<root xmlns=\"urn:schemas-upnp-org:device-1-0\">%s%s%s<device><deviceType>"
        "urn:schemas-upnp-org:device:InternetGatewayDevice:1</deviceType><deviceList><device><deviceType>"
        "urn:schemas-upnp-org:device:WANDevice:1</deviceType><deviceList><device><deviceType>"
        "urn:schemas-upnp-org:device:WANConnectionDevice:1</deviceType><serviceList><service><serviceType>"
        "urn:schemas-upnp-org:service:WANIPConnection:1</serviceType><controlURL>%s%s%s/ctl</controlURL>"
        "</service></serviceList></device></deviceList></device></deviceList></device></root>";
    bool base = me.http == BASE, control = me.http == CONTROL;

    switch (me.http) {
    case HUGE_BODY:
        return snprintf(out, size, "%sContent-Length: %llu\r\n\r\n", good_head, HUGE_LEN);
    case REDIRECT:
        return snprintf(out, size, "HTTP/1.1 301 Moved\r\nLocation: http://%s:%d/root.xml\r\n"
                        "Content-Length: 0\r\n\r\n", me.elsewhere, HTTP_PORT);
    case CONTROL:
    case BASE: {
        int head = snprintf(out, size, "%sConnection: close\r\n\r\n", good_head);

        return head + snprintf(out + head, size - (size_t)head, description,
                               base ? "<URLBase>http://" : "", base ? me.elsewhere : "",
                               base ? ":5000</URLBase>" : "", control ? "http://" : "",
                               control ? me.elsewhere : "", control ? ":5000" : "");
    }
    case DEEP:
        return snprintf(out, size, "%s\r\n", good_head);
    default:
        return snprintf(out, size, "%s", good_head);
    }
}

/* What is sent for ever after the beginning. */
static const char *endless(void)
{
    switch (me.http) {
    case HUGE_BODY:
        return "<x>0123456789abcdef0123456789abcdef0123456789abcdef</x>\n";
    case HEADERS:
        return "X-Filling: 0123456789abcdef0123456789abcdef0123456789abcdef\r\n";
    case DRIP:
        return "X";
    case DEEP:
        return "<a><b><c><d><e><f><g><h><i><j><k><l><m><n><o><p><q><r><s><t>";
    default:
        return NULL;
    }
}

/* One process for each connection; it ends when the other side does. */
static _Noreturn void serve(int fd)
{
    const char *filling = endless();
    char text[4096];
    int n;

    for (int i = 0; i < COUNT(listeners); i++)
        close(listeners[i].fd);
    (void)fcntl(fd, F_SETFL, 0);
    if (read(fd, text, sizeof text) <= 0)
        exit(0);
    n = begin_answer(text, sizeof text);
    if (write(fd, text, (size_t)n) != n)
        exit(0);
    while (filling && write(fd, filling, strlen(filling)) > 0) {
        if (me.http == DRIP)
            sleep(1);
    }
    exit(0);
}

static void on_connection(int listener)
{
    int fd = accept(listener, NULL, NULL);

    if (fd < 0)
        return;
    me.http_count++;
    if (me.udp != COUNTER && me.http != HTTP_NONE && fork() == 0)
        serve(fd);
    close(fd);
}

/* ---- PCP and NAT-PMP ---- */

/* A good answer to a question, to be spoilt. */
static size_t good_answer(const uint8_t *ask, size_t len, uint8_t out[60])
{
    static const uint8_t outside[16] = {[10] = 0xff, [11] = 0xff, [12] = 55, [13] = 9, [14] = 9, [15] = 9};

    memset(out, 0, 60);
    out[0] = ask[0];
    out[1] = ask[1] | 0x80;
    if (ask[0] == 2 && len >= 60) {
        out[6] = 0x1c; /* 7200 s */
        out[7] = 0x20;
        memcpy(out + 24, ask + 24, 20);
        memcpy(out + 44, outside, 16);
        return 60;
    }
    if (ask[1] == 0) {
        memcpy(out + 8, outside + 12, 4);
        return 12;
    }
    memcpy(out + 8, ask + 4, 4);
    out[14] = 0x1c;
    out[15] = 0x20;
    return 16;
}

static void on_question(int fd)
{
    uint8_t ask[256], out[60];
    struct sockaddr_in from;
    socklen_t from_len = sizeof from;
    ssize_t n = recvfrom(fd, ask, sizeof ask, 0, (struct sockaddr *)&from, &from_len);
    size_t len;

    if (n < 2)
        return;
    me.pmp_count++;
    len = good_answer(ask, (size_t)n, out);
    switch (me.udp) {
    case SHORT:
        for (size_t cut = 0; cut < len; cut++)
            (void)sendto(fd, out, cut, 0, (struct sockaddr *)&from, from_len);
        return;
    case NONCE:
        if (ask[0] != 2)
            return;
        out[24] ^= 1;
        break;
    case OTHER:
        if (len == 60)
            out[41] ^= 1; /* the inside port */
        else if (len == 16)
            out[9] ^= 1;
        else
            return;
        break;
    default:
        return;
    }
    (void)sendto(fd, out, len, 0, (struct sockaddr *)&from, from_len);
}

/* ---- all together ---- */

static void take_arguments(int argc, char **argv)
{
    static const struct option options[] = {
        {"address", required_argument, NULL, 'a'}, {"elsewhere", required_argument, NULL, 'e'},
        {"http", required_argument, NULL, 't'},    {"udp", required_argument, NULL, 'u'},
        {"help", no_argument, NULL, 'h'},          {NULL, 0, NULL, 0}};
    int got;

    while ((got = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (got) {
        case 'a': me.address = optarg; break;
        case 'e': me.elsewhere = optarg; break;
        case 't': me.http = (enum http_kind)find(optarg, http_name, HTTP_KINDS); break;
        case 'u': me.udp = (enum udp_kind)find(optarg, udp_name, UDP_KINDS); break;
        case 'h': fputs(help, stdout); exit(0);
        default: fputs(help, stderr); exit(2);
        }
    }
    if (!me.address || me.http == HTTP_KINDS || me.udp == UDP_KINDS) {
        fputs(help, stderr);
        exit(2);
    }
}

int main(int argc, char **argv)
{
    struct sigaction on_end = {.sa_handler = on_signal};
    struct pollfd *p = listeners;

    take_arguments(argc, argv);
    sigaction(SIGTERM, &on_end, NULL);
    signal(SIGCHLD, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    p[0] = (struct pollfd){.fd = listen_on(SOCK_DGRAM, SSDP_PORT, true), .events = POLLIN};
    p[1] = (struct pollfd){.fd = listen_on(SOCK_STREAM, HTTP_PORT, false), .events = POLLIN};
    p[2] = (struct pollfd){.fd = listen_on(SOCK_DGRAM, PMP_PORT, false), .events = POLLIN};
    join_group(p[0].fd);
    puts("ready");
    fflush(stdout);
    while (!ended) {
        if (poll(p, COUNT(listeners), -1) <= 0)
            continue;
        if (p[0].revents)
            on_search(p[0].fd);
        if (p[1].revents)
            on_connection(p[1].fd);
        if (p[2].revents)
            on_question(p[2].fd);
    }
    printf("ssdp %u http %u pmp %u\n", me.ssdp_count, me.http_count, me.pmp_count);
    return 0;
}
