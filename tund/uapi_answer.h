/* The answer to get=1: the node's settings and state as text. */
#ifndef TUND_UAPI_ANSWER_H
#define TUND_UAPI_ANSWER_H

#include "daemon.h"
#include "uapi_text.h"

void uapi_answer_get(const struct tund *t, struct uapi_text *out);

#endif
