/* The sockets of a search for a member's port: see overlay_search.c. */
#ifndef TUND_OVERLAY_SEARCH_H
#define TUND_OVERLAY_SEARCH_H

struct overlay;
struct tn_event;

void overlay_search_begin(struct overlay *o, const struct tn_event *ev); /* TN_EV_SEARCH */
void overlay_search_stop(struct overlay *o);

#endif
