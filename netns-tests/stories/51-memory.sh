#!/bin/bash
# tund with two peers and traffic needs less than 8 MiB.
#
#                  coord
#                    |
#        ----------inet-------------------
#        |         (20 ms)    |          |
#       a-r                  b-r        c-r  (port-restricted)
#        |                    |          |
#        a                    b          c
. "$(dirname "$0")/../lib/lab.sh"
. "$LAB_LIB/overlay.sh"

lab_internet
overlay_coord
for home in a b c; do
    lab_home "$home" port-restricted
done
overlay_members a b c
overlay_up a b c
for peer in b c; do
    overlay_ping a "$peer" >/dev/null
    assert_soon "$peer is direct" 3 overlay_is a "$peer" direct
    lab_spawn "iperf-$peer" "$peer" iperf3 -s -1
    wait_until 5 lab_listens "$peer" 5201
    assert "$peer takes traffic of a" lab_exec a iperf3 -t 2 -c "${OVERLAY_IP[$peer]}"
done
for host in a b c; do
    diag "tund on $host: $(lab_rss_kib "tund-$host") KiB"
done
assert_le "tund with two peers and traffic: KiB of resident memory" "$(lab_rss_kib tund-a)" 8191
diag "coordinator: $(lab_rss_kib coordinator) KiB"
