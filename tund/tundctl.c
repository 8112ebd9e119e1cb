/* tundctl: the command line of an overlay node. Verbs are a table; what they do is
 * in tundctl_*.c, one file for each group. */
#include "tundctl.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "secure.h"

static const struct verb {
    const char *name;
    const char *word; /* what stands without an option, or NULL */
    unsigned takes;
    int (*run)(const struct args *a);
    const char *line;    /* in the overview */
    const char *options; /* for --help, a line each */
    const char *note;    /* behind them, or NULL */
    const char *example;
} verbs[] = {
    {"create", "NAME", ARG_COORDINATOR | ARG_NAME | ARG_PREFIX | ARG_IFNAME | ARG_PORT | ARG_PORTMAP, tundctl_create,
     "make a network, and this machine its first member",
     "      --coordinator URL  tund://HOST:PORT/KEY, as tund-coord prints it\n"
     "      --name NODE        this machine's name in the network\n"
     "      --prefix P         private IPv4 prefix of the network (default: a free /20)\n"
     "      --ifname NAME      interface (default: tund0, or the next that is free)\n"
     "      --port UDPPORT     UDP port (default: a free one, kept from then on)\n"
     "      --portmap on|off   ask the home's gateway to map that port (default: on)\n",
     NULL, "sudo tundctl create home --coordinator tund://coord.example.net:3478/KEY --name nas"},
    {"invite", NULL, ARG_NAME | ARG_DEVICE | ARG_EXPIRES | ARG_OUT | ARG_FORCE | ARG_BUDGET, tundctl_invite,
     "print a line that makes one more machine a member, once",
     "      --name NODE        the new machine's name\n"
     "      --device NODE      the same for a microcontroller (1024-byte datagrams)\n"
     "      --expires TIME     30m, 12h, 7d (the default) ... at most a year\n"
     "      --out FILE         into a new file that only you can read; of a device: DIR,\n"
     "                         for the file tund_config.h in it\n"
     "      --budget BYTES     of a device: that it may spend in a day, all included\n"
     "      --force            with --device: in place of the file that is there\n",
     NULL, "sudo tundctl invite --name laptop > invite"},
    {"join", "FILE", ARG_IFNAME | ARG_PORT | ARG_PORTMAP, tundctl_join,
     "become a member by an invite, from a file or - (standard input)",
     "      --ifname NAME      interface (default: tund0, or the next that is free)\n"
     "      --port UDPPORT     UDP port (default: a free one, kept from then on)\n"
     "      --portmap on|off   ask the home's gateway to map that port (default: on)\n",
     NULL, "sudo tundctl join invite"},
    {"leave", NULL, ARG_FORCE, tundctl_leave, "leave the network, and forget its keys",
     "      --force            also without the coordinator, or with the network's own key\n",
     NULL, "sudo tundctl leave"},
    {"up", NULL, 0, tundctl_up, "start the daemon", "", NULL, "sudo tundctl up"},
    {"down", NULL, 0, tundctl_down, "stop the daemon; the member stays one", "", NULL,
     "sudo tundctl down"},
    {"status", NULL, ARG_JSON, tundctl_status, "this node, its coordinator, its peers",
     "      --json             as one JSON object\n", NULL, "tundctl status --json | jq .peers"},
    {"peers", NULL, ARG_JSON, tundctl_peers, "the other members",
     "      --json             as a JSON array\n", NULL, "tundctl peers"},
    {"ping", "PEER", ARG_JSON | ARG_COUNT | ARG_SIZE | ARG_INTERVAL | ARG_UNTIL_DIRECT, tundctl_ping,
     "ask a member for answers, and show the path they took",
     "  -c, --count N          pings to send (default 5; with --until-direct 100)\n"
     "  -i, --interval S       seconds between them (default 1; with --until-direct 0.1)\n"
     "  -s, --size BYTES       size of the inner packet, 32 to 1400 (default 64)\n"
     "      --until-direct     go on until an answer came by a direct path\n"
     "      --json             one JSON object a line\n",
     "\nExit code: 0 only if an answer came; with --until-direct 3 if none came by a direct path.\n",
     "tundctl ping --until-direct nas"},
    {"explain", "PEER", ARG_JSON, tundctl_explain,
     "every way to a member that was tried, and why the one in use is in use",
     "      --json             as one JSON object\n", NULL, "tundctl explain nas"},
    {"path", "[PEER [auto | direct | relay]]", ARG_JSON | ARG_SECOND, tundctl_path,
     "which ways data may take to a member",
     "      --json             as JSON\n",
     "\nauto: the better one. direct: no data by the relay. relay: no direct path is looked for.\n"
     "It holds for what this machine sends, also after a restart; the member chooses for itself.\n",
     "sudo tundctl path nas relay"},
    {"relay", "[on | off]", ARG_JSON | ARG_SECOND, tundctl_relay,
     "whether this machine passes on datagrams between other members",
     "      --json             as one JSON object\n",
     "\nOff until it is switched on; kept in this machine's card, so also after a restart. Two members\n"
     "that find no direct path to each other then go through it, where it is a better way than the\n"
     "coordinator's relay. It can read nothing of theirs. How much it passes on: tund --relay-rate.\n",
     "sudo tundctl relay on"},
    {"netcheck", NULL, ARG_JSON | ARG_COORDINATOR, tundctl_netcheck,
     "what the network here lets through, and what its NAT does",
     "      --json             as one JSON object\n"
     "      --coordinator URL  check the way to that one, without the daemon\n",
     "\nExit code: 0 only if UDP gets through; 4 if none does.\n", "tundctl netcheck"},
    {"portmap", "[list | add PORT/udp | del PORT/udp]", ARG_JSON | ARG_EXTERNAL | ARG_BY | ARG_SECOND,
     tundctl_portmap, "ports of this machine that the home's gateway maps to the internet",
     "      --external PORT    add: the outside port that you would like (default: the same)\n"
     "      --by PROTOCOL      add: by pcp, natpmp or upnp alone (default: whichever works)\n"
     "      --json             as one JSON object\n",
     "\nA mapping that was added is renewed while the daemon runs, and removed when it stops. With\n"
     "del, a port that is none of ours is removed from the gateway's UPnP table.\n",
     "sudo tundctl portmap add 8080/tcp --external 80"},
    {"version", NULL, ARG_JSON, tundctl_version, "of this program, and of the daemon that runs",
     "      --json             as one JSON object\n", NULL, "tundctl version"},
};
#define VERB_COUNT (sizeof(verbs) / sizeof(verbs[0]))

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    interrupted = 1;
}

bool was_interrupted(void)
{
    return interrupted;
}

int say_error(int code, const char *fmt, ...)
{
    va_list ap;

    fflush(stdout);
    fputs("tundctl: ", stderr);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    return code;
}

static void print_overview(FILE *to)
{
    fputs("Usage: tundctl VERB [OPTION]...\n\n", to);
    for (size_t i = 0; i < VERB_COUNT; i++)
        fprintf(to, "  %-8s %-5s  %s\n", verbs[i].name,
                verbs[i].word && verbs[i].word[0] != '[' ? verbs[i].word : "",
                verbs[i].line);
    fputs("\nEvery verb takes --help, and --state DIR (default /var/lib/tund): which instance.\n"
          "PEER is a member's name, the beginning of its node id, or its overlay address.\n\n"
          "Example: tundctl ping nas\n", to);
}

static void print_help(const struct verb *v)
{
    printf("Usage: tundctl %s%s%s [OPTION]...\n%c%s.\n\n%s"
           "      --state DIR        which instance (default /var/lib/tund)\n"
           "  -h, --help             print this\n%s\nExample: %s\n", v->name, v->word ? " " : "",
           v->word ? v->word : "", v->line[0] - 'a' + 'A', v->line + 1, v->options,
           v->note ? v->note : "", v->example);
}

static int run_verb(const struct verb *v, int argc, char **argv, struct args *a)
{
    struct why why;

    if (args_parse_verb(argc, argv, v->takes, v->word, a, &why) != 0)
        return say_error(CTL_EXIT_USAGE, "%s", why.text);
    if (!(a->given & ARG_HELP))
        return v->run(a);
    print_help(v);
    return CTL_EXIT_OK;
}

int main(int argc, char **argv)
{
    struct sigaction on_end = {.sa_handler = on_signal};
    struct why why;
    struct args a;
    bool version;
    int at;

    if (secure_process() != 0) /* keys pass through here */
        return say_error(CTL_EXIT_FAILED, "cannot keep keys out of core dumps");
    sigaction(SIGINT, &on_end, NULL);
    sigaction(SIGTERM, &on_end, NULL);
    signal(SIGPIPE, SIG_IGN);
    if (args_parse_global(argc, argv, &a, &version, &at, &why) != 0)
        return say_error(CTL_EXIT_USAGE, "%s", why.text);
    if (version)
        return tundctl_version(&a);
    if (a.given & ARG_HELP || at == argc) {
        print_overview(at == argc && !(a.given & ARG_HELP) ? stderr : stdout);
        return a.given & ARG_HELP ? CTL_EXIT_OK : CTL_EXIT_USAGE;
    }
    for (size_t i = 0; i < VERB_COUNT; i++) {
        if (strcmp(argv[at], verbs[i].name) == 0)
            return run_verb(&verbs[i], argc - at, argv + at, &a);
    }
    return say_error(CTL_EXIT_USAGE, "no verb \"%.40s\" (see tundctl --help)", argv[at]);
}
