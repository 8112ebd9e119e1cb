/* The sentence that goes with an error: what happened, and what to do next. A
 * function that fails fills it in and returns; whoever is asked by the user
 * prints or logs it. */
#ifndef TUND_WHY_H
#define TUND_WHY_H

struct why {
    char text[512];
};

/* Keeps the sentence (cut where it is too long) and returns `err`. `w` may be NULL. */
int why_set(struct why *w, int err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
