/* What `tund-coord status` tells, as JSON and as text for people. */
#ifndef TUND_COORD_REPORT_H
#define TUND_COORD_REPORT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "libtunnel/coord/server.h"
#include "libtunnel/coord/store.h"

#include "coord_net.h"
#include "coord_store_sqlite.h"
#include "coord_streams.h"

/* Borrowed pointers; a snapshot of a running coordinator. */
struct coord_report {
    const char *url;
    uint64_t uptime_s;
    const struct coord_net *net;
    const struct coord_streams *streams;
    struct tn_server_gauges gauges;
    const struct tn_server_counters *counters;
    struct tn_store_counts counts;
    bool counts_known; /* false: the store could not be read */
    const struct coord_store_health *store;
};

/* A new reference, or NULL where there is no memory. */
json_t *coord_report_json(const struct coord_report *r);
/* False where `report` is not such an object (another version's). */
bool coord_report_print(const json_t *report, FILE *out);

#endif
