/* Numbers modulo 2^255 - 19 in ten signed limbs of 26 and 25 bits in turn: limb i stands for
 * 2^ceil(25.5 i). Rolled loops: this is for a chip whose flash is short, see ../crypto.h.
 *
 * Sizes of limbs, which keep every product within 64 bits and every operand within 32: what tn_fe_mul,
 * tn_fe_squares and tn_fe_from give is "reduced", at most 1.01 * 2^25 (even limbs) and 1.01 * 2^24 (odd).
 * They take 1.65 times twice that: a sum or difference of two reduced numbers, or of a reduced one and
 * such a sum. The result may be any operand, but not tn_fe_mul's f. Nothing branches, or looks into a table, by a value. */
#ifndef TN_CRYPTO_SMALL_FIELD_H
#define TN_CRYPTO_SMALL_FIELD_H

#include <stdint.h>

#define TN_FE_LIMBS 10

typedef int32_t tn_fe[TN_FE_LIMBS];

void tn_fe_set(tn_fe h, int32_t small);
void tn_fe_from(tn_fe h, const uint8_t bytes[32]); /* the top bit is ignored */
void tn_fe_to(uint8_t bytes[32], const tn_fe f);   /* f at most twice reduced; the one number below the prime */
void tn_fe_add(tn_fe h, const tn_fe f, const tn_fe g);
void tn_fe_sub(tn_fe h, const tn_fe f, const tn_fe g);
void tn_fe_add_sub(tn_fe sum, tn_fe difference, const tn_fe f, const tn_fe g);
void tn_fe_mul(tn_fe h, const tn_fe f, const tn_fe g); /* h is not f */
void tn_fe_mul_small(tn_fe h, const tn_fe f, int32_t n); /* n below 2^17 */
/* f^(2^250 - 1) and, if eleventh is not NULL, f^11: where inversion and square root begin. */
void tn_fe_power(tn_fe h, tn_fe eleventh, const tn_fe f);
void tn_fe_squares(tn_fe h, const tn_fe f, int times); /* squared so often, at least once; h may be f */
void tn_fe_invert(tn_fe h, const tn_fe f);             /* of 0: 0 */
/* swap 1: f and g change places; 0: they stay. `count` limbs, which may be those of several numbers. */
void tn_fe_swap(int32_t *f, int32_t *g, unsigned count, uint32_t swap);

#endif
