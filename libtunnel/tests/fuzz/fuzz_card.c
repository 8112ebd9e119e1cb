/* A card from the network. What decodes has one encoding, and nothing verifies but what
 * the fixture's keys signed: a finding would be a forged member. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/member_fixture.h"

static struct tn_card own[2];
static uint8_t network_public[32];

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    fix_network_public(network_public, FIX_NETWORK);
    if (fix_card(&own[0], FIX_NETWORK, 0, 1) || fix_card(&own[1], FIX_NETWORK, 0, TN_EPOCH_LEFT))
        abort();
    return 0;
}

/* The certificate in front, when there is one, obeys its rules and is canonical too. */
static void check_cert(const uint8_t *data, size_t len)
{
    uint8_t again[TN_CERT_MAX_LEN];
    struct tn_reader r;
    struct tn_cert c;
    size_t again_len;

    tn_reader_init(&r, data, len);
    tn_cert_read(&r, &c);
    if (!tn_reader_ok(&r))
        return;
    if (tn_cert_check(&c) || tn_cert_encode(&c, again, sizeof(again), &again_len))
        abort();
    if (again_len != len - r.left || memcmp(again, data, again_len) != 0)
        abort();
    if (tn_cert_decode(&c, data, again_len))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    uint8_t again[TN_CARD_MAX_LEN];
    struct tn_card c;
    size_t again_len;

    check_cert(data, len);
    if (tn_card_decode(&c, data, len))
        return 0;
    if (tn_card_encode(&c, again, sizeof(again), &again_len))
        abort();
    if (again_len != len || memcmp(again, data, len) != 0)
        abort();
    if (tn_card_verify(&c, network_public) == 0 && !tn_card_equal(&c, &own[0]) &&
        !tn_card_equal(&c, &own[1]))
        abort();
    return 0;
}
