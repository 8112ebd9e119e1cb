/* The few ways in which libtunnel says no. Every fallible function returns 0
 * or one of these; outputs are untouched on failure. */
#ifndef TN_BASE_ERR_H
#define TN_BASE_ERR_H

#define TN_MUST_CHECK __attribute__((warn_unused_result))

enum tn_err {
    TN_OK = 0,
    TN_EINVAL = -1,   /* malformed: wrong length, type, version or field */
    TN_EAUTH = -2,    /* a signature, tag, MAC or shared secret did not verify */
    TN_EREPLAY = -3,  /* seen before, or older than what we hold */
    TN_ENOKEY = -4,   /* no usable session key */
    TN_ENOSPC = -5,   /* the caller's buffer or table is full */
    TN_ENOENT = -6,   /* no such peer, member, route or session */
    TN_EEXPIRED = -7, /* past its lifetime */
    TN_ESTATE = -8,   /* not in a state where this is allowed */
    TN_EDENIED = -9,  /* valid, but not permitted here */
    TN_EEXIST = -10,  /* taken by somebody else */
    TN_ELIMIT = -11,  /* rate or budget used up */
};

#endif
