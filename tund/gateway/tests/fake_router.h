/* A scripted default gateway and a clock, for tests of the manager: it answers datagrams and jobs as it
 * is told to, at once or after `igd_takes_us`. Its answers are written here by the figures of the
 * RFCs, and not by the code under test. */
#ifndef TUND_GATEWAY_TESTS_FAKE_ROUTER_H
#define TUND_GATEWAY_TESTS_FAKE_ROUTER_H

#include "fake_firewall.h"
#include "hexed.h"
#include "libtunnel/base/cursor.h"
#include "libtunnel/base/now.h"
#include "tund/gateway/gateway.h"

struct fake {
    struct gateway g;
    uint64_t now_us;
    /* what it speaks */
    bool pcp, natpmp, upnp, silent, knows_pcp_not; /* the last: NAT-PMP's refusal of version 2 */
    uint8_t pcp_result, pcp_version;
    uint16_t natpmp_result, igd_status;
    uint16_t igd_status_times; /* so often, then IGD_OK; 0: always */
    uint32_t error_lifetime_s;
    struct tn_addr outside;
    uint32_t lease_max_s;     /* grants at most this */
    uint16_t port_add;        /* maps another outside port than was asked for */
    bool port_zero;
    uint64_t epoch_began_us;
    uint8_t nonce_xor;        /* answers with a wrong nonce */
    bool only_permanent;      /* UPnP 725 for any lease */
    uint64_t igd_takes_us;
    bool igd_dies;            /* the child ends without an answer */
    struct fake_firewall firewall; /* UPnP of its IPv6 side */
    unsigned silent_after_pcp_map; /* answers no PCP request after so many; 0: all */
    /* what happened */
    unsigned pcp_maps, pcp_deletes, natpmp_maps, natpmp_deletes, natpmp_asks, probes, igd_maps,
        igd_unmaps, datagrams;
    uint8_t last_pcp[PCP_MAP_LEN];
    struct igd_job last_job;
    uint64_t first_us[8], job_done_us;
    bool job_running;
};

static inline uint32_t fake_epoch(const struct fake *f)
{
    return (uint32_t)((f->now_us - f->epoch_began_us) / TN_S(1));
}

static inline uint16_t fake_port(const struct fake *f, uint16_t asked)
{
    return f->port_zero ? 0 : (uint16_t)((asked ? asked : 30000) + f->port_add);
}

static inline void fake_pcp(struct fake *f, enum gateway_family family, const uint8_t *ask)
{
    uint8_t out[PCP_MAP_LEN];
    uint32_t lease_s = (uint32_t)ask[4] << 24 | (uint32_t)ask[5] << 16 | (uint32_t)ask[6] << 8 | ask[7];
    uint16_t port = fake_port(f, (uint16_t)(ask[42] << 8 | ask[43]));
    struct tn_writer w;

    f->pcp_maps += lease_s != 0;
    f->pcp_deletes += lease_s == 0;
    memcpy(f->last_pcp, ask, PCP_MAP_LEN);
    if (f->silent_after_pcp_map && f->pcp_maps > f->silent_after_pcp_map)
        return;
    if (lease_s > f->lease_max_s)
        lease_s = f->lease_max_s;
    if (f->pcp_result)
        lease_s = f->error_lifetime_s;
    tn_writer_init(&w, out, sizeof out);
    tn_write_u8(&w, f->pcp_version);
    tn_write_u8(&w, 0x81);
    tn_write_u8(&w, 0);
    tn_write_u8(&w, f->pcp_result);
    tn_write_u32(&w, lease_s);
    tn_write_u32(&w, fake_epoch(f));
    tn_write_zeros(&w, 12);
    tn_write_bytes(&w, ask + 24, 18); /* nonce, protocol, internal port */
    tn_write_u16(&w, port);
    tn_write_bytes(&w, family == GATEWAY_V6 ? ask + 8 : f->outside.ip, 16);
    out[24] ^= f->nonce_xor;
    gateway_on_datagram(&f->g, family, out, w.len, f->now_us);
}

static inline void fake_natpmp(struct fake *f, const uint8_t *ask)
{
    uint8_t out[16];
    struct tn_writer w;
    uint32_t lease_s = 0;

    tn_writer_init(&w, out, sizeof out);
    tn_write_u8(&w, 0);
    tn_write_u8(&w, (uint8_t)(0x80 | ask[1]));
    tn_write_u16(&w, f->natpmp_result);
    tn_write_u32(&w, fake_epoch(f));
    if (ask[1] == 0) {
        f->natpmp_asks++;
        tn_write_bytes(&w, f->outside.ip + 12, 4);
    } else {
        lease_s = (uint32_t)ask[8] << 24 | (uint32_t)ask[9] << 16 | (uint32_t)ask[10] << 8 | ask[11];
        f->natpmp_maps += lease_s != 0;
        f->natpmp_deletes += lease_s == 0;
        tn_write_bytes(&w, ask + 4, 2);
        tn_write_u16(&w, lease_s ? fake_port(f, (uint16_t)(ask[6] << 8 | ask[7])) : 0);
        tn_write_u32(&w, lease_s > f->lease_max_s ? f->lease_max_s : lease_s);
    }
    gateway_on_datagram(&f->g, GATEWAY_V4, out, w.len, f->now_us);
}

static inline void fake_refuses_version(struct fake *f)
{
    const uint8_t out[8] = {0, 0x81, 0, 1};

    gateway_on_datagram(&f->g, GATEWAY_V4, out, sizeof out, f->now_us);
}

static inline void fake_datagrams(struct fake *f)
{
    enum gateway_family family;
    uint8_t out[GATEWAY_OUT_MAX];
    size_t len;

    while (gateway_poll_out(&f->g, &family, out, &len, f->now_us)) {
        if (f->datagrams < 8)
            f->first_us[f->datagrams] = f->now_us;
        assert_true(++f->datagrams < 100000);
        if (f->silent)
            continue;
        if (out[0] == PCP_VERSION && f->pcp)
            fake_pcp(f, family, out);
        else if (out[0] == PCP_VERSION && f->knows_pcp_not)
            fake_refuses_version(f);
        else if (out[0] == 0 && f->natpmp)
            fake_natpmp(f, out);
    }
}

/* What the child would answer. */
static inline void fake_igd(struct fake *f)
{
    static struct igd_answer a;
    const struct igd_job *job = &f->last_job;

    memset(&a, 0, sizeof a);
    f->job_running = false;
    if (!tn_addr_is_v4(&job->gateway)) {
        fake_firewall_answer(&f->firewall, job, f->lease_max_s, &a);
        gateway_on_igd(&f->g, f->igd_dies ? NULL : &a, f->now_us);
        return;
    }
    a.external = f->outside;
    a.version = 1;
    memcpy(a.location, "http://192.168.1.1:5000/x", 26);
    if (job->op == IGD_MAP) {
        a.lease_s = job->lease_s > f->lease_max_s ? f->lease_max_s : job->lease_s;
        a.external_port = fake_port(f, job->external_port);
        a.status = f->only_permanent && job->lease_s ? IGD_ONLY_PERMANENT : f->igd_status;
        if (f->igd_status && f->igd_status_times && --f->igd_status_times == 0)
            f->igd_status = IGD_OK;
    }
    if (!f->upnp) {
        memset(&a, 0, sizeof a);
        a.status = job->op == IGD_PROBE && f->igd_status ? f->igd_status : IGD_NO_ANSWER;
    }
    gateway_on_igd(&f->g, f->igd_dies ? NULL : &a, f->now_us);
}

static inline void fake_jobs(struct fake *f)
{
    if (f->job_running && f->now_us >= f->job_done_us)
        fake_igd(f);
    while (!f->job_running && gateway_poll_job(&f->g, &f->last_job)) {
        bool v4 = tn_addr_is_v4(&f->last_job.gateway);

        f->probes += v4 && f->last_job.op == IGD_PROBE;
        f->igd_maps += v4 && f->last_job.op == IGD_MAP;
        f->igd_unmaps += v4 && f->last_job.op == IGD_UNMAP;
        if (!v4)
            fake_firewall_count(&f->firewall, f->last_job.op);
        assert_true(f->probes + f->igd_maps + f->igd_unmaps < 10000);
        f->job_running = true;
        f->job_done_us = f->now_us + f->igd_takes_us;
        if (!f->igd_takes_us)
            fake_igd(f);
    }
}

/* Lets so much time pass. */
static inline void fake_run(struct fake *f, uint64_t for_us)
{
    uint64_t end_us = f->now_us + for_us;

    for (;;) {
        uint64_t next_us;

        fake_datagrams(f);
        fake_jobs(f);
        fake_datagrams(f);
        next_us = gateway_next_deadline(&f->g);
        if (f->job_running && f->job_done_us < next_us)
            next_us = f->job_done_us;
        if (next_us > end_us)
            break;
        assert_true(next_us > f->now_us || !f->job_running || f->job_done_us > f->now_us);
        f->now_us = next_us > f->now_us ? next_us : f->now_us;
        gateway_tick(&f->g, f->now_us);
    }
    f->now_us = end_us;
}

static inline struct gateway_router fake_router4(void)
{
    return (struct gateway_router){.address = ip4(192, 168, 1, 1), .own = ip4(192, 168, 1, 2)};
}

static inline const struct gateway_mapping *fake_mapping(const struct fake *f)
{
    return gateway_at(&f->g, 0);
}

static inline void assert_state(const struct fake *f, enum gateway_state state, enum gateway_why why,
                         enum gateway_protocol protocol)
{
    const struct gateway_mapping *m = fake_mapping(f);

    assert_non_null(m);
    assert_int_equal(m->state, state);
    assert_int_equal(m->why, why);
    assert_int_equal(m->protocol, protocol);
}

/* A gateway that grants everything; the mapping of UDP port 51820 is wanted. */
static inline void fake_init(struct fake *f)
{
    const struct gateway_want want = {.internal_port = 51820};
    struct gateway_config config = {.seed = 7, .upnp = true, .description = "tund 00112233"};
    struct gateway_router router = fake_router4();

    memset(f, 0, sizeof *f);
    memset(config.nonce_key, 9, sizeof config.nonce_key);
    f->now_us = TN_S(1000000);
    f->epoch_began_us = f->now_us - TN_S(5000);
    f->outside = ip4(55, 2, 1, 2);
    f->lease_max_s = UINT32_MAX;
    f->pcp_version = PCP_VERSION;
    f->igd_takes_us = TN_S(2);
    gateway_init(&f->g, &config);
    gateway_set_router(&f->g, GATEWAY_V4, &router, f->now_us);
    assert_int_equal(gateway_add(&f->g, &want, f->now_us), 0);
}

#endif
