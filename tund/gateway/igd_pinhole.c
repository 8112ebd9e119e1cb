/* A pinhole lets anybody in to one port of ours. It is opened for the address that asks for it, so all goes by
 * IPv6 (igd_connect.c sees to our address). The router calls it by a number; one that it does not know any
 * more when it is to be renewed is opened again, under another number. There is no table to be read: what a
 * killed tund left is found by the router itself, as the same pinhole, or runs out. */
#include "igd_pinhole.h"

#include <arpa/inet.h>
#include <miniupnpc/miniupnpc.h>
#include <miniupnpc/upnpcommands.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "igd_status.h"

struct firewall {
    const struct igd_job *job;
    struct igd_answer *out;
    struct UPNPUrls urls;
    struct IGDdatas data;
    char control[IGD_LOCATION_SIZE];
    char own[INET6_ADDRSTRLEN], port[8], lease[12], number[8];
};

static const char *service_of(const struct firewall *f)
{
    return f->data.IPv6FC.servicetype;
}

/* True: its description lists the service, whose control address is the gateway's. */
static bool open_description(struct firewall *f, const char *location)
{
    static const char type[] = "urn:schemas-upnp-org:service:WANIPv6FirewallControl:";

    f->out->status = IGD_BAD_DESCRIPTION;
    if (UPNP_GetIGDFromUrl(location, &f->urls, &f->data, NULL, 0) != 1 ||
        strncmp(service_of(f), type, sizeof type - 1) != 0 || !f->urls.controlURL_6FC)
        return false;
    if (!igd_url_at(f->control, f->urls.controlURL_6FC, &f->job->gateway)) {
        f->out->status = IGD_FOREIGN;
        return false;
    }
    igdmsg_clean(f->out->location, sizeof f->out->location, location);
    f->out->status = IGD_OK;
    return true;
}

/* A router that does not say whether it may be opened may still do it. */
static bool may_be_opened(struct firewall *f)
{
    int enabled = 1, allowed = 1;

    if (UPNP_GetFirewallStatus(f->control, service_of(f), &enabled, &allowed) != UPNPCOMMAND_SUCCESS)
        return true;
    if (!enabled)
        f->out->status = IGD_FIREWALL_OFF;
    else if (!allowed)
        f->out->status = IGD_NO_PINHOLES;
    return enabled && allowed;
}

/* A number of 16 bits, as the standard has it, and nothing behind it. */
static bool take_number(const char *text, uint16_t *out)
{
    char *end;
    unsigned long v = strtoul(text, &end, 10);

    if (*text < '0' || *text > '9' || *end || v > UINT16_MAX)
        return false;
    *out = (uint16_t)v;
    return true;
}

static void add(struct firewall *f)
{
    char number[16] = "";
    int rc = UPNP_AddPinhole(f->control, service_of(f), "empty", "0", f->own, f->port,
                             f->job->tcp ? "6" : "17", f->lease, number);

    f->out->status = igd_status_of(rc);
    if (rc == UPNPCOMMAND_SUCCESS && !take_number(number, &f->out->pinhole))
        f->out->status = IGD_BAD_PINHOLE;
}

static void check(struct firewall *f)
{
    int works = 0;

    /* 709 is "nothing came yet", and many do not know the question */
    if (UPNP_CheckPinholeWorking(f->control, service_of(f), f->number, &works) == UPNPCOMMAND_SUCCESS)
        f->out->works = works ? IGD_WORKS : IGD_WORKS_NOT;
}

static void renew(struct firewall *f)
{
    int rc = UPNP_UpdatePinhole(f->control, service_of(f), f->number, f->lease);

    f->out->status = igd_status_of(rc);
    f->out->pinhole = (uint16_t)f->job->pinhole;
    if (rc == UPNPCOMMAND_SUCCESS)
        check(f);
    else if (f->out->status != IGD_TRANSPORT) /* 704, or as miniupnpd puts it, 402 */
        add(f);
}

static void map(struct firewall *f)
{
    if (!may_be_opened(f))
        return;
    snprintf(f->port, sizeof f->port, "%u", f->job->internal_port);
    snprintf(f->lease, sizeof f->lease, "%u", f->job->lease_s);
    if (f->job->pinhole == IGD_NO_PINHOLE)
        add(f);
    else
        renew(f);
    if (f->out->status == IGD_OK) {
        f->out->external_port = f->job->internal_port;
        f->out->lease_s = f->job->lease_s;
    }
}

static void unmap(struct firewall *f)
{
    int rc = UPNP_DeletePinhole(f->control, service_of(f), f->number);

    f->out->status = rc == IGD_NO_SUCH_PINHOLE ? IGD_OK : igd_status_of(rc);
}

void igd_pinhole_run(const struct igd_job *job, const char *location, struct igd_answer *out)
{
    static struct firewall f;

    memset(out, 0, sizeof *out);
    memset(&f, 0, sizeof f);
    f.job = job;
    f.out = out;
    snprintf(f.number, sizeof f.number, "%d", (int)job->pinhole);
    if (!inet_ntop(AF_INET6, job->own.ip, f.own, sizeof f.own)) {
        out->status = IGD_BAD_DESCRIPTION;
        return;
    }
    if (open_description(&f, location)) {
        if (job->op == IGD_MAP)
            map(&f);
        else if (job->op == IGD_UNMAP)
            unmap(&f);
        else if (job->op == IGD_PROBE)
            (void)may_be_opened(&f); /* which is the status */
    }
    FreeUPNPUrls(&f.urls);
}
