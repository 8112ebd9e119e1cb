/* badfirewall - a default gateway that has an IPv6 firewall, controlled by UPnP (WANIPv6FirewallControl), and
 * is wrong about it: each command is answered as it is told to. Commands are printed as they come, and
 * counted. */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <net/if.h>
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
    "usage: badfirewall --interface IF --kind KIND [--elsewhere IP6]\n"
    "\n"
    "Answers on UDP 1900 and TCP 5000 of IPv6, until SIGTERM.\n"
    "\n"
    "  works      pinhole 7; packets have come through it\n"
    "  dead       pinhole 7; nothing has come through it\n"
    "  forgets    knows a pinhole no more when it is to be renewed\n"
    "  name       the number of a pinhole is a word\n"
    "  large      the number of a pinhole has more than 16 bits\n"
    "  huge       an answer of 1 GB\n"
    "  refused    error 606: not authorised\n"
    "  full       error 701: no room\n"
    "  off        says that the firewall is off\n"
    "  closed     says that it may not be opened\n"
    "  elsewhere  the control address is at ELSEWHERE\n"
    "  table      a description without a firewall\n"
    "\n"
    "On SIGTERM it prints one line: ssdp N add N update N check N delete N.\n";

#define HTTP_PORT 5000
#define SSDP_PORT 1900
#define CLIENT_S 5 /* a client that says nothing for so long is left */

enum kind { WORKS, DEAD, FORGETS, NAME, LARGE, HUGE_ANSWER, REFUSED, FULL, OFF, CLOSED, ELSEWHERE, TABLE, KINDS };
static const char *const kind_name[KINDS] = {"works",   "dead", "forgets", "name",   "large",     "huge",
                                             "refused", "full", "off",     "closed", "elsewhere", "table"};

static struct {
    const char *elsewhere;
    unsigned ifindex;
    enum kind kind;
    unsigned ssdp_count, add_count, update_count, check_count, delete_count;
} me = {.elsewhere = "2001:db8::1", .kind = KINDS};

static volatile sig_atomic_t ended;

static void on_signal(int number)
{
    ended = 1;
}

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "badfirewall: %s: %s\n", what, strerror(errno));
    exit(2);
}

static int listen_on(int type, uint16_t port)
{
    struct sockaddr_in6 sa = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    int on = 1, fd = socket(AF_INET6, type, 0);

    if (fd < 0 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(fd, (struct sockaddr *)&sa, sizeof sa) != 0 || (type == SOCK_STREAM && listen(fd, 16) != 0))
        die("cannot listen");
    return fd;
}

static void join_group(int fd)
{
    struct ipv6_mreq m = {.ipv6mr_interface = me.ifindex};

    if (inet_pton(AF_INET6, "ff02::c", &m.ipv6mr_multiaddr) != 1 ||
        setsockopt(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &m, sizeof m) != 0)
        die("cannot join the group");
}

/* ---- the search ---- */

static void on_search(int fd)
{
    /* the address is not the one that is asked: a router has several */
    static const char answer[] = "HTTP/1.1 200 OK\r\nST: urn:schemas-upnp-org:device:InternetGatewayDevice:2\r\n"
                                 "LOCATION: http://[2001:db8::99]:5000/root.xml\r\n\r\n";
    char text[1024];
    struct sockaddr_in6 from;
    socklen_t len = sizeof from;

    if (recvfrom(fd, text, sizeof text, 0, (struct sockaddr *)&from, &len) <= 0)
        return;
    me.ssdp_count++;
    (void)sendto(fd, answer, sizeof answer - 1, 0, (struct sockaddr *)&from, len);
}

/* ---- HTTP ---- */

static int describe(char *out, size_t size)
{
    const char *service = me.kind == TABLE ? "WANIPConnection:2" : "WANIPv6FirewallControl:1";
    bool away = me.kind == ELSEWHERE;

    return snprintf(out, size,
                    "<root xmlns=\"urn:schemas-upnp-org:device-1-0\"><device><deviceType>urn:schemas-upnp-org:"
                    "device:InternetGatewayDevice:2</deviceType><deviceList><device><deviceType>urn:schemas-upnp-"
                    "org:device:WANDevice:2</deviceType><deviceList><device><deviceType>urn:schemas-upnp-org:"
                    "device:WANConnectionDevice:2</deviceType><serviceList><service><serviceType>urn:schemas-"
                    "upnp-org:service:%s</serviceType><controlURL>%s%s%s/ctl</controlURL></service></serviceList>"
                    "</device></deviceList></device></deviceList></device></root>",
                    service, away ? "http://[" : "", away ? me.elsewhere : "", away ? "]:5000" : "");
}

static int envelope(char *out, size_t size, const char *body)
{
    return snprintf(out, size,
                    "<?xml version=\"1.0\"?><s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\">"
                    "<s:Body>%s</s:Body></s:Envelope>", body);
}

static int fault(char *out, size_t size, int code)
{
    char body[512];

    snprintf(body, sizeof body,
             "<s:Fault><faultcode>s:Client</faultcode><faultstring>UPnPError</faultstring><detail><UPnPError "
             "xmlns=\"urn:schemas-upnp-org:control-1-0\"><errorCode>%d</errorCode></UPnPError></detail></s:Fault>",
             code);
    return envelope(out, size, body);
}

static int reply(char *out, size_t size, const char *action, const char *values)
{
    char body[512];

    snprintf(body, sizeof body,
             "<u:%sResponse xmlns:u=\"urn:schemas-upnp-org:service:WANIPv6FirewallControl:1\">%s</u:%sResponse>",
             action, values, action);
    return envelope(out, size, body);
}

static int on_add(char *out, size_t size)
{
    char values[64];

    me.add_count++;
    if (me.kind == REFUSED || me.kind == FULL)
        return fault(out, size, me.kind == REFUSED ? 606 : 701);
    if (me.kind == NAME)
        return reply(out, size, "AddPinhole", "<UniqueID>seven</UniqueID>");
    snprintf(values, sizeof values, "<UniqueID>%u</UniqueID>",
             me.kind == LARGE ? 65536u : me.kind == FORGETS ? me.add_count : 7u);
    return reply(out, size, "AddPinhole", values);
}

static int on_update(char *out, size_t size)
{
    me.update_count++;
    return me.kind == FORGETS ? fault(out, size, 704) : reply(out, size, "UpdatePinhole", "");
}

static int on_check(char *out, size_t size)
{
    me.check_count++;
    return reply(out, size, "CheckPinholeWorking",
                 me.kind == DEAD ? "<IsWorking>0</IsWorking>" : "<IsWorking>1</IsWorking>");
}

static int on_status(char *out, size_t size)
{
    char values[128];

    snprintf(values, sizeof values,
             "<FirewallEnabled>%d</FirewallEnabled><InboundPinholeAllowed>%d</InboundPinholeAllowed>",
             me.kind != OFF, me.kind != CLOSED);
    return reply(out, size, "GetFirewallStatus", values);
}

static bool is_action(const char *request, const char *action)
{
    const char *at = strstr(request, action);

    if (!at || at == request || at[-1] != '#')
        return false;
    puts(action);
    fflush(stdout);
    return true;
}

static int begin_answer(char *out, size_t size, const char *request)
{
    if (strncmp(request, "GET ", 4) == 0)
        return describe(out, size);
    if (is_action(request, "GetFirewallStatus"))
        return on_status(out, size);
    if (is_action(request, "AddPinhole"))
        return on_add(out, size);
    if (is_action(request, "UpdatePinhole"))
        return on_update(out, size);
    if (is_action(request, "CheckPinholeWorking"))
        return on_check(out, size);
    me.delete_count += is_action(request, "DeletePinhole");
    return reply(out, size, "DeletePinhole", "");
}

/* What a huge answer goes on with: the child that reads it has to end by itself. */
static void fill(int fd)
{
    static char filling[65536];

    memset(filling, ' ', sizeof filling);
    for (unsigned i = 0; i < 1000000000u / sizeof filling; i++) {
        if (write(fd, filling, sizeof filling) <= 0)
            return;
    }
}

static void answer(int fd, const char *request)
{
    char body[2048], head[256];
    bool huge = me.kind == HUGE_ANSWER && strstr(request, "#AddPinhole");
    int len = begin_answer(body, sizeof body, request);
    int head_len = snprintf(head, sizeof head,
                            "HTTP/1.1 %s\r\nContent-Type: text/xml\r\nConnection: close\r\nContent-Length: %u\r\n\r\n",
                            strstr(body, "<s:Fault>") ? "500 Error" : "200 OK", huge ? 1000000000u : (unsigned)len);

    if (write(fd, head, (size_t)head_len) != head_len || write(fd, body, (size_t)len) != len)
        return; /* it has gone */
    if (huge)
        fill(fd);
}

/* The whole request, as far as it names its action; then all that comes is read off, or a reset would
 * overtake the answer. */
static void on_connection(int listener)
{
    const struct timeval patience = {.tv_sec = CLIENT_S};
    int fd = accept(listener, NULL, NULL);
    char text[4096];
    size_t len = 0;
    ssize_t n;

    if (fd < 0)
        return;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) != 0)
        die("no patience");
    do {
        n = read(fd, text + len, sizeof text - 1 - len);
        len += n > 0 ? (size_t)n : 0;
        text[len] = '\0';
    } while (n > 0 && len < sizeof text - 1 && !strstr(text, "\r\n\r\n"));
    if (n > 0)
        answer(fd, text);
    shutdown(fd, SHUT_WR);
    while (read(fd, text, sizeof text) > 0)
        continue;
    close(fd);
}

/* ---- all together ---- */

static enum kind find(const char *name)
{
    for (int i = 0; i < KINDS; i++) {
        if (strcmp(name, kind_name[i]) == 0)
            return (enum kind)i;
    }
    return KINDS;
}

static void take_arguments(int argc, char **argv)
{
    static const struct option options[] = {
        {"interface", required_argument, NULL, 'i'}, {"elsewhere", required_argument, NULL, 'e'},
        {"kind", required_argument, NULL, 'k'},      {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0}};
    int got;

    while ((got = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (got) {
        case 'i': me.ifindex = if_nametoindex(optarg); break;
        case 'e': me.elsewhere = optarg; break;
        case 'k': me.kind = find(optarg); break;
        case 'h': fputs(help, stdout); exit(0);
        default: fputs(help, stderr); exit(2);
        }
    }
    if (!me.ifindex || me.kind == KINDS) {
        fputs(help, stderr);
        exit(2);
    }
}

int main(int argc, char **argv)
{
    struct sigaction on_end = {.sa_handler = on_signal};
    struct pollfd p[2];

    take_arguments(argc, argv);
    sigaction(SIGTERM, &on_end, NULL);
    signal(SIGPIPE, SIG_IGN);
    p[0] = (struct pollfd){.fd = listen_on(SOCK_DGRAM, SSDP_PORT), .events = POLLIN};
    p[1] = (struct pollfd){.fd = listen_on(SOCK_STREAM, HTTP_PORT), .events = POLLIN};
    join_group(p[0].fd);
    puts("ready");
    fflush(stdout);
    while (!ended) {
        if (poll(p, 2, -1) <= 0)
            continue;
        if (p[0].revents)
            on_search(p[0].fd);
        if (p[1].revents)
            on_connection(p[1].fd);
    }
    printf("ssdp %u add %u update %u check %u delete %u\n", me.ssdp_count, me.add_count, me.update_count,
           me.check_count, me.delete_count);
    return 0;
}
