/* How the coordinator reads a card: coord/ knows no member/, so this joins
 * them, for tund-coord and for the simulation alike. */
#ifndef TN_CARDS_H
#define TN_CARDS_H

#include "coord/store.h"

extern const struct tn_card_ops tn_card_ops;

#endif
