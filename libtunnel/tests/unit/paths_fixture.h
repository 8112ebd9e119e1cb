/* Paths of one peer alone, that a test pushes and pulls by hand. */
#ifndef TN_TESTS_PATHS_FIXTURE_H
#define TN_TESTS_PATHS_FIXTURE_H

#include "libtunnel/path/paths.h"

static struct tn_paths paths;
static struct tn_rng rng;
static struct tn_now now;

/* There are a relay and a session. */
static inline int paths_begin(const struct tn_paths_config *cfg)
{
    const uint8_t seed[32] = {1};

    now.us = TN_S(100);
    tn_rng_init(&rng, seed);
    tn_paths_init(&paths, cfg, &now);
    tn_paths_set_relay(&paths, true, &now);
    tn_paths_set_session(&paths, true, &now);
    return 0;
}

#endif
