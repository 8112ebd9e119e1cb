/* UPnP IGD 1 and 2. Of the library only calls are used that are the same in all its versions since 2.0:
 * the search is our own (igd_ssdp.h), and UPNP_GetValidIGD, whose arguments changed with API 18, would
 * ask a control address before we have seen whose it is.
 *
 * An entry of another host is never written over, although IGD 1 lets some routers do so: its port is
 * looked up first. What was written is read back, since some routers change it. */
#include "igd_soap.h"

#include <arpa/inet.h>
#include <miniupnpc/miniupnpc.h>
#include <miniupnpc/upnpcommands.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "igd_status.h"

#if !defined(MINIUPNPC_API_VERSION) || MINIUPNPC_API_VERSION < 16
#error "miniupnpc 2.0 or newer is needed"
#endif

struct igd {
    const struct igd_job *job;
    struct igd_answer *out;
    struct UPNPUrls urls;
    struct IGDdatas data;
    char own[INET_ADDRSTRLEN];
    char external_port[8], internal_port[8], lease[12];
};

/* As the library copies them: each is cut to the size that its header names. */
struct entry_text {
    char external_port[6], client[16], internal_port[6], protocol[4], description[80], enabled[4],
        remote[64], lease[16];
};

static const char *protocol_of(const struct igd_job *job)
{
    return job->tcp ? "TCP" : "UDP";
}

static bool take_ip(const char *text, struct tn_addr *out)
{
    uint8_t ip[4];

    if (inet_pton(AF_INET, text, ip) != 1)
        return false;
    *out = tn_addr_v4(ip, 0);
    return (ip[0] | ip[1] | ip[2] | ip[3]) != 0;
}

/* 0: not a number of that range. */
static uint32_t number(const char *text, uint32_t most)
{
    char *end;
    unsigned long v = strtoul(text, &end, 10);

    return *text >= '0' && *text <= '9' && !*end && v <= most ? (uint32_t)v : 0;
}

/* ---- the description ---- */

static bool is_wan_service(const char *type)
{
    return strncmp(type, "urn:schemas-upnp-org:service:WANIPConnection:", 45) == 0 ||
           strncmp(type, "urn:schemas-upnp-org:service:WANPPPConnection:", 46) == 0;
}

static bool is_usable(struct igd *i)
{
    if (!is_wan_service(i->data.first.servicetype) || !i->urls.controlURL) {
        i->out->status = IGD_BAD_DESCRIPTION;
        return false;
    }
    if (!igd_url_is_of(i->urls.controlURL, &i->job->gateway)) {
        i->out->status = IGD_FOREIGN;
        return false;
    }
    return true;
}

static bool is_connected(const struct igd *i)
{
    char status[64] = "", error[64] = "";
    unsigned uptime = 0;
    int rc = UPNP_GetStatusInfo(i->urls.controlURL, i->data.first.servicetype, status, &uptime, error);

    return rc == UPNPCOMMAND_SUCCESS && strcmp(status, "Connected") == 0;
}

/* A router with both kinds of connection names the one in use second, sometimes. */
static bool use_second(struct igd *i, const char *location)
{
    if (!is_wan_service(i->data.second.servicetype))
        return false;
    i->data.first = i->data.second;
    FreeUPNPUrls(&i->urls);
    memset(&i->urls, 0, sizeof i->urls);
    GetUPNPUrls(&i->urls, &i->data, location, 0);
    return is_usable(i);
}

static void read_outside(struct igd *i)
{
    char text[64] = "";

    if (UPNP_GetExternalIPAddress(i->urls.controlURL, i->data.first.servicetype, text) !=
            UPNPCOMMAND_SUCCESS || !take_ip(text, &i->out->external))
        memset(&i->out->external, 0, sizeof i->out->external);
}

static bool open_igd(struct igd *i, const char *location)
{
    char lan[64] = "";
    size_t len;

    if (UPNP_GetIGDFromUrl(location, &i->urls, &i->data, lan, sizeof lan) != 1) {
        i->out->status = IGD_BAD_DESCRIPTION;
        return false;
    }
    if (!is_usable(i))
        return false;
    if (!is_connected(i) && i->data.second.servicetype[0] && !use_second(i, location))
        return false;
    len = strlen(i->data.first.servicetype);
    i->out->version = i->data.first.servicetype[len - 1] == '2' ? 2 : 1;
    igdmsg_clean(i->out->location, sizeof i->out->location, location);
    read_outside(i);
    i->out->status = tn_addr_is_zero(&i->out->external) ? IGD_NOT_CONNECTED : IGD_OK;
    return true;
}

/* ---- one entry ---- */

static int read_entry(const struct igd *i, const char *port, struct entry_text *e)
{
    memset(e, 0, sizeof *e);
    return UPNP_GetSpecificPortMappingEntry(i->urls.controlURL, i->data.first.servicetype, port,
                                            protocol_of(i->job), NULL, e->client, e->internal_port,
                                            e->description, e->enabled, e->lease);
}

static int delete_entry(const struct igd *i, const char *port, const char *protocol)
{
    return UPNP_DeletePortMapping(i->urls.controlURL, i->data.first.servicetype, port, protocol, NULL);
}

static int add_any(struct igd *i)
{
    char reserved[8] = "";
    int rc;

    if (i->out->version != 2)
        return 401; /* no such action */
    rc = UPNP_AddAnyPortMapping(i->urls.controlURL, i->data.first.servicetype, i->external_port,
                                i->internal_port, i->own, i->job->description, protocol_of(i->job), NULL,
                                i->lease, reserved);
    if (rc == UPNPCOMMAND_SUCCESS && number(reserved, UINT16_MAX))
        snprintf(i->external_port, sizeof i->external_port, "%u", number(reserved, UINT16_MAX));
    return rc;
}

static int add(struct igd *i)
{
    struct entry_text e;
    int rc = add_any(i);

    if (rc == UPNPCOMMAND_SUCCESS || (rc >= 600 && rc <= 899))
        return rc;
    if (read_entry(i, i->external_port, &e) == UPNPCOMMAND_SUCCESS && strcmp(e.client, i->own) != 0)
        return IGD_CONFLICT;
    return UPNP_AddPortMapping(i->urls.controlURL, i->data.first.servicetype, i->external_port,
                               i->internal_port, i->own, i->job->description, protocol_of(i->job), NULL,
                               i->lease);
}

static void map(struct igd *i)
{
    struct entry_text e;
    int rc;

    snprintf(i->external_port, sizeof i->external_port, "%u", i->job->external_port);
    snprintf(i->internal_port, sizeof i->internal_port, "%u", i->job->internal_port);
    snprintf(i->lease, sizeof i->lease, "%u", i->job->lease_s);
    rc = add(i);
    i->out->status = igd_status_of(rc);
    if (rc != UPNPCOMMAND_SUCCESS)
        return;
    i->out->external_port = (uint16_t)number(i->external_port, UINT16_MAX);
    i->out->lease_s = i->job->lease_s;
    if (read_entry(i, i->external_port, &e) != UPNPCOMMAND_SUCCESS)
        return; /* a router that does not show it may still have it */
    if (strcmp(e.client, i->own) != 0 || number(e.internal_port, UINT16_MAX) != i->job->internal_port) {
        if (strcmp(e.client, i->own) == 0)
            (void)delete_entry(i, i->external_port, protocol_of(i->job)); /* it is of no use */
        i->out->status = IGD_REWRITTEN;
        return;
    }
    if (number(e.lease, UINT32_MAX) && number(e.lease, UINT32_MAX) < i->job->lease_s)
        i->out->lease_s = number(e.lease, UINT32_MAX);
}

static void unmap(struct igd *i)
{
    struct entry_text e;
    int rc;

    snprintf(i->external_port, sizeof i->external_port, "%u", i->job->external_port);
    rc = read_entry(i, i->external_port, &e);
    if (rc != IGD_NO_SUCH_ENTRY) /* which some routers do not say of a deletion */
        rc = delete_entry(i, i->external_port, protocol_of(i->job));
    i->out->status = igd_status_of(rc);
}

/* ---- the table ---- */

static int read_at(const struct igd *i, unsigned at, struct entry_text *e)
{
    char index[8];

    memset(e, 0, sizeof *e);
    snprintf(index, sizeof index, "%u", at);
    return UPNP_GetGenericPortMappingEntry(i->urls.controlURL, i->data.first.servicetype, index,
                                           e->external_port, e->client, e->internal_port, e->protocol,
                                           e->description, e->enabled, e->remote, e->lease);
}

static void keep_entry(struct igd_answer *out, const struct entry_text *e)
{
    struct igd_entry *to = &out->entry[out->entry_count];

    memset(to, 0, sizeof *to);
    to->tcp = strcmp(e->protocol, "TCP") == 0;
    to->external_port = (uint16_t)number(e->external_port, UINT16_MAX);
    to->internal_port = (uint16_t)number(e->internal_port, UINT16_MAX);
    to->lease_s = number(e->lease, UINT32_MAX);
    if (!take_ip(e->client, &to->internal))
        memset(&to->internal, 0, sizeof to->internal);
    igdmsg_clean(to->description, sizeof to->description, e->description);
    out->entry_count++;
}

static void list(struct igd *i)
{
    struct entry_text e;

    i->out->status = IGD_OK;
    while (i->out->entry_count < IGD_ENTRIES_MAX && read_at(i, i->out->entry_count, &e) == 0)
        keep_entry(i->out, &e);
}

/* What an earlier run of this node left behind. The table moves up when an entry goes. */
static void sweep(struct igd *i)
{
    struct entry_text e;
    unsigned at = 0;

    for (unsigned n = 0; n < IGD_ENTRIES_MAX && read_at(i, at, &e) == UPNPCOMMAND_SUCCESS; n++) {
        if (strcmp(e.description, i->job->description) == 0 &&
            delete_entry(i, e.external_port, e.protocol) == UPNPCOMMAND_SUCCESS)
            i->out->swept++;
        else
            at++;
    }
}

void igd_soap_run(const struct igd_job *job, const char *location, struct igd_answer *out)
{
    static struct igd i;

    memset(out, 0, sizeof *out);
    memset(&i, 0, sizeof i);
    i.job = job;
    i.out = out;
    if (!inet_ntop(AF_INET, job->own.ip + 12, i.own, sizeof i.own)) {
        out->status = IGD_BAD_DESCRIPTION;
        return;
    }
    if (open_igd(&i, location)) {
        if (job->op == IGD_LIST)
            list(&i);
        else if (job->op == IGD_UNMAP)
            unmap(&i);
        else if (job->op == IGD_MAP && out->status == IGD_OK)
            map(&i);
        else if (job->op == IGD_PROBE && job->sweep)
            sweep(&i);
    }
    FreeUPNPUrls(&i.urls);
}
