/* What a device remembers beside its keys: its budget, and what it has learned of carriers.
 *
 *   record   version[1] = 2  budget[4] used[4] day_s[4]  count[1] { carrier[4] alive_s[2] dead_s[2] }
 *
 * The most recent carrier comes first. day_s: so old is the day in which `used` was spent. */
#include "inside.h"

#include <string.h>

#include "libtunnel/base/cursor.h"

#define VERSION 2
#define RECORD_MAX (1 + 12 + 1 + 8 * BRIDGE_CARRIERS)

void bridge_settings_save(struct bridge *b)
{
    const struct bridge_life *l = &b->life;
    uint8_t record[RECORD_MAX];
    struct tn_writer w;

    tn_writer_init(&w, record, sizeof record);
    tn_write_u8(&w, VERSION);
    bridge_budget_write(b, &w);
    tn_write_u8(&w, l->count);
    for (size_t i = 0; i < l->count; i++) {
        tn_write_bytes(&w, l->carrier[i].id, sizeof l->carrier[i].id);
        tn_write_u16(&w, (uint16_t)l->carrier[i].life.alive_s);
        tn_write_u16(&w, (uint16_t)l->carrier[i].life.dead_s);
    }
    if (bridge_store_save(b->storage, BRIDGE_REGION_SETTINGS, record, w.len))
        b->storage_failures++; /* it goes on as it is, and learns again after the next boot */
}

int bridge_settings_load(struct bridge *b)
{
    struct bridge_budget budget = b->budget;
    struct bridge_life life = {0};
    uint8_t record[RECORD_MAX];
    struct tn_reader r;
    size_t len = 0;
    int err = bridge_store_load(b->storage, BRIDGE_REGION_SETTINGS, record, sizeof record, &len);

    b->life.count = 1; /* a carrier without a name, until the port says which it is */
    if (err == TN_ESTATE)
        return err;
    tn_reader_init(&r, record, err ? 0 : len);
    if (tn_read_u8(&r) != VERSION || !bridge_budget_read(&budget, &r))
        tn_reader_fail(&r);
    life.count = tn_read_u8(&r);
    if (life.count < 1 || life.count > BRIDGE_CARRIERS)
        tn_reader_fail(&r);
    for (size_t i = 0; i < life.count && tn_reader_ok(&r); i++) {
        tn_read_bytes(&r, life.carrier[i].id, sizeof life.carrier[i].id);
        life.carrier[i].life.alive_s = tn_read_u16(&r);
        life.carrier[i].life.dead_s = tn_read_u16(&r);
        if (life.carrier[i].life.alive_s > TN_NATLIFE_MAX_S ||
            life.carrier[i].life.dead_s > TN_NATLIFE_MAX_S ||
            (life.carrier[i].life.dead_s && life.carrier[i].life.dead_s <= life.carrier[i].life.alive_s))
            tn_reader_fail(&r);
    }
    if (!tn_reader_done(&r))
        return 0; /* none, or another program's: everything is at its beginning */
    memcpy(b->life.carrier, life.carrier, sizeof life.carrier);
    b->life.count = life.count;
    b->budget = budget;
    return 0;
}
