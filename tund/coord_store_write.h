/* The writing half of the SQLite store. */
#ifndef TUND_COORD_STORE_WRITE_H
#define TUND_COORD_STORE_WRITE_H

#include "libtunnel/coord/store.h"

/* As struct tn_store_ops says; ctx is a struct coord_store. */
uint8_t coord_store_join(void *ctx, const struct tn_card_facts *facts, const uint8_t *card,
                         size_t len, uint64_t now_s, struct tn_store_place *out);
uint8_t coord_store_update(void *ctx, const struct tn_card_facts *facts, const uint8_t *card,
                           size_t len, struct tn_store_place *out);

#endif
