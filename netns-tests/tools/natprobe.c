/* natprobe - tells of which kind a NAT router is.
 *
 * It opens the server's sockets in one network namespace and the clients' in
 * another and lets datagrams cross the router between them, so it needs neither
 * a server program nor a protocol. The experiments are in natprobe_tests.c,
 * the judgement in natprobe_verdict.c. */
#include "natprobe.h"

#include "lab_netns.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "usage: natprobe --server NETNS --client NETNS --address IP,IP [options] [TEST...]\n"
    "\n"
    "Classifies the NAT router between two network namespaces after RFC 4787.\n"
    "\n"
    "  --server NETNS     where the two server addresses live (a name or a path)\n"
    "  --client NETNS     a host behind the router\n"
    "  --client2 NETNS    a second host behind it, for hairpin (default: the first)\n"
    "  --address IP,IP    the server's two addresses, both IPv4 or both IPv6\n"
    "  --port P,P         the server's two ports (default 3478,3479)\n"
    "  --wait MS          after this long a datagram counts as lost (default 120)\n"
    "  --lifetime A-B     for the test lifetime: try a mapping after A s, another after B s\n"
    "  --expect LIST      properties that must come out, e.g. mapping=EIM,filtering=APDF\n"
    "  --json             one JSON object instead of words\n"
    "\n"
    "Tests and their values:\n"
    "  mapping    none EIM ADM APDM\n"
    "  filtering  EIF ADF APDF\n"
    "  ports      preserved sequential random\n"
    "  punch      ok fail flaky    does a peer's early packet spoil our mapping?\n"
    "  hairpin    no yes after-punch\n"
    "  lifetime   as-said shorter longer; as an expectation: lifetime=4-6\n"
    "Any may also be \"blocked\" (nothing passes), the first two \"mixed\" (trials disagree).\n"
    "Without TEST: those that --expect needs; without that, all but lifetime.\n"
    "\n"
    "Exit status: 0, or 1 when an expectation is not met, or 2 when nothing could be measured.\n";

struct options {
    const char *server, *client, *client2, *addresses, *ports, *lifetime, *expect;
    int wait_ms;
    bool json;
};

static struct options parse_options(int argc, char **argv)
{
    static const struct option longs[] = {
        { "server", required_argument, NULL, 's' },   { "client", required_argument, NULL, 'c' },
        { "client2", required_argument, NULL, 'd' },  { "address", required_argument, NULL, 'a' },
        { "port", required_argument, NULL, 'p' },     { "wait", required_argument, NULL, 'w' },
        { "lifetime", required_argument, NULL, 'l' }, { "expect", required_argument, NULL, 'e' },
        { "json", no_argument, NULL, 'j' },           { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    struct options o = { .ports = "3478,3479", .wait_ms = 120 };
    int option;

    while ((option = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
        switch (option) {
        case 's': o.server = optarg; break;
        case 'c': o.client = optarg; break;
        case 'd': o.client2 = optarg; break;
        case 'a': o.addresses = optarg; break;
        case 'p': o.ports = optarg; break;
        case 'w': o.wait_ms = (int)lab_number("--wait", optarg, 1, 60000); break;
        case 'l': o.lifetime = optarg; break;
        case 'e': o.expect = optarg; break;
        case 'j': o.json = true; break;
        case 'h': fputs(help, stdout); exit(0);
        default: lab_die(0, "see natprobe --help");
        }
    }
    if (!o.server || !o.client || !o.addresses)
        lab_die(0, "--server, --client and --address are needed; see natprobe --help");
    return o;
}

/* Splits "one,two" in place. */
static const char *second_of(const char *what, char *pair)
{
    char *comma = strchr(pair, ',');

    if (!comma)
        lab_die(0, "%s wants two values with a comma between", what);
    *comma = '\0';
    return comma + 1;
}

static void lab_open(const struct options *o, struct np_lab *lab)
{
    char ips[128], ports[32];

    if (snprintf(ips, sizeof ips, "%s", o->addresses) >= (int)sizeof ips ||
        snprintf(ports, sizeof ports, "%s", o->ports) >= (int)sizeof ports)
        lab_die(0, "--address or --port is too long");
    const char *ip[2] = { ips, second_of("--address", ips) };
    const char *port[2] = { ports, second_of("--port", ports) };
    lab->server_ns = lab_netns_open(o->server);
    lab->client_ns = lab_netns_open(o->client);
    lab->client2_ns = o->client2 ? lab_netns_open(o->client2) : lab->client_ns;
    lab->wait_ms = o->wait_ms;
    for (int i = 0; i < 2; i++) {
        for (int j = 0; j < 2; j++) {
            uint16_t number = (uint16_t)lab_number("--port", port[j], 1, 65535);

            lab->server[i][j] = np_addr_parse(ip[i], number);
            lab->server_fd[i][j] = np_bind(lab->server_ns, &lab->server[i][j]);
        }
    }
    lab->family = lab->server[0][0].ss.ss_family;
    if (lab->server[1][0].ss.ss_family != lab->family)
        lab_die(0, "the two addresses must be of one family");
}

static unsigned wanted_tests(int argc, char **argv, const struct np_expectations *e)
{
    unsigned tests = e->tests;

    for (int i = optind; i < argc; i++) {
        unsigned test = np_test_by_name(argv[i]);

        if (test == 0)
            lab_die(0, "no test is called \"%s\"; see natprobe --help", argv[i]);
        tests |= test;
    }
    if (tests == 0)
        tests = NP_TEST_MAPPING | NP_TEST_FILTERING | NP_TEST_PORTS | NP_TEST_PUNCH | NP_TEST_HAIRPIN;
    return tests;
}

static void run_tests(const struct np_lab *lab, unsigned tests, struct np_report *r)
{
    static const struct {
        enum np_test test;
        void (*run)(const struct np_lab *lab, struct np_report *r);
    } table[] = {
        { NP_TEST_MAPPING, np_test_mapping }, { NP_TEST_FILTERING, np_test_filtering },
        { NP_TEST_PORTS, np_test_ports },     { NP_TEST_PUNCH, np_test_punch },
        { NP_TEST_HAIRPIN, np_test_hairpin }, { NP_TEST_LIFETIME, np_test_lifetime },
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (tests & table[i].test)
            table[i].run(lab, r);
}

int main(int argc, char **argv)
{
    struct options o = parse_options(argc, argv);
    struct np_expectations expected = { 0 };
    struct np_report report = { 0 };
    struct np_lab lab = { 0 };
    const char *wrong = o.expect ? np_expect_parse(o.expect, &expected) : NULL;

    if (wrong)
        lab_die(0, "--expect %s: %s", o.expect, wrong);
    unsigned tests = wanted_tests(argc, argv, &expected);
    report.lifetime_alive_s = expected.want.lifetime_alive_s;
    report.lifetime_gone_s = expected.want.lifetime_gone_s;
    if (o.lifetime && sscanf(o.lifetime, "%lf-%lf", &report.lifetime_alive_s,
                             &report.lifetime_gone_s) != 2)
        lab_die(0, "--lifetime wants two times in seconds, as in 4-6");
    if ((tests & NP_TEST_LIFETIME) && report.lifetime_gone_s <= report.lifetime_alive_s)
        lab_die(0, "the test lifetime needs --lifetime A-B with A below B");

    lab_open(&o, &lab);
    run_tests(&lab, tests, &report);
    np_report_print(&report, o.json);
    const char *differs = np_expect_differs(&expected, &report);
    if (!differs)
        return 0;
    fprintf(stderr, "natprobe: %s is not as expected (%s)\n", differs, o.expect);
    return 1;
}
