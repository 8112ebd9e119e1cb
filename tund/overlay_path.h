/* Which ways the user allows to a member: see overlay_path.c. */
#ifndef TUND_OVERLAY_PATH_H
#define TUND_OVERLAY_PATH_H

#include <jansson.h>
#include <stdint.h>

struct ctl_conn;
struct overlay;

void overlay_path_start(struct overlay *o);                   /* when the roster is loaded */
void overlay_path_member(struct overlay *o, uint32_t member); /* TN_EV_MEMBER */
void overlay_path_verb(struct overlay *o, struct ctl_conn *c, json_t *request);

#endif
