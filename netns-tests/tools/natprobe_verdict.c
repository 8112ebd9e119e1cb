/* What natprobe's observations mean, in the words of RFC 4787. No sockets here:
 * tests/natprobe_verdict_test.c feeds it observations of every kind of router.
 *
 * EIM/ADM/APDM: endpoint-independent, address-dependent, address-and-port-
 * dependent mapping; EIF/ADF/APDF: the same for filtering. A verdict is only
 * given when all trials agree; otherwise it is "mixed", which matches nothing
 * that a story may expect by mistake. */
#include "natprobe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

static const char *const mapping_names[] = {
    [NP_MAP_BLOCKED] = "blocked", [NP_MAP_NONE] = "none", [NP_MAP_EIM] = "EIM",
    [NP_MAP_ADM] = "ADM",         [NP_MAP_APDM] = "APDM", [NP_MAP_MIXED] = "mixed",
};
static const char *const filtering_names[] = {
    [NP_FILTER_BLOCKED] = "blocked", [NP_FILTER_EIF] = "EIF",     [NP_FILTER_ADF] = "ADF",
    [NP_FILTER_APDF] = "APDF",       [NP_FILTER_MIXED] = "mixed",
};
static const char *const ports_names[] = {
    [NP_PORTS_BLOCKED] = "blocked",
    [NP_PORTS_PRESERVED] = "preserved",
    [NP_PORTS_SEQUENTIAL] = "sequential",
    [NP_PORTS_RANDOM] = "random",
};
static const char *const punch_names[] = {
    [NP_PUNCH_BLOCKED] = "blocked", [NP_PUNCH_OK] = "ok",
    [NP_PUNCH_FAIL] = "fail",       [NP_PUNCH_FLAKY] = "flaky",
};
static const char *const hairpin_names[] = {
    [NP_HAIRPIN_BLOCKED] = "blocked", [NP_HAIRPIN_NO] = "no",
    [NP_HAIRPIN_YES] = "yes",         [NP_HAIRPIN_AFTER_PUNCH] = "after-punch",
};
static const char *const lifetime_names[] = {
    [NP_LIFE_BLOCKED] = "blocked", [NP_LIFE_AS_SAID] = "as-said",
    [NP_LIFE_SHORTER] = "shorter", [NP_LIFE_LONGER] = "longer",
};

enum np_mapping np_judge_mapping(const struct np_addr seen[4], const struct np_addr *local)
{
    unsigned as_first = 0, as_local = 0, lost = 0;

    for (int i = 0; i < 4; i++) {
        lost += seen[i].len == 0;
        as_first += np_addr_same(&seen[i], &seen[0]);
        as_local += np_addr_same(&seen[i], local);
    }
    if (lost == 4)
        return NP_MAP_BLOCKED;
    if (lost > 0)
        return NP_MAP_MIXED;
    if (as_local == 4)
        return NP_MAP_NONE;
    if (as_first == 4)
        return NP_MAP_EIM;
    if (np_addr_same(&seen[0], &seen[1]) && np_addr_same(&seen[2], &seen[3]))
        return NP_MAP_ADM;
    return NP_MAP_APDM;
}

enum np_mapping np_join_mapping(enum np_mapping so_far, enum np_mapping next)
{
    return so_far == next ? so_far : NP_MAP_MIXED;
}

enum np_filtering np_judge_filtering(unsigned other_ip, unsigned other_port, unsigned control,
                                     unsigned trials)
{
    if (control == 0)
        return NP_FILTER_BLOCKED;
    if (control != 3 * trials)
        return NP_FILTER_MIXED;
    if (other_ip == 2 * trials && other_port == trials)
        return NP_FILTER_EIF;
    if (other_ip == 0 && other_port == trials)
        return NP_FILTER_ADF;
    if (other_ip == 0 && other_port == 0)
        return NP_FILTER_APDF;
    return NP_FILTER_MIXED;
}

enum np_ports np_judge_ports(const uint16_t *local, const uint16_t *mapped, size_t count)
{
    size_t preserved = 0, in_step = 0;

    if (count < 3)
        return NP_PORTS_BLOCKED;
    for (size_t i = 0; i < count; i++) {
        preserved += local[i] == mapped[i];
        in_step += i > 0 && mapped[i] - mapped[i - 1] == mapped[1] - mapped[0];
    }
    if (preserved == count)
        return NP_PORTS_PRESERVED;
    return in_step == count - 1 ? NP_PORTS_SEQUENTIAL : NP_PORTS_RANDOM;
}

static const struct property {
    const char *name;
    unsigned test;
    const char *const *values;
    size_t count;
} properties[] = {
    { "mapping", NP_TEST_MAPPING, mapping_names, COUNT(mapping_names) },
    { "filtering", NP_TEST_FILTERING, filtering_names, COUNT(filtering_names) },
    { "ports", NP_TEST_PORTS, ports_names, COUNT(ports_names) },
    { "punch", NP_TEST_PUNCH, punch_names, COUNT(punch_names) },
    { "hairpin", NP_TEST_HAIRPIN, hairpin_names, COUNT(hairpin_names) },
    { "lifetime", NP_TEST_LIFETIME, lifetime_names, COUNT(lifetime_names) },
};

static unsigned report_get(const struct np_report *r, unsigned test)
{
    switch (test) {
    case NP_TEST_MAPPING:
        return r->mapping;
    case NP_TEST_FILTERING:
        return r->filtering;
    case NP_TEST_PORTS:
        return r->ports;
    case NP_TEST_PUNCH:
        return r->punch;
    case NP_TEST_HAIRPIN:
        return r->hairpin;
    default:
        return r->lifetime;
    }
}

static void report_set(struct np_report *r, unsigned test, unsigned value)
{
    switch (test) {
    case NP_TEST_MAPPING:
        r->mapping = (enum np_mapping)value;
        break;
    case NP_TEST_FILTERING:
        r->filtering = (enum np_filtering)value;
        break;
    case NP_TEST_PORTS:
        r->ports = (enum np_ports)value;
        break;
    case NP_TEST_PUNCH:
        r->punch = (enum np_punch)value;
        break;
    case NP_TEST_HAIRPIN:
        r->hairpin = (enum np_hairpin)value;
        break;
    default:
        r->lifetime = (enum np_lifetime)value;
    }
}

unsigned np_test_by_name(const char *name)
{
    for (size_t i = 0; i < COUNT(properties); i++)
        if (strcmp(properties[i].name, name) == 0)
            return properties[i].test;
    return 0;
}

/* "lifetime=4-6": alive after 4 s, gone after 6 s. */
static const char *parse_lifetime(const char *value, struct np_report *want)
{
    char *end;
    double alive_s = strtod(value, &end), gone_s;

    if (end == value || *end != '-')
        return "lifetime wants two times in seconds, as in lifetime=4-6";
    value = end + 1;
    gone_s = strtod(value, &end);
    if (end == value || *end != '\0' || !(alive_s > 0 && alive_s < gone_s && gone_s < 3600))
        return "lifetime wants two growing times in seconds, as in lifetime=4-6";
    want->lifetime_alive_s = alive_s;
    want->lifetime_gone_s = gone_s;
    want->lifetime = NP_LIFE_AS_SAID;
    return NULL;
}

static const char *parse_one(char *word, struct np_expectations *e)
{
    char *value = strchr(word, '=');

    if (!value)
        return "an expectation reads property=value";
    *value++ = '\0';
    unsigned test = np_test_by_name(word);
    if (test == 0)
        return "the properties are mapping, filtering, ports, punch, hairpin and lifetime";
    if (e->tests & test)
        return "a property is expected twice";
    e->tests |= test;
    if (test == NP_TEST_LIFETIME)
        return parse_lifetime(value, &e->want);
    for (size_t i = 0; i < COUNT(properties); i++) {
        if (properties[i].test != test)
            continue;
        for (size_t v = 0; v < properties[i].count; v++) {
            if (strcasecmp(properties[i].values[v], value) == 0) {
                report_set(&e->want, test, (unsigned)v);
                return NULL;
            }
        }
    }
    return "no such value for this property";
}

const char *np_expect_parse(const char *text, struct np_expectations *out)
{
    struct np_expectations e = { 0 };
    char copy[256], *next = NULL;

    if (strlen(text) >= sizeof copy)
        return "the expectation is too long";
    strcpy(copy, text);
    for (char *word = strtok_r(copy, ",", &next); word; word = strtok_r(NULL, ",", &next)) {
        const char *wrong = parse_one(word, &e);

        if (wrong)
            return wrong;
    }
    if (e.tests == 0)
        return "nothing is expected";
    *out = e;
    return NULL;
}

const char *np_expect_differs(const struct np_expectations *e, const struct np_report *r)
{
    for (size_t i = 0; i < COUNT(properties); i++) {
        unsigned test = properties[i].test;

        if (!(e->tests & test))
            continue;
        if (!(r->done & test) || report_get(&e->want, test) != report_get(r, test))
            return properties[i].name;
    }
    return NULL;
}

void np_report_print(const struct np_report *r, bool json)
{
    const char *separator = json ? "{" : "";

    for (size_t i = 0; i < COUNT(properties); i++) {
        unsigned test = properties[i].test;

        if (!(r->done & test))
            continue;
        printf(json ? "%s\"%s\":\"%s\"" : "%s%s=%s", separator, properties[i].name,
               properties[i].values[report_get(r, test)]);
        separator = json ? "," : " ";
        if (test == NP_TEST_PORTS)
            printf(json ? ",\"port_lowest\":%u,\"port_highest\":%u" : " (%u-%u)", r->port_lowest,
                   r->port_highest);
        if (test == NP_TEST_PUNCH)
            printf(json ? ",\"punch_remapped\":%u" : " (remapped %u)", r->punch_remapped);
        if (test == NP_TEST_HAIRPIN && json)
            printf(",\"hairpin_external\":%s", r->hairpin_external ? "true" : "false");
        if (test == NP_TEST_LIFETIME)
            printf(json ? ",\"lifetime_alive_s\":%g,\"lifetime_gone_s\":%g" : " (%g-%g s)",
                   r->lifetime_alive_s, r->lifetime_gone_s);
    }
    puts(json ? "}" : "");
}
