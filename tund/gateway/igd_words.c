/* The command line of tund-igd, both ways. */
#include "igd_words.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const op_name[IGD_OP_COUNT] = {
    [IGD_PROBE] = "probe", [IGD_MAP] = "map", [IGD_UNMAP] = "unmap", [IGD_LIST] = "list"};

static void write_ip(char *out, size_t size, const struct tn_addr *a)
{
    bool v4 = tn_addr_is_v4(a);

    if (!inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? a->ip + 12 : a->ip, out, (socklen_t)size))
        out[0] = '\0'; /* which no text that fits makes it do, and the child refuses */
}

void igd_words_write(const struct igd_job *job, struct igd_words *out)
{
    const size_t size = sizeof out->text[0];

    snprintf(out->text[0], size, "%s", op_name[job->op]);
    write_ip(out->text[1], size, &job->gateway);
    write_ip(out->text[2], size, &job->own);
    snprintf(out->text[3], size, "%s", job->location[0] ? job->location : "-");
    snprintf(out->text[4], size, "%s", job->description);
    snprintf(out->text[5], size, "%d", job->sweep);
    snprintf(out->text[6], size, "%s", job->tcp ? "tcp" : "udp");
    snprintf(out->text[7], size, "%u", job->external_port);
    snprintf(out->text[8], size, "%u", job->internal_port);
    snprintf(out->text[9], size, "%u", job->lease_s);
    snprintf(out->text[10], size, "%u", job->scope);
    if (job->pinhole == IGD_NO_PINHOLE)
        snprintf(out->text[11], size, "-");
    else
        snprintf(out->text[11], size, "%d", (int)job->pinhole);
}

static bool read_ip(const char *text, struct tn_addr *out)
{
    uint8_t ip[16];

    if (inet_pton(AF_INET, text, ip) == 1)
        *out = tn_addr_v4(ip, 0);
    else if (inet_pton(AF_INET6, text, ip) == 1)
        *out = tn_addr_v6(ip, 0);
    else
        return false;
    return true;
}

static bool read_number(const char *text, unsigned long most, unsigned long *out)
{
    char *end;

    if (*text < '0' || *text > '9')
        return false;
    *out = strtoul(text, &end, 10);
    return !*end && *out <= most;
}

static bool read_op(const char *text, enum igd_op *out)
{
    for (int i = 0; i < IGD_OP_COUNT; i++) {
        if (strcmp(text, op_name[i]) == 0) {
            *out = (enum igd_op)i;
            return true;
        }
    }
    return false;
}

static bool read_location(struct igd_job *job, const char *text)
{
    if (strcmp(text, "-") == 0)
        return true;
    if (!igd_url_is_of(text, &job->gateway))
        return false;
    memcpy(job->location, text, strlen(text) + 1);
    return true;
}

static bool read_description(struct igd_job *job, const char *text)
{
    size_t len = strlen(text);

    if (len == 0 || len >= sizeof job->description ||
        strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789- ") != len)
        return false;
    memcpy(job->description, text, len + 1);
    return true;
}

/* Where both are of one family, and an IPv6 gateway's link is known. */
static bool read_where(struct igd_job *job, char *const *words)
{
    unsigned long scope;

    if (!read_ip(words[1], &job->gateway) || !read_ip(words[2], &job->own) ||
        !read_number(words[10], INT32_MAX, &scope) ||
        tn_addr_is_v4(&job->gateway) != tn_addr_is_v4(&job->own) ||
        tn_addr_is_v4(&job->gateway) != (scope == 0))
        return false;
    job->scope = (uint32_t)scope;
    return true;
}

static bool read_pinhole(struct igd_job *job, const char *text)
{
    unsigned long n;

    job->pinhole = IGD_NO_PINHOLE;
    if (strcmp(text, "-") == 0)
        return true;
    if (!read_number(text, UINT16_MAX, &n) || tn_addr_is_v4(&job->gateway))
        return false;
    job->pinhole = (int32_t)n;
    return true;
}

int igd_words_read(struct igd_job *job, int count, char *const *words)
{
    unsigned long sweep, external, internal, lease;
    struct igd_job got = {0};

    if (count != IGD_WORDS || !read_op(words[0], &got.op) || !read_where(&got, words) ||
        !read_location(&got, words[3]) || !read_pinhole(&got, words[11]) ||
        !read_description(&got, words[4]) || !read_number(words[5], 1, &sweep) ||
        !read_number(words[7], UINT16_MAX, &external) || !read_number(words[8], UINT16_MAX, &internal) ||
        !read_number(words[9], UINT32_MAX, &lease))
        return TN_EINVAL;
    got.tcp = strcmp(words[6], "tcp") == 0;
    if (!got.tcp && strcmp(words[6], "udp") != 0)
        return TN_EINVAL;
    got.sweep = sweep == 1;
    got.external_port = (uint16_t)external;
    got.internal_port = (uint16_t)internal;
    got.lease_s = (uint32_t)lease;
    *job = got;
    return 0;
}
