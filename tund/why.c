/* Sentences about errors (see why.h). */
#include "why.h"

#include <stdarg.h>
#include <stdio.h>

int why_set(struct why *w, int err, const char *fmt, ...)
{
    va_list ap;

    if (w) {
        va_start(ap, fmt);
        vsnprintf(w->text, sizeof(w->text), fmt, ap);
        va_end(ap);
    }
    return err;
}
