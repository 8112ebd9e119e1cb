/* Included in front of crypto/small/ to put it beside libsodium's seam into one program. */
#ifndef TN_TEST_SMALL_NAMES_H
#define TN_TEST_SMALL_NAMES_H

#define tn_crypto_init small_crypto_init
#define tn_x25519 small_x25519
#define tn_x25519_public small_x25519_public
#define tn_x25519_clamp small_x25519_clamp
#define tn_aead_seal small_aead_seal
#define tn_aead_open small_aead_open
#define tn_aead_seal_nonce small_aead_seal_nonce
#define tn_aead_open_nonce small_aead_open_nonce
#define tn_xaead_seal small_xaead_seal
#define tn_xaead_open small_xaead_open
#define tn_ed25519_public small_ed25519_public
#define tn_ed25519_sign small_ed25519_sign
#define tn_ed25519_verify small_ed25519_verify

#endif
