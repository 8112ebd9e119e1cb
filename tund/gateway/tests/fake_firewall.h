/* The IPv6 side of the scripted gateway of fake_router.h: what the child answers of its firewall. */
#ifndef TUND_GATEWAY_TESTS_FAKE_FIREWALL_H
#define TUND_GATEWAY_TESTS_FAKE_FIREWALL_H

#include "hexed.h"
#include "tund/gateway/gateway.h"

struct fake_firewall {
    bool there;
    uint16_t status, pinhole; /* of what is asked of it; the number that it gives */
    enum igd_works works;
    unsigned probes, pinholes, unpinholes;
};

static inline void fake_firewall_answer(const struct fake_firewall *f, const struct igd_job *job,
                                        uint32_t lease_max_s, struct igd_answer *a)
{
    memset(a, 0, sizeof *a);
    a->status = f->there ? f->status : IGD_NO_ANSWER;
    if (a->status != IGD_OK)
        return;
    strcpy(a->location, "http://[fe80::1]:5000/x");
    a->pinhole = f->pinhole;
    a->works = (uint8_t)f->works;
    a->lease_s = job->lease_s > lease_max_s ? lease_max_s : job->lease_s;
}

static inline void fake_firewall_count(struct fake_firewall *f, enum igd_op op)
{
    f->probes += op == IGD_PROBE;
    f->pinholes += op == IGD_MAP;
    f->unpinholes += op == IGD_UNMAP;
    assert_true(f->probes + f->pinholes + f->unpinholes < 10000);
}

#endif
