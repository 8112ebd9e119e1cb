/* Records of the state directory, and the words of a command line: whatever is read, what is taken can
 * be written again, and is then the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "libtunnel/crypto/crypto.h"
#include "tund/prefix.h"
#include "tund/state_networks.h"
#include "tund/state_record.h"
#include "tund/tundctl_args.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int condition)
{
    if (!condition)
        abort();
}

static void records(const uint8_t *data, size_t size)
{
    uint8_t again[STATE_RECORD_MAX];
    struct state_networks networks;
    struct state_owner owner;
    struct state_node node;
    size_t len;

    if (state_node_decode(&node, data, size) == 0) {
        check(state_node_encode(&node, again, sizeof(again), &len) == 0);
        check(len == size && memcmp(again, data, len) == 0);
    }
    if (state_networks_decode(&networks, data, size) == 0) {
        check(state_networks_encode(&networks, again, sizeof(again), &len) == 0);
        check(len == size && memcmp(again, data, len) == 0);
    }
    if (state_owner_decode(&owner, data, size) == 0) {
        check(state_owner_encode(&owner, again, sizeof(again), &len) == 0);
        check(len == size && memcmp(again, data, len) == 0);
    }
}

/* The same bytes as the body of a record whose check is right: without that nearly nothing gets in. */
static void bodies(const uint8_t *data, size_t size)
{
    uint8_t record[STATE_RECORD_MAX] = "tundstat";

    if (size > sizeof(record) - 12 - 32)
        return;
    record[8] = 1;
    record[10] = (uint8_t)(size >> 8);
    record[11] = (uint8_t)size;
    memcpy(record + 12, data, size);
    memcpy(record + 12, "tundnets", 8); /* and as the body of that file */
    record[20] = 1;
    if (size > 9)
        memcpy(record + 21, data + 9, size - 9);
    if (size >= 9) {
        tn_blake2s(record + 12 + size, 32, NULL, 0, record + 12, size);
        records(record + 12, size + 32);
    }
    memcpy(record + 12, data, size);
    for (uint8_t kind = 1; kind <= 3; kind++) {
        record[9] = kind;
        tn_blake2s(record + 12 + size, 32, NULL, 0, record, 12 + size);
        records(record, 12 + size + 32);
    }
}

static void words(const char *text)
{
    char back[PREFIX_TEXT_LEN];
    struct prefix p, q;
    struct why why;
    uint64_t s;

    if (prefix_parse(text, &p, &why) == 0) {
        check(prefix_parse(prefix_text(&p, back), &q, &why) == 0);
        check(p.bits == q.bits && tn_addr_equal(&p.addr, &q.addr));
    }
    if (args_duration(text, &s) == 0)
        check(s >= 60);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);

    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    words(text);
    free(text);
    records(data, size);
    bodies(data, size);
    return 0;
}
