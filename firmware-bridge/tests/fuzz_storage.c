/* A device whose storage holds anything, and whose invite may be anything: it starts or says no. */
#include <stdlib.h>
#include <string.h>

#include "inside.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static uint8_t memory[BRIDGE_STORAGE_LEN];

static int mem_read(void *ctx, uint32_t at, void *out, size_t len)
{
    if (at + len > sizeof memory)
        abort();
    memcpy(out, memory + at, len);
    return 0;
}

static int mem_write(void *ctx, uint32_t at, const void *data, size_t len)
{
    if (at + len > sizeof memory)
        abort();
    memcpy(memory + at, data, len);
    return 0;
}

/* Makes the check of the first identity slot right, so that what is behind it is reached. */
static void seal_first_slot(void)
{
    size_t len = tn_get_be16(memory + 4);

    if (len <= bridge_store_max(BRIDGE_REGION_IDENTITY))
        tn_blake2s(memory + 6 + len, 4, NULL, 0, memory, 6 + len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const struct bridge_storage storage = {mem_read, mem_write, NULL};
    static struct bridge b;
    struct bridge_config cfg = {.storage = &storage, .rng_seed = {1}};
    struct bridge_out out;
    int err;

    memset(memory, 0, sizeof memory);
    memcpy(memory, data, len < sizeof memory ? len : sizeof memory);
    seal_first_slot();
    err = bridge_init(&b, &cfg, 0);
    if (err == TN_ENOENT)
        err = bridge_join(&b, (const char *)data, len, 0, 0);
    bridge_tick(&b, 1);
    while (bridge_poll(&b, &out, 1))
        if (err)
            abort(); /* who is no member is silent */
    return 0;
}
